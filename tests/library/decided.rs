//! What a host has decided about a build.

use std::time::{Duration, Instant};

use replug::error::Step;
use replug::{Digest, Host, Outcome, Text};
use vocabulary::{DEADLINE, library};

pub fn digest(number: u32) -> Digest {
    Digest::of(&library(number))
}

/// Waits for a load or a refusal: the digest, and the step and words of a refusal.
#[track_caller]
pub fn next(host: &mut Host<Text>) -> Result<Digest, (Step, String)> {
    let deadline = Instant::now() + DEADLINE;
    while Instant::now() < deadline {
        if let Some(decided) = host.wait(Duration::from_millis(100)).and_then(decided) {
            return decided;
        }
    }
    panic!("nothing happened in time");
}

pub fn decided(outcome: Outcome) -> Option<Result<Digest, (Step, String)>> {
    match outcome {
        Outcome::Loaded(loaded) => Some(Ok(loaded.digest)),
        Outcome::Kept(kept) => Some(Err((kept.error.step(), kept.reason()))),
        _ => None,
    }
}
