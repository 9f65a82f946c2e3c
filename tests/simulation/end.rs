//! The end of a run, when everything must be known: what is live, what is gone, where it is, and what is well again.

use std::path::{Path, PathBuf};

use replug::Digest;
use replug::outcome::Waiting;
use replug::watch::{Files, Place};

use crate::run::Run;
use crate::world::MS;

impl Run<'_> {
    pub fn judge_end(&mut self) {
        for path in &self.scenario.artifacts {
            self.judge_final_state(path);
            self.judge_order(path);
            self.judge_removal(path);
        }
        self.judge_waits();
        self.judge_returns();
        self.judge_place();
        self.judge_recovery();
    }

    fn published(&self, path: &Path) -> Vec<Digest> {
        let state = self.state();
        state.world.published.get(path).cloned().unwrap_or_default()
    }

    fn content(&self, path: &Path) -> Option<Digest> {
        let content = self.state().world.content(path);
        content.map(|content| Digest::of(&content))
    }

    /// Whether half a file is at a path: something that nobody wanted there.
    pub fn has_half_a_file(&self) -> bool {
        let mut artifacts = self.scenario.artifacts.iter();
        artifacts.any(|path| {
            let content = self.content(path);
            content.is_some_and(|content| !self.published(path).contains(&content))
        })
    }

    fn judge_final_state(&self, path: &Path) {
        let content = self.content(path);
        let published = self.published(path);
        let is_complete = content.is_some_and(|content| published.contains(&content));
        let live = self.owner.live.get(path).copied();
        let kept = self.owner.kept.get(path).copied();
        if is_complete && live != content && kept != content && self.can_know() {
            self.violate(format!(
                "final state: {} is not live {} ms after the last change",
                path.display(),
                self.scenario.bound() / MS
            ));
        }
    }

    fn judge_order(&self, path: &Path) {
        let loads = self.owner.loads.get(path).cloned().unwrap_or_default();
        if !is_subsequence(&loads, &self.published(path)) {
            self.violate(format!(
                "order: {} was loaded in another order than published",
                path.display()
            ));
        }
    }

    /// Judges that a removal was said: of the library itself, or of the whole directory.
    fn judge_removal(&self, path: &Path) {
        let is_missed = self.owner.live.contains_key(path);
        let either = [path, &self.scenario.path];
        let is_said = either.iter().any(|path| self.owner.missing.contains(*path));
        let mut troubled = either
            .iter()
            .filter(|path| self.owner.degraded.contains_key(**path));
        let is_doubted = troubled.next().is_some() && !self.is_removed(path, true);
        if self.is_removed(path, false) && is_missed && !is_said && !is_doubted {
            self.violate(format!(
                "gone: {} was removed, and nobody said so",
                path.display()
            ));
        }
    }

    /// Whether a file was removed; `for_sure` if nobody can take that for an unmounted filesystem, because a mount came
    /// or went since the file could be seen last, or the filesystem is mounted from another device; or because the file
    /// came to where it was removed, and went again, between two looks: for whoever saw it last elsewhere, that is gone.
    fn is_removed(&self, path: &Path, for_sure: bool) -> bool {
        let state = self.state();
        let Some(since) = state.world.absences[path].gone_since() else {
            return false;
        };
        let is_another = matches!(self.scenario.detached, Some((_, _, device)) if device != 1);
        let bound = self.scenario.bound();
        let mut remounts = state.world.remounts.iter();
        let is_recent = remounts.any(|at| *at <= since && since < at + bound);
        let absences = &state.world.absences[path];
        let faults = self.scenario.client.faults.iter();
        let blind: u64 = faults.map(|fault| fault.until - fault.from).sum();
        let is_unseen = !absences.was_seen() && absences.stayed < bound + blind;
        !for_sure || !is_another && !is_recent && !is_unseen
    }

    /// Judges that each wait that was said has ended with a word, unless the artifact still is what it was said to be.
    fn judge_waits(&self) {
        for (path, reason) in &self.owner.waits {
            let content = self.content(path);
            let is_whole = content.is_some_and(|content| self.published(path).contains(&content));
            let still_holds = match reason {
                // A directory waits for its first library.
                Waiting::Missing if self.scenario.is_directory && *path == self.scenario.path => {
                    let mut libraries = self.scenario.artifacts.iter();
                    libraries.all(|library| self.content(library).is_none())
                }
                Waiting::Missing => content.is_none(),
                Waiting::Incomplete => content.is_some() && !is_whole,
                _ => false,
            };
            if !still_holds && self.can_know() {
                self.violate(format!(
                    "word: {} was said to wait ({reason:?}), and nobody said what came of it",
                    path.display()
                ));
            }
        }
    }

    fn judge_returns(&self) {
        let is_there = |path: &&PathBuf| self.state().world.content(path).is_some();
        if let Some(path) = self.owner.missing.iter().find(is_there) {
            self.violate(format!(
                "whereabouts: {} is there, and still called missing",
                path.display()
            ));
        }
    }

    /// Judges that the path is known to be on the filesystem that it is on. While that is not mounted, the path keeps
    /// its place.
    fn judge_place(&self) {
        if self.is_mount_lost() {
            return;
        }
        let known = self.poller.place();
        if let Ok(filesystem) = self.client.filesystem(&self.scenario.path)
            && filesystem.name != known.filesystem
        {
            self.violate(format!(
                "place: known to be on {known}, and is on {}",
                filesystem.name
            ));
        }
        // Two filesystems that are looked at alike are not told apart.
        let matters = |place: &Place| (place.locality, place.names, place.looks_can_lag);
        let said = self.owner.place.as_ref();
        if let Some(said) = said.filter(|said| matters(said) != matters(known)) {
            self.violate(format!("place: said to be on {said}, and is on {known}"));
        }
    }

    fn judge_recovery(&self) {
        if self.is_mount_lost() {
            return;
        }
        if let Some(path) = self.owner.degraded.keys().next() {
            self.violate(format!(
                "recovery: {} is healed, and nobody said so",
                path.display()
            ));
        }
    }

    /// Whether a library that was there, or the watched directory, is hidden by a mount to the end, or was removed in a way
    /// that cannot be told from that.
    fn is_mount_lost(&self) -> bool {
        let artifacts = self.scenario.artifacts.iter();
        artifacts.chain([&self.scenario.path]).any(|path| {
            let was_there = self.state().world.absences[path].was_there();
            let is_there = self.state().world.content(path).is_some();
            was_there && !is_there && !self.is_removed(path, true)
        })
    }

    /// Whether the change can be known: without audits, nobody finds a change that looks cannot see.
    fn can_know(&self) -> bool {
        self.scenario.audits || !self.scenario.needs_audit()
    }
}

/// Whether `part` is `whole` with some digests left out.
fn is_subsequence(part: &[Digest], whole: &[Digest]) -> bool {
    let mut rest = whole.iter();
    part.iter()
        .all(|wanted| rest.any(|digest| digest == wanted))
}
