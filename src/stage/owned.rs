//! A directory that belongs to one living process, and how other processes tell that its owner lives.
//!
//! The directory is called `replug-PID-START-RANDOM`. The first file in it is one that the owner keeps locked.
//! Process numbers mean nothing across containers, and locks nothing across some shared filesystems, so a directory
//! is swept only if both say that its owner is dead. The directory itself is locked too, for those who tidy.
//!
//! The directory is held open, and nothing in it is ever reached by its name: whoever removes it, and makes another of
//! that name, has another one.

use std::ffi::{OsStr, OsString};
use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::{Mutex, MutexGuard, PoisonError};

use replug_plugin::shown::shown;

use crate::look::naming::{stage_owner, stage_prefix};
use crate::look::os::{self, HeldDirectory};
use crate::look::process::Process;

const OWNER: &str = "owner";

/// How often a directory is made anew if a sweeper was faster. One sweeper meets one directory once.
const TRIES: usize = 100;

/// A directory of this process. Removed when dropped, with all that is in it.
#[derive(Debug)]
pub(super) struct OwnedDirectory {
    path: PathBuf,
    name: OsString,
    parent: HeldDirectory,
    held: HeldDirectory,
    /// The file that is kept locked, until the directory goes.
    owner: Mutex<Option<File>>,
    process: Process,
}

impl OwnedDirectory {
    /// Makes a directory in `parent`, under a name that nobody knows before.
    pub(super) fn make(parent: &Path) -> io::Result<OwnedDirectory> {
        let prefix = stage_prefix(process::id(), os::own_start());
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix);
        for _ in 0..TRIES {
            let made = builder.make_in(parent, |path| {
                let name = path.file_name().unwrap_or_default().to_owned();
                let parent = HeldDirectory::open(parent)?;
                let held = parent.make_private(&name)?;
                Ok((name, parent, held))
            })?;
            // A directory is removed by its descriptor, and not by tempfile.
            let ((name, parent, held), path) = made.keep().map_err(|failed| failed.error)?;
            if let Some(owner) = take_possession(&held)? {
                return Ok(OwnedDirectory {
                    path,
                    name,
                    parent,
                    held,
                    owner: Mutex::new(Some(owner)),
                    process: Process::this(),
                });
            }
        }
        Err(ErrorKind::ResourceBusy.into())
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Tries something with a file in the directory.
    pub(super) fn try_with_a_file(&self, test: fn(&File) -> io::Result<()>) -> io::Result<()> {
        self.owner().as_ref().map_or(Ok(()), test)
    }

    fn owner(&self) -> MutexGuard<'_, Option<File>> {
        self.owner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The directory's files, by its descriptor.
    pub(super) fn files(&self) -> &HeldDirectory {
        &self.held
    }

    /// Whether the directory's path still leads to it.
    pub(super) fn is_in_place(&self) -> bool {
        self.held.is_in(&self.parent, &self.name).unwrap_or(false)
    }

    /// Removes the directory with all that is in it, though somebody may be adding to it. Where libraries that are loaded
    /// cannot be removed, the directory stays with them until the next start sweeps it away.
    pub(super) fn remove(&self) -> io::Result<()> {
        /// The most tries. A worker can add a file while the directory is emptied, but not again and again.
        const TRIES: usize = 10;
        // A process that was forked closes its descriptor of the lock, and the lock is still the parent's.
        if self.process.is_another() {
            return Ok(());
        }
        let mut owner = self.owner();
        let mut removed = remove(&self.parent, &self.name, &self.held, &mut owner);
        for _ in 1..TRIES {
            match &removed {
                Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => {
                    removed = remove(&self.parent, &self.name, &self.held, &mut owner);
                }
                _ => break,
            }
        }
        match removed {
            Err(error) if os::stays_while_loaded(&error) => Ok(()),
            removed => removed.map(drop),
        }
    }
}

impl Drop for OwnedDirectory {
    fn drop(&mut self) {
        if let Err(error) = self.remove() {
            tracing::warn!(
                "cannot remove the stage directory `{}`: {error}",
                shown(&self.path)
            );
        }
    }
}

/// Empties a directory, and removes it if it still has this name in `parent`. Says whether that is done: `false` if what
/// is loaded stays.
///
/// The owner's file goes last, and only if all else went: a directory without one is taken for one that somebody is about
/// to own, and is never swept while something is in it. The name of that file goes before its lock, so that nobody can
/// lock it in between; the lock goes before the directory, in which an open file keeps its place on some systems.
fn remove(
    parent: &HeldDirectory,
    name: &OsStr,
    directory: &HeldDirectory,
    owner: &mut Option<File>,
) -> io::Result<bool> {
    /// How many files that stay are tried in vain. Each reload can have left one, and the program is about to end.
    const MOST_IN_VAIN: usize = 16;
    let mut in_vain = 0;
    let names = match directory.names() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
        names => names?,
    };
    for each in names {
        if each == OWNER {
            continue;
        }
        match absent_is_fine(directory.remove_file(&each)) {
            Err(error) if os::stays_while_loaded(&error) => in_vain += 1,
            removed => removed?,
        }
        if in_vain == MOST_IN_VAIN {
            break;
        }
    }
    if in_vain > 0 {
        return Ok(false);
    }
    absent_is_fine(directory.remove_file(OWNER.as_ref()))?;
    *owner = None;
    if directory.is_in(parent, name)? {
        absent_is_fine(parent.remove_directory(name))?;
    }
    Ok(true)
}

fn absent_is_fine(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Makes and locks the owner file of a new directory. `None` if a sweeper, who saw the directory before it was
/// locked, is removing it.
fn take_possession(directory: &HeldDirectory) -> io::Result<Option<File>> {
    match directory.mark_used() {
        Ok(true) => {}
        Ok(false) => return Ok(None),
        // NFS, for one. The file in the directory can be locked there.
        Err(error) => tracing::debug!("cannot lock a stage directory: {error}"),
    }
    let owner = match directory.make_file(OWNER.as_ref()) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        owner => owner?,
    };
    match owner.try_lock() {
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => {
            // Our process number and start time still tell that we live, to everybody who can see our process.
            tracing::debug!("cannot lock the owner's file of a stage directory: {error}");
        }
        Ok(()) => {}
    }
    // A sweeper that removed the directory before we had the lock has removed this file as well.
    match directory.open_file(OWNER.as_ref()) {
        Err(error) if os::is_being_removed(&error) => Ok(None),
        found => found.map(|_| Some(owner)),
    }
}

/// Removes the stage directories that dead processes of this user left in `parent`.
pub(super) fn sweep(parent: &Path) {
    // A directory that cannot be listed cannot be used either, and whoever tries to use it says so.
    let Ok(held) = HeldDirectory::open(parent) else {
        return;
    };
    for name in held.names().unwrap_or_default() {
        let Some((pid, start)) = stage_owner(&name) else {
            continue;
        };
        if os::is_running(pid, start) {
            continue;
        }
        let path = parent.join(&name);
        match remove_unowned(&held, &name) {
            Ok(true) => tracing::info!("removed `{}`, left by a dead process", shown(&path)),
            Ok(false) => {}
            Err(error) => tracing::debug!("cannot remove `{}`: {error}", shown(&path)),
        }
    }
}

/// Removes a stage directory of this user, unless its owner's lock says that the owner lives. Says whether it is
/// removed.
fn remove_unowned(parent: &HeldDirectory, name: &OsStr) -> io::Result<bool> {
    let directory = parent.private(name)?;
    let owner = match directory.open_file(OWNER.as_ref()) {
        // The owner died before making the file, or is about to make it. Only an empty directory goes this way.
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return parent.remove_directory(name).map(|()| true);
        }
        owner => owner?,
    };
    match owner.try_lock() {
        // The lock is held until its file has no name, so that an owner who is about to lock the file knows.
        Ok(()) => remove(parent, name, &directory, &mut Some(owner)),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::fs;

    use vocabulary::wait_until;

    use super::*;

    /// A directory as a process made it that has died since.
    fn leave(parent: &Path, name: &str) -> PathBuf {
        let parent_held = HeldDirectory::open(parent).unwrap();
        parent_held.make_private(name.as_ref()).unwrap();
        parent.join(name)
    }

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
            leave(scratch.path(), name);
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
        let directory = leave(scratch.path(), "replug-1-1-foreign");
        fs::create_dir(directory.join(OWNER)).unwrap();
        sweep(scratch.path());
        assert!(directory.exists());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn sweeping_does_not_wait_for_whoever_put_a_fifo_there() {
        use rustix::fs::{CWD, Mode, mkfifoat};
        let scratch = tempfile::tempdir().unwrap();
        let directory = leave(scratch.path(), "replug-1-1-foreign");
        mkfifoat(CWD, directory.join(OWNER), Mode::RWXU).unwrap();
        sweep(scratch.path());
        assert!(directory.exists());
    }

    #[test]
    fn a_directory_is_not_swept_while_its_owner_takes_possession() {
        let scratch = tempfile::tempdir().unwrap();
        let parent = HeldDirectory::open(scratch.path()).unwrap();
        let name = OsStr::new("replug-1-1-new");
        let made = parent.make_private(name).unwrap();
        assert!(
            remove_unowned(&parent, name).unwrap(),
            "nobody can tell it from what a dead owner left"
        );
        assert!(
            take_possession(&made).unwrap().is_none(),
            "so its owner must notice, and make another"
        );
        let made = parent.make_private(name).unwrap();
        let owner = take_possession(&made).unwrap().unwrap();
        assert!(!remove_unowned(&parent, name).unwrap());
        drop(owner);
        // A process that another test is starting has the file open for a moment.
        wait_until("the end of the lock", || {
            remove_unowned(&parent, name).unwrap()
        });
    }

    // Elsewhere a directory in which a file is open keeps its name.
    #[cfg(unix)]
    #[test]
    fn nothing_is_removed_from_a_directory_that_took_the_name() {
        let scratch = tempfile::tempdir().unwrap();
        let owned = OwnedDirectory::make(scratch.path()).unwrap();
        owned.files().make_file("libx.1.so".as_ref()).unwrap();
        let path = owned.path().to_owned();
        let elsewhere = scratch.path().join("elsewhere");
        fs::rename(&path, &elsewhere).unwrap();
        fs::create_dir(&path).unwrap();
        fs::write(path.join("libx.1.so"), "of somebody else").unwrap();
        assert!(!owned.is_in_place());
        drop(owned);
        assert_eq!(names_in(&path), ["libx.1.so"]);
        assert!(names_in(&elsewhere).is_empty(), "the copies are gone");
    }

    #[cfg(unix)]
    #[test]
    fn a_directory_that_others_can_enter_is_not_swept_and_no_link_is_followed() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let scratch = tempfile::tempdir().unwrap();
        let shared = scratch.path().join("replug-1-1-shared");
        fs::create_dir(&shared).unwrap();
        fs::set_permissions(&shared, fs::Permissions::from_mode(0o777)).unwrap();
        let left = scratch.path().join("left");
        fs::create_dir(&left).unwrap();
        fs::set_permissions(&left, fs::Permissions::from_mode(0o700)).unwrap();
        for directory in [&shared, &left] {
            fs::write(directory.join(OWNER), "").unwrap();
        }
        symlink("left", scratch.path().join("replug-1-1-link")).unwrap();
        sweep(scratch.path());
        for directory in [&shared, &left] {
            assert_eq!(names_in(directory), [OWNER]);
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_stage_directory_is_locked_for_those_who_tidy() {
        let scratch = tempfile::tempdir().unwrap();
        let owned = OwnedDirectory::make(scratch.path()).unwrap();
        let tidier = File::open(owned.path()).unwrap();
        assert!(matches!(tidier.try_lock(), Err(TryLockError::WouldBlock)));
        drop(owned);
        wait_until("the end of the lock", || tidier.try_lock().is_ok());
    }
}
