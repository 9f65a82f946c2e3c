//! Files that give a sign of life at each question: a filesystem that answers slowly does not hang.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::pulse::Pulse;
use crate::look::files::{Files, Filesystem, Listing, Lock, Route, Writers};
use crate::look::holder::Holder;
use crate::look::rights::{Rights, Standing};
use crate::look::snapshot::{Kind, Snapshot};

/// Files, and the pulse of the worker that asks them.
pub(super) struct Alive<F> {
    files: F,
    pulse: Arc<Pulse>,
}

impl<F> Alive<F> {
    pub(super) fn new(files: F, pulse: Arc<Pulse>) -> Alive<F> {
        Alive { files, pulse }
    }
}

impl<F: Files> Files for Alive<F> {
    type Artifact = F::Artifact;
    type Directory = F::Directory;

    fn look(&self, path: &Path) -> io::Result<Snapshot> {
        self.pulse.beat();
        self.files.look(path)
    }

    fn look_open(&self, artifact: &F::Artifact) -> io::Result<Snapshot> {
        self.pulse.beat();
        self.files.look_open(artifact)
    }

    fn open(&self, path: &Path) -> io::Result<F::Artifact> {
        self.pulse.beat();
        self.files.open(path)
    }

    fn names(&self, directory: &Path, each: &mut dyn FnMut(&OsStr)) -> io::Result<()> {
        self.pulse.beat();
        self.files.names(directory, &mut |name| {
            self.pulse.beat();
            each(name);
        })
    }

    fn list(
        &self,
        directory: &Path,
        depth: usize,
        is_wanted: &dyn Fn(&OsStr, Kind) -> bool,
    ) -> io::Result<Listing> {
        self.pulse.beat();
        self.files.list(directory, depth, &|name, kind| {
            self.pulse.beat();
            is_wanted(name, kind)
        })
    }

    fn absolute(&self, path: &Path) -> io::Result<PathBuf> {
        self.files.absolute(path)
    }

    fn has_plain_looks(&self) -> bool {
        self.files.has_plain_looks()
    }

    fn ask_for_name(&self, path: &Path) {
        self.pulse.beat();
        self.files.ask_for_name(path);
    }

    fn look_link(&self, path: &Path) -> io::Result<Snapshot> {
        self.pulse.beat();
        self.files.look_link(path)
    }

    fn open_directory(&self, directory: &Path, looks: usize) -> Option<F::Directory> {
        self.pulse.beat();
        self.files.open_directory(directory, looks)
    }

    fn look_from(&self, directory: &F::Directory, path: &Path) -> io::Result<Snapshot> {
        self.pulse.beat();
        self.files.look_from(directory, path)
    }

    fn forget_content(&self, artifact: &F::Artifact) -> io::Result<()> {
        self.pulse.beat();
        self.files.forget_content(artifact)
    }

    fn route(&self, path: &Path) -> io::Result<Route> {
        self.pulse.beat();
        self.files.route(path)
    }

    fn filesystem(&self, path: &Path) -> io::Result<Filesystem> {
        self.pulse.beat();
        self.files.filesystem(path)
    }

    fn mounted(&self, path: &Path) -> Option<Filesystem> {
        self.files.mounted(path)
    }

    fn rights(&self, artifact: &F::Artifact, path: &Path) -> io::Result<Vec<Rights>> {
        self.pulse.beat();
        self.files.rights(artifact, path)
    }

    fn standing(&self) -> Standing {
        self.files.standing()
    }

    fn writers(&self, artifact: &F::Artifact) -> Writers {
        self.pulse.beat();
        self.files.writers(artifact)
    }

    fn opener(&self, path: &Path) -> Option<u32> {
        self.pulse.beat();
        self.files.opener(path)
    }

    fn probe(&self, lock: &Path) -> io::Result<Lock> {
        self.pulse.beat();
        self.files.probe(lock)
    }

    fn holder(&self, lock: &Path) -> Option<Holder> {
        self.pulse.beat();
        self.files.holder(lock)
    }
}
