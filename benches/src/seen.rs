//! The result of a child, which says what it saw: numbers by name, and times in milliseconds.

use std::time::Duration;

use serde_json::Value;

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
