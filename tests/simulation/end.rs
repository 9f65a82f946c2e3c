//! The end of a run, when everything must be known: what is live, what is gone, where it is, and what is well again.

use std::path::{Path, PathBuf};

use replug::Digest;
use replug::watch::Files;

use crate::run::Run;
use crate::world::MS;

impl Run<'_> {
    pub fn judge_end(&mut self) {
        for path in &self.scenario.artifacts {
            self.judge_final_state(path);
            self.judge_order(path);
            self.judge_removal(path);
        }
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

    /// Judges that a removal was said: of the library itself, or of the whole directory. Behind another device than
    /// before, it cannot be told from a filesystem that is not mounted.
    fn judge_removal(&self, path: &Path) {
        let is_removed = self.state().world.absences[path].is_gone();
        let is_missed = self.owner.live.contains_key(path);
        let either = [path, &self.scenario.path];
        let is_said = either.iter().any(|path| self.owner.missing.contains(*path));
        let is_doubted = self.is_on_another_device()
            && either
                .iter()
                .any(|path| self.owner.degraded.contains_key(*path));
        if is_removed && is_missed && !is_said && !is_doubted {
            self.violate(format!(
                "gone: {} was removed, and nobody said so",
                path.display()
            ));
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
        let known = &self.poller.place().filesystem;
        if let Ok(filesystem) = self.client.filesystem(&self.scenario.path)
            && filesystem.name != *known
        {
            self.violate(format!(
                "place: known to be on {known}, and is on {}",
                filesystem.name
            ));
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

    fn is_on_another_device(&self) -> bool {
        matches!(self.scenario.detached, Some((_, _, device)) if device != 1)
    }

    /// Whether a library that was there is hidden by a mount to the end, or the filesystem was mounted from another
    /// device without it: that cannot be told from a filesystem that is not mounted.
    fn is_mount_lost(&self) -> bool {
        let state = self.state();
        let mut artifacts = self.scenario.artifacts.iter();
        artifacts.any(|path| {
            let absences = &state.world.absences[path];
            let is_removed = absences.is_gone() && !self.is_on_another_device();
            absences.was_there() && state.world.content(path).is_none() && !is_removed
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
