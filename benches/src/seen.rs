//! The result of a child, which says what it saw: numbers by name, and times in milliseconds.

use std::time::Duration;

use serde_json::Value;

use crate::row::Figures;

/// The number that a child returned under this name.
pub fn number(seen: &Value, name: &str) -> f64 {
    seen[name].as_f64().expect("the child returns this number")
}

/// The numbers that a child returned under this name.
pub fn numbers(seen: &Value, name: &str) -> Vec<f64> {
    let numbers = seen[name]
        .as_array()
        .expect("the child returns these numbers");
    numbers.iter().filter_map(Value::as_f64).collect()
}

/// A duration in milliseconds.
pub fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// Takes down the latencies of a trial, in which each change counts as a trial.
pub fn take(figures: &mut Figures, figure: &str, seen: &Value) {
    let latencies = numbers(seen, "ms");
    let times = seen["times"].as_u64().expect("the child returns it");
    figures.trials += times - 1;
    figures.mishaps.missed += times - latencies.len() as u64;
    for latency in latencies {
        figures.take(figure, latency);
    }
}
