//! The libraries beside an artifact that it needs, between two polls: what was seen of them, and whether that can be
//! believed.

use std::path::PathBuf;
use std::time::Instant;

use crate::decide::settle::Rules;
use crate::look::files::{Files, is_absent};
use crate::look::snapshot::{Fields, Snapshot};

/// The places beside an artifact where a library is, or would be, that the artifact needs; as they were when the
/// artifact was read last.
#[derive(Debug, Default)]
pub(super) struct Beside {
    /// What was seen at each place; `None` if no file was there.
    seen: Vec<(PathBuf, Option<Snapshot>)>,
    /// Since when the places look like that.
    since: Option<Instant>,
}

impl Beside {
    /// Whether any of the libraries has changed, come or gone. Of an artifact that brings none along, nothing is asked.
    pub(super) fn has_changed(&self, files: &impl Files, noise: Fields) -> bool {
        let is_other = |(path, before): &(PathBuf, Option<Snapshot>)| match files.look(path) {
            Ok(seen) => *before != Some(seen.without(noise)),
            Err(error) => is_absent(&error) && before.is_some(),
        };
        self.seen.iter().any(is_other)
    }

    /// Takes down what was seen now, and says whether all of it can be believed: each file was put into place whole, or
    /// has held still for long enough.
    pub(super) fn sees(
        &mut self,
        now: Instant,
        seen: Vec<(PathBuf, Option<Snapshot>)>,
        rules: &Rules,
    ) -> bool {
        if self.seen != seen {
            self.since = Some(now);
            self.seen = seen;
        }
        let still_for = now.saturating_duration_since(self.since.unwrap_or(now));
        let mut found = self.seen.iter().filter_map(|(_, seen)| seen.as_ref());
        found.all(|seen| {
            let is_whole = seen.was_changed_after_its_last_write() && !rules.place.looks_can_lag;
            is_whole || still_for >= rules.options.settle.max(seen.racy_for())
        })
    }
}
