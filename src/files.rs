//! The two seams by which the world enters the first half: [`Files`] and [`Clock`]. Neither knows a policy;
//! a simulated filesystem and clock drive the very same [`Poller`](crate::Poller).

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use crate::gate::{self, Lock};
use crate::os;
use crate::scan::{self, Listing};
use crate::snapshot::Snapshot;
use crate::stage::{StageDirectory, Staged};

/// Everything a [`Poller`](crate::Poller) asks of the filesystem.
pub trait Files {
    /// An artifact, open for reading.
    type Artifact: Read;
    /// A private copy: written once, then read by vet, removed when dropped.
    type Staged: Read + Write + Seek;

    /// Looks at what `path` leads to, symbolic links followed, as freshly as the filesystem allows.
    fn look(&self, path: &Path) -> io::Result<Snapshot>;

    /// Looks at an open artifact.
    fn look_open(&self, artifact: &Self::Artifact) -> io::Result<Snapshot>;

    /// Lists the libraries in a directory, `depth` levels deep. All or nothing.
    fn list(&self, directory: &Path, depth: usize) -> io::Result<Listing>;

    /// Opens an artifact for reading, without ever waiting for a writer.
    fn open(&self, path: &Path) -> io::Result<Self::Artifact>;

    /// Asks, without waiting and without leaving a trace, whether somebody holds a lock file.
    fn probe(&self, lock: &Path) -> io::Result<Lock>;

    /// Makes an empty private copy for `artifact`, under a name never used before.
    fn create_staged(&self, artifact: &Path) -> io::Result<Self::Staged>;
}

/// A clock that never goes back.
pub trait Clock {
    /// What it shows.
    fn now(&self) -> Instant;
}

/// The filesystem of this machine.
#[derive(Debug, Clone)]
pub struct OsFiles {
    stage: Arc<StageDirectory>,
}

impl OsFiles {
    /// Files of this machine, staged into `stage`.
    pub fn new(stage: StageDirectory) -> OsFiles {
        OsFiles {
            stage: Arc::new(stage),
        }
    }
}

impl Files for OsFiles {
    type Artifact = File;
    type Staged = Staged;

    fn look(&self, path: &Path) -> io::Result<Snapshot> {
        os::look(path)
    }

    fn look_open(&self, artifact: &File) -> io::Result<Snapshot> {
        os::look_open(artifact)
    }

    fn list(&self, directory: &Path, depth: usize) -> io::Result<Listing> {
        scan::list(directory, depth)
    }

    fn open(&self, path: &Path) -> io::Result<File> {
        os::open(path)
    }

    fn probe(&self, lock: &Path) -> io::Result<Lock> {
        gate::probe(lock)
    }

    fn create_staged(&self, artifact: &Path) -> io::Result<Staged> {
        StageDirectory::create(&self.stage, artifact)
    }
}

/// The machine's monotonic clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct Monotonic;

impl Clock for Monotonic {
    fn now(&self) -> Instant {
        Instant::now()
    }
}

/// Looks once at what `path` leads to, as a [`Poller`](crate::Poller) on this machine's filesystem would.
///
/// # Errors
///
/// What the system says if there is nothing, or nothing that can be looked at.
pub fn look(path: &Path) -> io::Result<Snapshot> {
    os::look(path)
}
