//! What follows from where an artifact is: how it must be looked at to learn the truth.

use std::io;
use std::path::Path;

use crate::files::{Files, Locality};
use crate::snapshot::{Kind, Snapshot};

/// Whether to believe the system about which filesystem a path is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FsPolicy {
    /// Believe it; what it does not know counts as remote.
    #[default]
    Auto,
    /// Take it for local: one look per artifact and poll, and the interval is kept.
    Local,
    /// Take it for remote: list, open and look on each poll, and audit.
    Remote,
}

impl FsPolicy {
    /// What a path counts as that the system says is `found`.
    pub(crate) fn decide(self, found: Locality) -> Locality {
        match self {
            FsPolicy::Auto => found,
            FsPolicy::Local => Locality::Local,
            FsPolicy::Remote => Locality::Remote,
        }
    }
}

/// Looks once at what `path` leads to.
///
/// A remote filesystem's client answers a look at a path out of what it remembers of the name; opening the file is what
/// makes it ask (NFS calls that close-to-open consistency). It must have been made to ask for the names before.
pub(crate) fn look(files: &impl Files, path: &Path, locality: Locality) -> io::Result<Snapshot> {
    if locality == Locality::Local {
        return files.look(path);
    }
    match files.open(path) {
        Ok(artifact) => files.look_open(&artifact),
        // What cannot be opened need not be a file: a socket, say.
        Err(error) => match files.look(path) {
            Ok(snapshot) if snapshot.kind != Kind::File => Ok(snapshot),
            _ => Err(error),
        },
    }
}
