//! `Trouble`: a failure that has not ended, of which one word is said; and when to try again. Pure.

use std::time::Duration;

use super::waves;

/// The longest time between two attempts while something fails, unless the interval is longer.
const LONGEST: Duration = Duration::from_secs(60);

/// How often the interval is doubled at most: who looks often is soon back, too.
const DOUBLINGS: u32 = 5;

/// A failure that has not ended.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    /// The word that was said of it.
    word: Option<&'static str>,
    /// How often it failed without a success between.
    count: u32,
}

impl Trouble {
    /// Takes a failure; returns whether it is news.
    pub(crate) fn failed(&mut self, word: &'static str) -> bool {
        self.count = self.count.saturating_add(1);
        self.word.replace(word) != Some(word)
    }

    /// Takes a success; returns whether a failure has ended.
    pub(crate) fn succeeded(&mut self) -> bool {
        self.count = 0;
        self.word.take().is_some()
    }

    pub(crate) fn word(&self) -> Option<&'static str> {
        self.word
    }

    /// How long to wait until the next attempt: the interval, and twice as long after each further failure. Hosts that failed
    /// together do not come back together.
    pub(crate) fn pause(&self, interval: Duration, host: &str, poll: u64) -> Duration {
        let doubled = interval.saturating_mul(1 << self.count.saturating_sub(1).min(DOUBLINGS));
        let pause = doubled.min(LONGEST.max(interval));
        // From three quarters to five.
        let part = waves::rank(host, &poll.to_string()) as f64 / waves::LAST as f64;
        pause.mul_f64(0.75 + part / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_said_once_and_its_end_once() {
        let mut trouble = Trouble::default();
        assert!(!trouble.succeeded());
        let said = [
            "unreachable",
            "unreachable",
            "older",
            "older",
            "unreachable",
        ];
        let news = said.map(|word| trouble.failed(word));
        assert_eq!(news, [true, false, true, false, true]);
        assert!(trouble.succeeded());
        assert!(!trouble.succeeded());
        assert!(trouble.failed("unreachable"));
    }

    #[test]
    fn attempts_grow_rarer_up_to_a_bound_and_hosts_part() {
        let mut trouble = Trouble::default();
        let interval = Duration::from_secs(5);
        let within = |trouble: &Trouble, seconds: u64| {
            let usual = Duration::from_secs(seconds);
            let found = (0..100).map(|poll| trouble.pause(interval, "h1", poll));
            found
                .inspect(|it| assert!((usual.mul_f64(0.75)..=usual.mul_f64(1.25)).contains(it)))
                .collect::<std::collections::BTreeSet<_>>()
                .len()
        };
        assert!(within(&trouble, 5) > 90);
        for seconds in [5, 10, 20, 40, 60, 60] {
            trouble.failed("unreachable");
            within(&trouble, seconds);
        }
        for _ in 0..100_000 {
            trouble.failed("unreachable");
        }
        within(&trouble, 60);
        let brisk = trouble.pause(Duration::from_millis(20), "h1", 1);
        assert!(brisk <= Duration::from_millis(800), "{brisk:?}");
        let hour = Duration::from_secs(3600);
        assert!(trouble.pause(hour, "h1", 1) >= hour.mul_f64(0.75));
    }
}
