//! What follows from where an artifact is: how it must be looked at to learn the truth.

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};

use crate::files::{Files, Filesystem, Locality};
use crate::gate::GatePolicy;
use crate::options::Options;
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

/// What `path` is on. What has no name is unknown.
pub(crate) fn filesystem(files: &impl Files, path: &Path) -> Filesystem {
    files.filesystem(path).unwrap_or_else(|error| {
        tracing::debug!(path = %path.display(), %error, "the filesystem has no name");
        Filesystem::unknown()
    })
}

/// Looks once at what `path` leads to.
///
/// A remote filesystem's client answers a look at a path out of what it remembers of the name; opening the file is what
/// makes it ask (NFS calls that close-to-open consistency). It must have been made to ask for the names before. Opening a
/// device can do something, and opening a pipe lets pass who waits for a reader: so what the last look did not say to be a
/// file is looked at first. An idle poll of a file asks no more for that.
pub(crate) fn look(
    files: &impl Files,
    path: &Path,
    locality: Locality,
    was_file: bool,
) -> io::Result<Snapshot> {
    if locality == Locality::Local {
        return files.look(path);
    }
    // That it is not found, or cannot be looked at, may be out of what is remembered: opening it will tell.
    if !was_file
        && let Ok(snapshot) = files.look(path)
        && snapshot.kind != Kind::File
    {
        return Ok(snapshot);
    }
    files.look_open(&files.open(path)?)
}

/// What a watched path was found to be on, and what follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// The name of the filesystem.
    pub filesystem: Cow<'static, str>,
    /// What it counts as.
    pub locality: Locality,
    /// What follows from that for the looks, for people.
    pub looks: &'static str,
    /// Whether the gate is asked.
    pub gate: GatePolicy,
    /// Why, for people.
    pub why: &'static str,
    /// The directory for staged copies; `None` if they are kept in memory.
    pub stage: Option<PathBuf>,
}

impl Watched {
    /// Whether looks can lag behind the content. Who calls a filesystem local vouches for them.
    pub(crate) fn can_lag(filesystem: &Filesystem, options: &Options) -> bool {
        filesystem.looks_can_lag && options.fs != FsPolicy::Local
    }

    /// What follows from the filesystem and the user's choices.
    pub(crate) fn on(filesystem: Filesystem, options: &Options) -> Watched {
        let locality = options.fs.decide(filesystem.locality);
        let looks = match (locality, Watched::can_lag(&filesystem, options)) {
            (Locality::Local, _) => {
                "one look at each library per poll; the directory is listed when it changes"
            }
            (Locality::Remote, false) => {
                "lists the directory and opens each library to look at it on each poll, and digests now and then \
                 what seems unchanged"
            }
            (Locality::Remote, true) => {
                "lists the directory and opens each library to look at it on each poll, reads twice what changed, and \
                 digests now and then what seems unchanged"
            }
        };
        let (gate, why) = match options.gate {
            GatePolicy::Off => (GatePolicy::Off, "switched off"),
            _ if filesystem.locks_can_hang => (
                GatePolicy::Off,
                "asking for a lock on this filesystem can hang",
            ),
            gate @ GatePolicy::Auto => (gate, "waits while a cargo build holds its lock"),
            gate @ GatePolicy::Require => (gate, "waits until cargo's lock is there and open"),
        };
        Watched {
            filesystem: filesystem.name,
            locality,
            looks,
            gate,
            why,
            stage: None,
        }
    }
}
