//! What the rows about changes have in common: when one is made, when it is seen, and how many trials run at a time.

use std::process;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::row::Figures;
use crate::tools::Tool;
use crate::trial;

/// How long one wait is: an owner that does something else now and then.
const TURN: Duration = Duration::from_millis(10);

/// Rests before change `number` for so long and a part of `spread`, so that changes meet a poller at all moments of its
/// interval alike.
pub fn rest(number: u64, least: Duration, spread: Duration) {
    /// Multiples of it, without the whole part, are spread evenly however many there are.
    const GOLDEN: f64 = 0.618_033_988_75;
    /// More than a trial makes changes, so that no two trials rest alike.
    const CHANGES: u64 = 1_009;
    let trial = u64::from(process::id());
    let part = ((trial * CHANGES + number) as f64 * GOLDEN).fract();
    thread::sleep(least + spread.mul_f64(part));
}

/// Lets `tool` load until library `number` was called. Says how long that took since `begun`; `None` if it took longer than
/// `patience`.
pub fn until_called(
    tool: &mut dyn Tool,
    number: u64,
    begun: Instant,
    patience: Duration,
) -> Option<Duration> {
    loop {
        if tool.wait(TURN) > 0 && tool.version() == Some(number) {
            return Some(begun.elapsed());
        }
        if begun.elapsed() > patience {
            return None;
        }
    }
}

/// Runs so many trials at the same time: for those that wait more than they work. Returns what those saw that ended well.
pub fn together(
    figures: &mut Figures,
    row: &str,
    tool: &str,
    arguments: &[Vec<String>],
    timeout: Duration,
) -> Vec<Value> {
    let run = |arguments: &Vec<String>| trial::run(row, tool, arguments, timeout);
    let ended: Vec<_> = thread::scope(|scope| {
        let trials: Vec<_> = arguments
            .iter()
            .map(|arguments| scope.spawn(move || run(arguments)))
            .collect();
        let ended = trials.into_iter().map(|trial| trial.join());
        ended
            .map(|ended| ended.expect("whoever waits for a child does not panic"))
            .collect()
    });
    let seen = ended.into_iter().map(|ended| ended.or_crashed(figures));
    seen.flatten().collect()
}

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

/// In milliseconds.
pub fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
