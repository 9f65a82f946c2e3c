//! The files of this machine, with somebody who hears what is asked of them.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use replug::{Files, Filesystem, Listing, Locality, Lock, OsFiles, Route, Snapshot};

/// What was asked of the filesystem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    Look(PathBuf),
    OpenDirectory(PathBuf, usize),
    LookFrom(PathBuf),
    LookLink(PathBuf),
    LookOpen,
    Names(PathBuf),
    List(PathBuf),
    Open(PathBuf),
    ForgetContent,
    Route(PathBuf),
    Filesystem(PathBuf),
    Probe(PathBuf),
    CreateStaged,
}

/// Tells `hear` of everything before it is done; what is asked waits for that.
pub struct Spy<H> {
    files: OsFiles,
    hear: H,
    /// Added to the number of each device, as if something else were mounted there.
    pub mounted: Arc<AtomicU64>,
    /// Whether each look gets another inode number, as some daemons give them.
    pub makes_numbers_up: bool,
    looks: AtomicU64,
    /// What is on NFS from when it exists on, as if it were mounted then.
    pub on_nfs: Option<PathBuf>,
}

impl<H: Fn(Asked)> Spy<H> {
    pub fn on(files: OsFiles, hear: H) -> Spy<H> {
        Spy {
            files,
            hear,
            mounted: Arc::default(),
            makes_numbers_up: false,
            looks: AtomicU64::new(0),
            on_nfs: None,
        }
    }

    fn as_mounted(&self, seen: io::Result<Snapshot>) -> io::Result<Snapshot> {
        seen.map(|seen| Snapshot {
            device: seen.device + self.mounted.load(Ordering::Relaxed),
            inode: match self.makes_numbers_up {
                true => self.looks.fetch_add(1, Ordering::Relaxed),
                false => seen.inode,
            },
            ..seen
        })
    }
}

impl<H: Fn(Asked)> Files for Spy<H> {
    type Artifact = <OsFiles as Files>::Artifact;
    type Staged = <OsFiles as Files>::Staged;
    type Directory = <OsFiles as Files>::Directory;

    fn look(&self, path: &Path) -> io::Result<Snapshot> {
        (self.hear)(Asked::Look(path.to_owned()));
        self.as_mounted(self.files.look(path))
    }

    fn open_directory(&self, directory: &Path, looks: usize) -> Option<Self::Directory> {
        (self.hear)(Asked::OpenDirectory(directory.to_owned(), looks));
        self.files.open_directory(directory, looks)
    }

    fn look_from(&self, directory: &Self::Directory, path: &Path) -> io::Result<Snapshot> {
        (self.hear)(Asked::LookFrom(path.to_owned()));
        self.as_mounted(self.files.look_from(directory, path))
    }

    fn look_open(&self, artifact: &Self::Artifact) -> io::Result<Snapshot> {
        (self.hear)(Asked::LookOpen);
        self.as_mounted(self.files.look_open(artifact))
    }

    fn look_link(&self, path: &Path) -> io::Result<Snapshot> {
        (self.hear)(Asked::LookLink(path.to_owned()));
        self.as_mounted(self.files.look_link(path))
    }

    fn names(&self, directory: &Path, each: &mut dyn FnMut(&OsStr)) -> io::Result<()> {
        (self.hear)(Asked::Names(directory.to_owned()));
        self.files.names(directory, each)
    }

    fn list(&self, directory: &Path, depth: usize) -> io::Result<Listing> {
        (self.hear)(Asked::List(directory.to_owned()));
        self.files.list(directory, depth)
    }

    fn open(&self, path: &Path) -> io::Result<Self::Artifact> {
        (self.hear)(Asked::Open(path.to_owned()));
        self.files.open(path)
    }

    fn forget_content(&self, artifact: &Self::Artifact) -> io::Result<()> {
        (self.hear)(Asked::ForgetContent);
        self.files.forget_content(artifact)
    }

    fn route(&self, path: &Path) -> io::Result<Route> {
        (self.hear)(Asked::Route(path.to_owned()));
        self.files.route(path)
    }

    fn filesystem(&self, path: &Path) -> io::Result<Filesystem> {
        (self.hear)(Asked::Filesystem(path.to_owned()));
        let is_inside = |place: &&PathBuf| place.exists() && path.starts_with(place);
        match self.on_nfs.as_ref().filter(is_inside) {
            Some(_) => Ok(Filesystem {
                name: "nfs".into(),
                locality: Locality::Remote,
                locks_can_hang: true,
                looks_can_lag: false,
            }),
            None => self.files.filesystem(path),
        }
    }

    fn probe(&self, lock: &Path) -> io::Result<Lock> {
        (self.hear)(Asked::Probe(lock.to_owned()));
        self.files.probe(lock)
    }

    fn create_staged(&self, artifact: &Path) -> io::Result<Self::Staged> {
        (self.hear)(Asked::CreateStaged);
        self.files.create_staged(artifact)
    }

    fn seal(&self, staged: &mut Self::Staged, mapped: u64) {
        self.files.seal(staged, mapped);
    }
}
