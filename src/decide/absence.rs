//! When an absence is worth saying: pure.

use std::time::{Duration, Instant};

/// A shorter absence is not reported: cargo unlinks the old library some milliseconds before it links the new
/// one into place, and people delete and copy.
const GRACE: Duration = Duration::from_secs(1);

/// Since when there is nothing at a path, if there is nothing, and whether that was said.
#[derive(Debug, Default)]
pub(crate) struct Absence {
    since: Option<Instant>,
    said: bool,
}

impl Absence {
    /// Nothing is there. Says whether that is to be said now.
    pub(crate) fn lasts(&mut self, now: Instant) -> bool {
        let since = *self.since.get_or_insert(now);
        let is_news = !self.said && now >= since + GRACE;
        self.said |= is_news;
        is_news
    }

    /// Something is there. Says whether its absence was said.
    pub(crate) fn ends(&mut self) -> bool {
        self.since = None;
        std::mem::take(&mut self.said)
    }

    /// Whether it was said.
    pub(crate) fn was_said(&self) -> bool {
        self.said
    }

    /// Whether it has begun, but was not said.
    pub(crate) fn is_short(&self) -> bool {
        self.since.is_some() && !self.said
    }
}
