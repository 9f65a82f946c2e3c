//! Rounds: when to look at all the libraries of a directory whose looks take long. Pure. The directory itself is asked
//! at each poll, which costs as much for a thousand libraries as for one. A build that is linked or renamed into place
//! changes the directory, so it is found at once, however long a round takes; only what is written in place waits for
//! the next round.

use std::time::{Duration, Instant};

use super::schedule::rest_after;

/// The rounds of one directory.
#[derive(Debug, Default)]
pub(crate) struct Rounds {
    last: Option<Round>,
    /// How many rounds in a row were made because the directory had changed, and found nothing.
    false_alarms: u32,
}

#[derive(Debug, Clone, Copy)]
struct Round {
    ended: Instant,
    took: Duration,
    /// How long both this round and the one before took: a single round that hung says nothing about the next.
    both: Duration,
}

impl Rounds {
    /// Whether a round is due now. A directory that `changed` calls for one early, unless that was for nothing again and
    /// again: some directories look different at each look.
    pub(crate) fn is_due(&self, now: Instant, changed: bool) -> bool {
        let Some(Round { ended, both, .. }) = self.last else {
            return true;
        };
        let usual = rest_after(both);
        let pause = match changed {
            true => both
                .saturating_mul(1 << self.false_alarms.min(8))
                .min(usual),
            false => usual,
        };
        now >= ended + pause
    }

    /// A round was made. `has_found` says whether a library is being followed now.
    pub(crate) fn made(&mut self, begun: Instant, ended: Instant, changed: bool, has_found: bool) {
        let took = ended.saturating_duration_since(begun);
        // A round that read files says nothing about how long looks take.
        let took = match self.last {
            Some(last) if has_found => took.min(last.took),
            None if has_found => return,
            _ => took,
        };
        self.false_alarms = match changed && !has_found {
            true => self.false_alarms.saturating_add(1),
            false => 0,
        };
        let both = self.last.map_or(took, |last| took.min(last.took));
        self.last = Some(Round { ended, took, both });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLL: Duration = Duration::from_millis(250);

    /// Polls for a minute, with rounds that take so long and find nothing, and counts the rounds. The directory changes
    /// at each poll, or at none.
    fn rounds_in_a_minute(took: Duration, changed: bool) -> u32 {
        let start = Instant::now();
        let (mut rounds, mut now, mut count) = (Rounds::default(), start, 0);
        while now < start + Duration::from_secs(60) {
            if rounds.is_due(now, changed) {
                count += 1;
                rounds.made(now, now + took, changed, false);
                now += took;
            }
            now += POLL;
        }
        count
    }

    #[test]
    fn quick_rounds_are_made_at_each_poll_and_slow_ones_take_a_twentieth_of_the_time() {
        assert!(rounds_in_a_minute(Duration::from_millis(10), false) >= 230);
        for changed in [false, true] {
            let slow = rounds_in_a_minute(Duration::from_secs(1), changed);
            assert!(slow <= 10, "{slow} rounds of a second, changed {changed}");
        }
    }

    #[test]
    fn a_directory_that_changed_calls_for_a_round_at_once_as_often_as_something_is_found() {
        let (mut rounds, took) = (Rounds::default(), Duration::from_secs(1));
        let mut now = Instant::now();
        rounds.made(now, now + 9 * took, true, true);
        assert!(rounds.is_due(now + 9 * took, false), "files were read");
        now += 9 * took;
        rounds.made(now, now + took, false, false);
        for _ in 0..10 {
            now += 2 * took;
            assert!(!rounds.is_due(now, false));
            assert!(rounds.is_due(now, true));
            rounds.made(now, now + took, true, true);
        }
    }
}
