//! How an artifact is judged by who could have written it, while it is open, and how that is said.

use std::io;
use std::path::Path;

use super::followed::Followed;
use crate::decide::settle::Order;
use crate::decide::trouble::{Cause, Reached};
use crate::decide::trust::{self, Distrust};
use crate::error::Error;
use crate::look::clock::Clock;
use crate::look::files::Files;
use crate::look::rights::Rights;
use crate::options::Trust;
use crate::stage::copies::Stage;
use crate::warning::Warning;

/// An artifact that was judged: the rights at everything on the way to it, and what is wrong with them.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    way: Vec<Rights>,
    distrust: Option<Distrust>,
    is_refused: bool,
}

impl Judged {
    /// Judges an open artifact, by the choice of a person.
    pub(crate) fn of<F: Files>(
        files: &F,
        artifact: &F::Artifact,
        path: &Path,
        chosen: Trust,
    ) -> io::Result<Judged> {
        let standing = files.standing();
        let trust = trust::in_force(chosen, standing);
        if trust == Trust::Off {
            return Ok(Judged::default());
        }
        let way = files.rights(artifact, path)?;
        let distrust = trust::judge(&way, standing, chosen).err();
        let is_refused = distrust.is_some() && trust == Trust::Strict;
        Ok(Judged {
            way,
            distrust,
            is_refused,
        })
    }

    /// Whether the artifact is to be kept out.
    pub(crate) fn is_refused(&self) -> bool {
        self.is_refused
    }

    /// What is wrong with the rights, if anything is.
    pub(crate) fn into_distrust(self) -> Option<Distrust> {
        self.distrust
    }
}

impl<F: Files, S: Stage, C: Clock> Followed<'_, F, S, C> {
    /// Keeps an artifact out that was refused. Other rights at a directory change nothing that a look at the artifact can
    /// see, so the artifact is judged again as whatever has failed is tried again.
    pub(super) fn keep_out_distrusted(&mut self, judged: Judged) -> Order {
        if let Some(source) = judged.distrust {
            let (cause, path) = (Cause::Distrust(source.number()), self.path());
            self.fail(Reached::Trust, cause, Error::Trust { path, source });
        }
        self.artifact.tracker.failed(self.shared.clock.now())
    }

    /// Says what is wrong with the rights of an artifact that is used all the same, as far as nobody has said it.
    pub(super) fn warn_of_distrust(&mut self, judged: &Judged) {
        let Judged { way, distrust, .. } = judged;
        let said = &mut self.shared.distrusted;
        if let Some(news) = said.news(&self.artifact.path, way, distrust.as_ref()) {
            let warning = Warning::Trust(news);
            self.unwarn(warning.about());
            self.warn(warning);
        }
    }
}
