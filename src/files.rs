//! The two seams by which the world enters the first half: [`Files`] and [`Clock`]. Neither knows a policy;
//! a simulated filesystem and clock drive the very same [`Poller`](crate::Poller).

use std::borrow::Cow;
use std::ffi::OsStr;
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

/// How a path leads to its file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Route {
    /// The symbolic links on the way, each without a symbolic link before its name, in the order they are met.
    pub links: Vec<PathBuf>,
    /// What it leads to in the end, whether that is there or not.
    pub end: PathBuf,
}

/// The filesystem that a path is on, as far as the system tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filesystem {
    /// Its name, such as `ext4` or `nfs`; its magic number in hexadecimal if we have no name for it, and
    /// `unknown` where the system tells nothing.
    pub name: Cow<'static, str>,
    /// Who can change files there.
    pub locality: Locality,
    /// Whether probing a lock there can hang, so that the gate must not be asked.
    pub locks_can_hang: bool,
    /// Whether a fresh look at an open file can still be answered with what somebody remembers: the daemon of a FUSE
    /// mount, or the server. Then the content can be newer than the attributes, and only the content can show that
    /// it holds still.
    pub looks_can_lag: bool,
}

/// Whether all changes to files pass through this system's kernel, which then always answers with the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Locality {
    /// They do.
    Local,
    /// They do not, or nobody knows. What this system says may come out of a cache.
    Remote,
}

impl Filesystem {
    /// One that nothing is known of.
    pub fn unknown() -> Filesystem {
        Filesystem {
            name: Cow::Borrowed("unknown"),
            locality: Locality::Remote,
            locks_can_hang: false,
            looks_can_lag: true,
        }
    }
}

/// Everything a [`Poller`](crate::Poller) asks of the filesystem.
pub trait Files {
    /// An artifact, open for reading.
    type Artifact: Read;
    /// A private copy: written once, then read by vet, removed when dropped.
    type Staged: Read + Write + Seek;
    /// A directory, open for looking at what is in it.
    type Directory;

    /// Looks at what `path` leads to, symbolic links followed, as freshly as the filesystem allows.
    fn look(&self, path: &Path) -> io::Result<Snapshot>;

    /// The same of `path` itself, should it be a symbolic link.
    fn look_link(&self, path: &Path) -> io::Result<Snapshot>;

    /// Opens a directory, if that makes so many looks at what is in it cheaper. `None` also if it cannot be opened: the
    /// looks then say why.
    fn open_directory(&self, directory: &Path, looks: usize) -> Option<Self::Directory>;

    /// Looks as [`look`](Files::look) does, from an open directory. `path` begins with the path that was opened.
    fn look_from(&self, directory: &Self::Directory, path: &Path) -> io::Result<Snapshot>;

    /// Looks at an open artifact, as freshly as the filesystem allows.
    fn look_open(&self, artifact: &Self::Artifact) -> io::Result<Snapshot>;

    /// Reads the names in a directory to their end, in any order, and shows each to `each`. A client that keeps
    /// names asks its server anew for them.
    fn names(&self, directory: &Path, each: &mut dyn FnMut(&OsStr)) -> io::Result<()>;

    /// Lists the libraries in a directory, `depth` levels deep. All or nothing.
    fn list(&self, directory: &Path, depth: usize) -> io::Result<Listing>;

    /// Opens an artifact for reading, without ever waiting for a writer.
    fn open(&self, path: &Path) -> io::Result<Self::Artifact>;

    /// Lets go of what this system keeps of an artifact's content, so that the next reading asks for it anew.
    fn forget_content(&self, artifact: &Self::Artifact) -> io::Result<()>;

    /// How `path` leads to its file.
    fn route(&self, path: &Path) -> io::Result<Route>;

    /// Which filesystem `path`, or the nearest directory above it that exists, is on.
    fn filesystem(&self, path: &Path) -> io::Result<Filesystem>;

    /// Asks, without waiting and without leaving a trace, whether somebody holds a lock file.
    fn probe(&self, lock: &Path) -> io::Result<Lock>;

    /// Makes an empty private copy for `artifact`, under a name never used before.
    fn create_staged(&self, artifact: &Path) -> io::Result<Self::Staged>;

    /// A copy is complete and was read for the last time: holds nothing open that it does not need.
    /// A loader maps only its first `mapped` bytes.
    fn seal(&self, staged: &mut Self::Staged, mapped: u64);
}

/// A clock that never goes back.
pub trait Clock {
    /// What it shows.
    fn now(&self) -> Instant;
}
