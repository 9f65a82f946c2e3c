//! A change of the watched library: when it is made, and when it is seen.

use std::process;
use std::thread;
use std::time::{Duration, Instant};

use crate::tool::Tool;

/// How long one wait is: an owner that does something else now and then.
const TURN: Duration = Duration::from_millis(10);

/// Rests before change `number` for so long and a part of `spread`, so that changes meet a poller at all moments of
/// its interval alike.
pub fn rest(number: u64, least: Duration, spread: Duration) {
    /// Multiples of it, without the whole part, are spread evenly however many there are.
    const GOLDEN: f64 = 0.618_033_988_75;
    /// More than a trial makes changes, so that no two trials rest alike.
    const CHANGES: u64 = 1_009;
    let trial = u64::from(process::id());
    let part = ((trial * CHANGES + number) as f64 * GOLDEN).fract();
    thread::sleep(least + spread.mul_f64(part));
}

/// Lets `tool` load until library `number` was called. Says how long that took since `begun`; `None` if it took longer
/// than `patience`.
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
