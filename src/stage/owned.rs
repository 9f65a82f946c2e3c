//! A directory that belongs to one living process, and how other processes tell that its owner lives.
//!
//! The directory is called `replug-PID-START-RANDOM`. The first file in it is one that the owner keeps locked.
//! Process numbers mean nothing across containers, and locks nothing across some shared filesystems, so a directory
//! is swept only if both say that its owner is dead.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::look::naming::{stage_owner, stage_prefix};
use crate::look::os;
use crate::look::process::Process;

const OWNER: &str = "owner";

/// How often a directory is made anew if a sweeper was faster. One sweeper meets one directory once.
const TRIES: usize = 100;

/// A directory of this process. Removed when dropped, with all that is in it.
#[derive(Debug)]
pub(super) struct OwnedDirectory {
    path: PathBuf,
    owner: Mutex<File>,
    process: Process,
}

impl OwnedDirectory {
    /// Makes a directory in `parent`.
    pub(super) fn make(parent: &Path) -> io::Result<OwnedDirectory> {
        let prefix = stage_prefix(process::id(), os::own_start());
        let mut builder = tempfile::Builder::new();
        os::make_private(builder.prefix(&prefix));
        for _ in 0..TRIES {
            let directory = builder.tempdir_in(parent)?;
            if let Some(owner) = take_possession(directory.path())? {
                return Ok(OwnedDirectory {
                    path: directory.keep(),
                    owner: Mutex::new(owner),
                    process: Process::this(),
                });
            }
        }
        Err(ErrorKind::ResourceBusy.into())
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn owner(&self) -> MutexGuard<'_, File> {
        self.owner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the directory again, under its name, after somebody removed it.
    pub(super) fn restore(&self) -> io::Result<()> {
        os::make_private_directory(&self.path)?;
        match take_possession(&self.path)? {
            Some(owner) => *self.owner() = owner,
            None => return Err(ErrorKind::ResourceBusy.into()),
        }
        tracing::warn!(
            "somebody removed the stage directory `{}`; it is made again",
            self.path.display()
        );
        Ok(())
    }
}

impl Drop for OwnedDirectory {
    fn drop(&mut self) {
        // A process that was forked closes its descriptor of the lock, and the lock is still the parent's.
        if self.process.is_another() {
            return;
        }
        match fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                tracing::warn!(
                    "cannot remove the stage directory `{}`: {error}",
                    self.path.display()
                );
            }
            _ => {}
        }
    }
}

/// Makes and locks the owner file of a new directory. `None` if a sweeper, who saw the directory before it was
/// locked, is removing it.
fn take_possession(directory: &Path) -> io::Result<Option<File>> {
    let path = directory.join(OWNER);
    let mut options = OpenOptions::new();
    let owner = match options.read(true).write(true).create_new(true).open(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        owner => owner?,
    };
    match owner.try_lock() {
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => {
            // Our process number and start time still tell that we live, to everybody who can see our process.
            tracing::debug!("cannot lock `{}`: {error}", path.display());
        }
        Ok(()) => {}
    }
    // A sweeper that removed the directory before we had the lock has removed this file as well.
    Ok(path.exists().then_some(owner))
}

/// Removes the stage directories that dead processes left in `parent`.
pub(super) fn sweep(parent: &Path) {
    // A directory that cannot be listed cannot be used either, and whoever tries to use it says so.
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let owner = stage_owner(&entry.file_name());
        let Some((pid, start)) = owner.filter(|_| is_directory) else {
            continue;
        };
        if os::is_running(pid, start) {
            continue;
        }
        match remove_unowned(&entry.path()) {
            Ok(true) => tracing::info!(
                "removed `{}`, left by a dead process",
                entry.path().display()
            ),
            Ok(false) => {}
            Err(error) => tracing::debug!("cannot remove `{}`: {error}", entry.path().display()),
        }
    }
}

/// Removes a stage directory unless its owner's lock says that the owner lives. Says whether it is removed.
fn remove_unowned(directory: &Path) -> io::Result<bool> {
    let owner = match os::open_own(&directory.join(OWNER)) {
        // The owner died before making the file, or is about to make it. Only an empty directory goes this way.
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return fs::remove_dir(directory).map(|()| true);
        }
        owner => owner?,
    };
    match owner.try_lock() {
        // The lock is held until the directory is gone, so that an owner who is about to lock the file knows.
        Ok(()) => fs::remove_dir_all(directory).map(|()| true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The names in a directory, in order.
    pub(in crate::stage) fn names_in(directory: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn what_the_dead_left_is_swept_and_what_the_living_use_is_not() {
        let scratch = tempfile::tempdir().unwrap();
        let start = os::own_start();
        let living = OwnedDirectory::make(scratch.path()).unwrap();
        let living_name = living
            .path()
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        // No system gives a process this number.
        let dead = format!("{}dead", stage_prefix(u32::MAX, start));
        // An owner in another container has a number that is unknown here, but its lock is seen.
        let elsewhere = format!("{}elsewhere", stage_prefix(u32::MAX, start));
        let foreign = "replug-notes".to_owned();
        for name in [&dead, &elsewhere, &foreign] {
            fs::create_dir(scratch.path().join(name)).unwrap();
        }
        fs::write(scratch.path().join(&dead).join("libx.1.so"), "left").unwrap();
        fs::write(scratch.path().join(&dead).join(OWNER), "").unwrap();
        let owner = File::create(scratch.path().join(&elsewhere).join(OWNER)).unwrap();
        owner.try_lock().unwrap();
        sweep(scratch.path());
        let mut left = vec![living_name, elsewhere, foreign];
        left.sort();
        assert_eq!(names_in(scratch.path()), left);
    }

    #[test]
    fn an_owner_file_that_is_no_file_is_left_alone() {
        let scratch = tempfile::tempdir().unwrap();
        let directory = scratch.path().join("replug-1-1-foreign");
        fs::create_dir_all(directory.join(OWNER)).unwrap();
        sweep(scratch.path());
        assert!(directory.exists());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn sweeping_does_not_wait_for_whoever_put_a_fifo_there() {
        use rustix::fs::{CWD, Mode, mkfifoat};
        let scratch = tempfile::tempdir().unwrap();
        let directory = scratch.path().join("replug-1-1-foreign");
        fs::create_dir(&directory).unwrap();
        mkfifoat(CWD, directory.join(OWNER), Mode::RWXU).unwrap();
        sweep(scratch.path());
        assert!(directory.exists());
    }

    #[test]
    fn a_directory_is_not_swept_while_its_owner_takes_possession() {
        let scratch = tempfile::tempdir().unwrap();
        let made = scratch.path().join("replug-1-1-new");
        fs::create_dir(&made).unwrap();
        assert!(
            remove_unowned(&made).unwrap(),
            "nobody can tell it from what a dead owner left"
        );
        assert!(
            take_possession(&made).unwrap().is_none(),
            "so its owner must notice, and make another"
        );
        fs::create_dir(&made).unwrap();
        let owner = take_possession(&made).unwrap().unwrap();
        assert!(!remove_unowned(&made).unwrap());
        drop(owner);
        assert!(remove_unowned(&made).unwrap());
    }
}
