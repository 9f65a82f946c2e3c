//! The files of this machine, with somebody who hears what is asked of them.

use std::io;
use std::path::{Path, PathBuf};

use replug::{Files, Listing, Lock, OsFiles, Snapshot};

/// What was asked of the filesystem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    Look(PathBuf),
    LookOpen,
    List(PathBuf),
    Open(PathBuf),
    Resolve(PathBuf),
    Probe(PathBuf),
    CreateStaged,
}

/// Tells `hear` of everything before it is done; what is asked waits for that.
pub struct Spy<H> {
    files: OsFiles,
    hear: H,
}

impl<H: Fn(Asked)> Spy<H> {
    pub fn on(files: OsFiles, hear: H) -> Spy<H> {
        Spy { files, hear }
    }
}

impl<H: Fn(Asked)> Files for Spy<H> {
    type Artifact = <OsFiles as Files>::Artifact;
    type Staged = <OsFiles as Files>::Staged;

    fn look(&self, path: &Path) -> io::Result<Snapshot> {
        (self.hear)(Asked::Look(path.to_owned()));
        self.files.look(path)
    }

    fn look_open(&self, artifact: &Self::Artifact) -> io::Result<Snapshot> {
        (self.hear)(Asked::LookOpen);
        self.files.look_open(artifact)
    }

    fn list(&self, directory: &Path, depth: usize) -> io::Result<Listing> {
        (self.hear)(Asked::List(directory.to_owned()));
        self.files.list(directory, depth)
    }

    fn open(&self, path: &Path) -> io::Result<Self::Artifact> {
        (self.hear)(Asked::Open(path.to_owned()));
        self.files.open(path)
    }

    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        (self.hear)(Asked::Resolve(path.to_owned()));
        self.files.resolve(path)
    }

    fn probe(&self, lock: &Path) -> io::Result<Lock> {
        (self.hear)(Asked::Probe(lock.to_owned()));
        self.files.probe(lock)
    }

    fn create_staged(&self, artifact: &Path) -> io::Result<Self::Staged> {
        (self.hear)(Asked::CreateStaged);
        self.files.create_staged(artifact)
    }
}
