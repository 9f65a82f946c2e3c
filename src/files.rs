//! The two seams by which the world enters the first half: [`Files`] and [`Clock`]. Neither knows a policy;
//! a simulated filesystem and clock drive the very same [`Poller`](crate::Poller).

use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::snapshot::Snapshot;

/// What one lock file said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// There is no such file.
    Absent,
    /// Nobody holds it exclusively.
    Free,
    /// Somebody holds it exclusively.
    Held,
}

/// What a directory holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// The libraries, by name, in order.
    pub libraries: Vec<PathBuf>,
    /// The directories that were searched below the one asked for.
    pub directories: Vec<PathBuf>,
}

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

    /// Where `path` leads in the end, symbolic links followed.
    fn resolve(&self, path: &Path) -> io::Result<PathBuf>;

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
