//! Probation: how long a new generation is watched, and how many of its calls may fail meanwhile.

use std::time::{Duration, Instant};

/// The probation of one generation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Probation {
    until: Instant,
    failures: u32,
}

impl Probation {
    /// The probation of a generation that has gone live now.
    pub(crate) fn begin(now: Instant, lasts: Duration) -> Probation {
        Probation {
            until: now + lasts,
            failures: 0,
        }
    }

    /// Whether it is over, and the generation has come through.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        now >= self.until
    }

    /// When it is over.
    pub(crate) fn until(&self) -> Instant {
        self.until
    }

    /// A call has failed. Says whether that is one more than `most`, if the host has named a number.
    pub(crate) fn fails(&mut self, now: Instant, most: Option<u32>) -> bool {
        if self.is_over(now) {
            return false;
        }
        self.failures = self.failures.saturating_add(1);
        most.is_some_and(|most| self.failures == most.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_generation_has_come_through_when_its_time_is_over() {
        let now = Instant::now();
        let probation = Probation::begin(now, MINUTE);
        assert!(!probation.is_over(now));
        assert!(!probation.is_over(now + MINUTE - Duration::from_nanos(1)));
        assert!(probation.is_over(probation.until()));
    }

    #[test]
    fn calls_that_fail_count_once_there_are_too_many_and_within_the_time_only() {
        let now = Instant::now();
        let mut probation = Probation::begin(now, MINUTE);
        let failed: Vec<bool> = (0..4).map(|_| probation.fails(now, Some(2))).collect();
        assert_eq!(failed, [false, false, true, false], "it is said once");
        let mut unasked = Probation::begin(now, MINUTE);
        assert!((0..100).all(|_| !unasked.fails(now, None)));
        let mut late = Probation::begin(now, MINUTE);
        assert!(!late.fails(now + MINUTE, Some(0)));
        assert!(late.fails(now, Some(0)));
    }
}
