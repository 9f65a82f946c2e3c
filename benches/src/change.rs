//! A change of the watched library: when it is made, and when it is seen.

use std::process;
use std::thread;
use std::time::{Duration, Instant};

use crate::seen::ms;
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

/// Lets `make` make library `number` meanwhile, on another thread, and `tool` load until that was called. Says how many
/// milliseconds after the moment that `make` returns that was: less than none if it was before.
pub fn while_made(
    tool: &mut dyn Tool,
    number: u64,
    make: impl FnOnce() -> Instant + Send,
    patience: Duration,
) -> Option<f64> {
    thread::scope(|scope| {
        let making = scope.spawn(make);
        let mut called = None;
        while !making.is_finished() {
            let is_new = tool.wait(TURN) > 0;
            if is_new && called.is_none() && tool.version() == Some(number) {
                called = Some(Instant::now());
            }
        }
        let made = making.join().expect("what makes a library does not panic");
        match called {
            Some(called) => {
                let before = ms(made.saturating_duration_since(called));
                Some(ms(called.saturating_duration_since(made)) - before)
            }
            None => until_called(tool, number, made, patience).map(ms),
        }
    })
}
