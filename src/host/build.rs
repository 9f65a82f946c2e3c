//! A build, as the log names it: of which artifact, with which bytes, and the generation that it became.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use replug_plugin::shown::shown;

use crate::look::digest::Digest;

/// The build that a piece of work is about.
#[derive(Debug, Clone)]
pub(super) struct Build {
    artifact: Arc<Path>,
    /// The digest of the build's bytes.
    pub(super) digest: Digest,
    /// The number of the generation that the build became, if it did.
    pub(super) generation: Option<u64>,
}

impl Build {
    /// A build that is no generation yet.
    pub(super) fn of(artifact: &Arc<Path>, digest: Digest) -> Build {
        Build {
            artifact: Arc::clone(artifact),
            digest,
            generation: None,
        }
    }

    /// The build as a generation.
    pub(super) fn live_as(self, generation: u64) -> Build {
        let generation = Some(generation);
        Build { generation, ..self }
    }

    pub(super) fn path(&self) -> &Path {
        &self.artifact
    }

    /// The path of the artifact, for the log.
    pub(super) fn artifact(&self) -> impl fmt::Display {
        shown(&*self.artifact)
    }
}
