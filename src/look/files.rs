//! The filesystem that is watched, as a seam: [`Files`] is all that the first half asks of it. No policy is in here; a
//! simulated filesystem drives the very same [`Poller`](crate::watch::Poller).

use std::borrow::Cow;
use std::ffi::OsStr;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::holder::Holder;
use super::rights::{Rights, Standing};
use super::snapshot::{Kind, Snapshot};

/// The state of one lock file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// There is no such file.
    Absent,
    /// Nobody holds it exclusively.
    Free,
    /// Somebody holds it exclusively.
    Held,
}

/// The writers of an open file, as far as the system tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Writers {
    /// Nobody has the file open for writing, or mapped so that the mapping can be written to.
    Nobody,
    /// Somebody has.
    Somebody,
    /// Nobody knows.
    Unknown,
}

/// The listing of a directory: the wanted files and directories in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// The files, by name, in order.
    pub files: Vec<PathBuf>,
    /// The directories that were searched below the one asked for.
    pub directories: Vec<PathBuf>,
    /// Those of them whose names could not be read. Nobody knows what is in them.
    pub unlisted: Vec<Unlisted>,
}

/// A directory whose names could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unlisted {
    /// The directory.
    pub directory: PathBuf,
    /// What the system said.
    pub reason: io::ErrorKind,
}

/// The route of a path: the symbolic links by which the path leads to its file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Route {
    /// The symbolic links on the way, in the order in which they are met. The directories in the path of each link
    /// are real: no symbolic link is left in front of its name.
    pub links: Vec<PathBuf>,
    /// The path at the end of the route, whether a file is there or not.
    pub end: PathBuf,
}

/// The filesystem that a path is on, as far as the system tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filesystem {
    /// The filesystem's name, such as `ext4` or `nfs`; its magic number in hexadecimal if we have no name for that,
    /// and `unknown` where the system tells nothing.
    pub name: Cow<'static, str>,
    /// Where changes to files there can come from.
    pub locality: Locality,
    /// Whether probing a lock there can hang, so that the gate must not be asked.
    pub locks_can_hang: bool,
    /// Whether a fresh look at an open file can still be answered from somebody's memory: that of the daemon of a
    /// FUSE mount, or of the server. Then the content can be newer than the attributes, and only the content can show
    /// that the file holds still.
    pub looks_can_lag: bool,
    /// What makes a client there ask for the names on the way to a file.
    pub names: Names,
    /// Whether the system's word holds that nobody writes to a file there.
    pub tells_writers: bool,
}

/// What makes the client of a remote filesystem, which remembers names, ask its server for them anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Names {
    /// Each look does: the server, or the daemon of the mount, is given the whole path. Only the names in the file's
    /// own directory are asked for.
    ByPath,
    /// A look at a directory does: the client then finds that names in the directory have changed.
    ByLook,
    /// Only reading the names in a directory does.
    ByListing,
}

/// Where changes come from: whether all changes to files pass through this system's kernel, which then always answers
/// with the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Locality {
    /// All changes pass through this system's kernel.
    Local,
    /// Some changes do not, or nobody knows. The answers of this system may come out of a cache.
    Remote,
}

impl Locality {
    /// One word for it: for programs.
    pub fn word(self) -> &'static str {
        match self {
            Locality::Local => "local",
            Locality::Remote => "remote",
        }
    }
}

impl Filesystem {
    /// A filesystem that nothing is known of.
    pub fn unknown() -> Filesystem {
        Filesystem {
            name: Cow::Borrowed("unknown"),
            locality: Locality::Remote,
            locks_can_hang: false,
            looks_can_lag: true,
            names: Names::ByListing,
            tells_writers: false,
        }
    }
}

/// Whether an error says that a path leads nowhere, as opposed to a path that cannot be followed.
pub(crate) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// Everything that a [`Poller`](crate::watch::Poller) asks of the filesystem that it watches.
///
/// A filesystem of a test need only answer the first five. The others have the answers of one without symbolic links,
/// locks and caches.
pub trait Files {
    /// An artifact, open for reading.
    type Artifact: Read;
    /// A directory, open for looks at the files in it.
    type Directory;

    /// Looks at what `path` leads to, symbolic links followed, as freshly as the filesystem allows.
    fn look(&self, path: &Path) -> io::Result<Snapshot>;

    /// Looks at an open artifact, as freshly as the filesystem allows.
    fn look_open(&self, artifact: &Self::Artifact) -> io::Result<Snapshot>;

    /// Opens an artifact for reading, without ever waiting for a writer.
    fn open(&self, path: &Path) -> io::Result<Self::Artifact>;

    /// Reads all the names in a directory, in any order, and shows each name to `each`. A network filesystem's client
    /// that remembers names asks its server for them anew.
    fn names(&self, directory: &Path, each: &mut dyn FnMut(&OsStr)) -> io::Result<()>;

    /// Lists a directory, `depth` levels deep, as far as `is_wanted` says so by name and kind: a file that is not
    /// wanted is left out, a directory that is not wanted is not entered. It fails as a whole, but for directories below
    /// that cannot be listed: these are named in the listing.
    fn list(
        &self,
        directory: &Path,
        depth: usize,
        is_wanted: &dyn Fn(&OsStr, Kind) -> bool,
    ) -> io::Result<Listing>;

    /// The path that `path` stands for now, wherever the process goes afterwards: the path itself, unless it is relative.
    fn absolute(&self, path: &Path) -> io::Result<PathBuf> {
        Ok(path.to_owned())
    }

    /// Whether looks are less fresh than they should be, because the system refuses the call that they take.
    fn has_plain_looks(&self) -> bool {
        false
    }

    /// Makes a client that remembers names ask its server for the last name in `path`, whether there is such a name or
    /// not, and changes nothing. A client that cannot be asked so is asked by [`names`](Files::names).
    fn ask_for_name(&self, _path: &Path) {}

    /// Looks at `path` itself, should it be a symbolic link.
    fn look_link(&self, path: &Path) -> io::Result<Snapshot> {
        self.look(path)
    }

    /// Opens a directory, if that makes so many looks at its files cheaper. `None` also if the directory cannot be
    /// opened: the looks then say why.
    fn open_directory(&self, _directory: &Path, _looks: usize) -> Option<Self::Directory> {
        None
    }

    /// Looks at `path` from an open directory, as [`look`](Files::look) does. `path` begins with the directory's own
    /// path.
    fn look_from(&self, _directory: &Self::Directory, path: &Path) -> io::Result<Snapshot> {
        self.look(path)
    }

    /// Drops the content that this system keeps of an artifact, so that the next reading asks for the content anew.
    fn forget_content(&self, _artifact: &Self::Artifact) -> io::Result<()> {
        Ok(())
    }

    /// The route by which `path` leads to its file.
    fn route(&self, path: &Path) -> io::Result<Route> {
        Ok(Route {
            links: Vec::new(),
            end: path.to_owned(),
        })
    }

    /// The filesystem that `path` is on, or that the nearest directory above it is on that exists.
    fn filesystem(&self, _path: &Path) -> io::Result<Filesystem> {
        Ok(Filesystem::unknown())
    }

    /// The filesystem that is mounted where `path` is spelled to be, as far as that is known without touching the
    /// filesystem, which may not answer.
    fn mounted(&self, _path: &Path) -> Option<Filesystem> {
        None
    }

    /// The rights at everything by which `path` leads to an open artifact, from the root of the filesystem on: at each
    /// directory, at each symbolic link, and at last at the artifact as it was opened. Nothing where rights mean nothing.
    fn rights(&self, _artifact: &Self::Artifact, _path: &Path) -> io::Result<Vec<Rights>> {
        Ok(Vec::new())
    }

    /// The standing of this process among the owners of files.
    fn standing(&self) -> Standing {
        Standing {
            user: None,
            has_more_rights: false,
        }
    }

    /// Asks, without waiting and without leaving a trace, whether anybody could write to an open file.
    fn writers(&self, _artifact: &Self::Artifact) -> Writers {
        Writers::Unknown
    }

    /// The number of a process that has a file open for writing, if the system tells. Asked only once somebody has.
    fn opener(&self, _path: &Path) -> Option<u32> {
        None
    }

    /// Asks, without waiting and without leaving a trace, whether somebody holds a lock file. What is no regular file is
    /// no lock, and is not asked.
    fn probe(&self, _lock: &Path) -> io::Result<Lock> {
        Ok(Lock::Absent)
    }

    /// The process that holds a lock file exclusively, if the system tells. Asked only of a lock that was found held.
    fn holder(&self, _lock: &Path) -> Option<Holder> {
        None
    }
}
