//! How a build is admitted, or refused, by the checks of a person.

use std::path::Path;

use super::followed::Followed;
use super::refused::Refused;
use crate::error::Error;
use crate::look::clock::Clock;
use crate::look::digest::Digest;
use crate::look::files::Files;
use crate::look::text;
use crate::stage::copies::Stage;

impl<F: Files, S: Stage, C: Clock> Followed<'_, F, S, C> {
    /// Asks the checks about bytes that were read from `path`, and takes down what they refuse.
    pub(super) fn admit(&mut self, path: &Path, digest: Digest) -> Result<(), Error> {
        let checks = &self.shared.rules.options.checks;
        let texts = |path: &Path| text::read(&self.shared.files, path);
        let asked = checks.ask(path, digest, &texts);
        asked.map_err(|source| {
            let now = self.shared.clock.now();
            self.artifact.refused = Some(Refused::new(path, digest, now));
            let path = path.to_owned();
            Error::Admission { path, source }
        })
    }
}
