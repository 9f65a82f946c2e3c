//! The absence of an artifact, and when it is worth reporting: pure.

use std::time::{Duration, Instant};

/// The longest absence that is not reported: cargo unlinks the old library some milliseconds before it links the new
/// one into place, and people delete and copy.
const GRACE: Duration = Duration::from_secs(1);

/// An absence: since when no file has been at a path, if none is there, and whether that was reported.
#[derive(Debug, Default)]
pub(crate) struct Absence {
    since: Option<Instant>,
    said: bool,
}

impl Absence {
    /// No file is there. Says whether that is to be reported now.
    pub(crate) fn lasts(&mut self, now: Instant) -> bool {
        let since = *self.since.get_or_insert(now);
        let is_news = !self.said && now >= since + GRACE;
        self.said |= is_news;
        is_news
    }

    /// Nobody can tell whether a file is there. An absence that was not reported is counted from the next look that finds
    /// no file: the file may have been there in between.
    pub(crate) fn is_unsure(&mut self) {
        if !self.said {
            self.since = None;
        }
    }

    /// A file is there. Says whether its absence was reported.
    pub(crate) fn ends(&mut self) -> bool {
        self.since = None;
        std::mem::take(&mut self.said)
    }

    /// Whether the absence was reported.
    pub(crate) fn was_said(&self) -> bool {
        self.said
    }

    /// Whether the absence has begun but was not reported.
    pub(crate) fn is_short(&self) -> bool {
        self.since.is_some() && !self.said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absence_is_reported_once_and_when_it_has_lasted_for_a_second() {
        let (begun, mut absence) = (Instant::now(), Absence::default());
        let after = |ms| begun + Duration::from_millis(ms);
        for (at, is_news) in [(0, false), (999, false), (1000, true), (1001, false)] {
            assert_eq!(absence.lasts(after(at)), is_news, "{at} ms");
        }
        assert!(absence.ends());
        assert!(!absence.lasts(after(2000)) && !absence.ends());
        assert!(!absence.lasts(after(2500)) && absence.lasts(after(3500)));
    }
}
