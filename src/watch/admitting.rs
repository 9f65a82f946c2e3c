//! How a build is admitted, or refused, by the checks of a person.

use std::path::Path;
use std::sync::Arc;

use replug_plugin::HookError;
use replug_plugin::shown::shown;

use super::followed::Followed;
use super::refused::Refused;
use super::shared::Shared;
use crate::admission::{Admitted, follows};
use crate::error::Error;
use crate::look::clock::Clock;
use crate::look::digest::Digest;
use crate::look::files::Files;
use crate::look::text;
use crate::measures;
use crate::stage::copies::Stage;

impl<F: Files, S: Stage, C: Clock> Shared<F, S, C> {
    /// Asks the checks about bytes that were read from `path`: those of the artifact, or of a library that it brings along.
    pub(super) fn ask(&self, path: &Path, digest: Digest) -> Result<Admitted, HookError> {
        let checks = &self.rules.options.checks;
        let texts = |path: &Path| text::read(&self.files, path);
        checks.ask(path, digest, &texts)
    }

    /// Checks that a build is not older than what is live, by their signatures, unless somebody has asked for it.
    pub(super) fn compare(
        &self,
        artifact: &Path,
        digest: Digest,
        admitted: &Admitted,
    ) -> Result<(), HookError> {
        if self.is_asked_for(artifact, digest) {
            return Ok(());
        }
        follows(self.standing(artifact).as_deref(), admitted.comment())
    }

    /// What the signature of the live build says, or of the one that was live when the last run ended.
    fn standing(&self, artifact: &Path) -> Option<String> {
        self.standings.of(artifact).or_else(|| {
            let store = self.open_store()?;
            let own = store.history().standing(artifact)?.parts()?.own;
            let checks = &self.rules.options.checks;
            checks.comment_of(&store.signature(own).ok()?)
        })
    }

    /// Whether somebody has asked for this build, whatever its version.
    pub(super) fn is_asked_for(&self, artifact: &Path, own: Digest) -> bool {
        let history = self.open_store().map(|store| store.history());
        self.rules.options.checks.allows_downgrade()
            || history.is_some_and(|history| history.is_asked_for(artifact, own))
    }
}

impl<F: Files, S: Stage, C: Clock> Followed<'_, F, S, C> {
    /// Asks the checks about bytes that were read from `path`, and takes down what they refuse.
    pub(super) fn admit(&mut self, path: &Path, digest: Digest) -> Result<Admitted, Error> {
        let asked = self.shared.ask(path, digest);
        // Of the artifact it is not known yet what is live.
        if let Ok(admitted) = &asked
            && *path != *self.artifact.path
        {
            self.note_admitted(path, digest, admitted);
        }
        asked.map_err(|source| self.refused(path, digest, source))
    }

    /// Compares the artifact, whose bytes the checks have let in, with what is live.
    pub(super) fn admit_after_live(
        &mut self,
        digest: Digest,
        admitted: &Admitted,
    ) -> Result<(), Error> {
        let path = Arc::clone(&self.artifact.path);
        let compared = self.shared.compare(&path, digest, admitted);
        compared.map_err(|source| self.refused(&path, digest, source))?;
        self.note_admitted(&path, digest, admitted);
        Ok(())
    }

    /// Notes that bytes may run, if anybody was asked.
    fn note_admitted(&self, path: &Path, digest: Digest, admitted: &Admitted) {
        if self.shared.rules.options.checks.is_none() {
            return;
        }
        measures::admission(path, true);
        tracing::info!(
            artifact = %shown(path),
            digest = %digest,
            signature = admitted.comment().map(|it| tracing::field::display(shown(it))),
            "a build may run"
        );
    }

    fn refused(&mut self, path: &Path, digest: Digest, source: HookError) -> Error {
        measures::admission(path, false);
        let now = self.shared.clock.now();
        self.artifact.refused = Some(Refused::new(path, digest, now));
        let path = path.to_owned();
        Error::Admission { path, source }
    }
}
