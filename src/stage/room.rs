//! The room of a stage: the place where copies are made now, the places to go on to, and the copies that are to leave.
//! The worker makes and removes; an owner that lets go of a copy only leaves a note here.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, Weak};

use replug_plugin::shown::shown;

use super::owned::{OwnedDirectory, sweep};
use super::parents;
use crate::look::os::{self, Identity};
use crate::look::process::Process;

/// Tries whether code can be mapped from a file.
pub(super) type CanMapCode = fn(&File) -> io::Result<()>;

/// No directory for private copies could be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot make a stage directory in `{}`", shown(parent))]
pub struct StageError {
    /// Where the directory was to be.
    pub parent: PathBuf,
    /// The error of the system.
    pub source: io::Error,
}

/// Where copies are.
#[derive(Debug, Clone)]
pub(super) enum Place {
    Directory(Arc<OwnedDirectory>),
    Memory,
}

/// A copy that nobody needs any more.
#[derive(Debug)]
pub(super) struct Leaving {
    pub(super) place: Place,
    pub(super) path: PathBuf,
    /// What the file was when it was complete.
    pub(super) identity: Option<Identity>,
    /// Where the part of the file begins that no loader maps, if it is worth giving back.
    pub(super) unmapped_from: Option<u64>,
    /// The file, if it is open.
    pub(super) file: Option<File>,
}

/// The places of one stage, and what is to leave them.
#[derive(Debug)]
pub(super) struct Room {
    current: Mutex<Current>,
    leaving: Mutex<Vec<Leaving>>,
    /// Whether something is to leave: all that an idle poll asks.
    is_somebody_leaving: AtomicBool,
    is_closed: AtomicBool,
    can_map_code: CanMapCode,
    process: Process,
}

#[derive(Debug)]
struct Current {
    place: Place,
    /// Whether a person chose the place: then there is no going on elsewhere.
    is_chosen: bool,
    /// The parents to try when this place cannot be used any longer.
    further: VecDeque<PathBuf>,
    /// All directories that may still have copies in them.
    all: Vec<Weak<OwnedDirectory>>,
}

impl Room {
    /// A room in `chosen`, or in the first of `further` that can be used, or in memory.
    pub(super) fn new(
        chosen: Option<&Path>,
        mut further: VecDeque<PathBuf>,
        can_map_code: CanMapCode,
    ) -> Result<Room, StageError> {
        // A person named this directory, so a failure to make one in it is an error and not a reason to go on.
        let chosen = chosen.map(|chosen| try_in(chosen, can_map_code));
        let chosen = chosen.transpose()?.flatten();
        let is_chosen = chosen.is_some();
        let place = match chosen {
            Some(place) => place,
            None => next_place(&mut further, can_map_code)?,
        };
        let all = all_of(&place);
        Ok(Room {
            current: Mutex::new(Current {
                place,
                is_chosen,
                further,
                all,
            }),
            leaving: Mutex::default(),
            is_somebody_leaving: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
            can_map_code,
            process: Process::this(),
        })
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The place where copies are made now.
    pub(super) fn place(&self) -> Place {
        self.current().place.clone()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::SeqCst)
    }

    /// Goes on from a directory that was removed or replaced: to a new one beside it, under a name that nobody knew,
    /// or else elsewhere.
    pub(super) fn renew(&self, lost: &Arc<OwnedDirectory>) -> io::Result<()> {
        let mut current = self.current();
        if !current.is_in(lost) {
            return Ok(());
        }
        let parent = lost.path().parent().unwrap_or(lost.path());
        let place = match try_in(parent, self.can_map_code) {
            Ok(Some(place)) => place,
            Err(error) if current.is_chosen => return Err(error.source),
            _ => {
                next_place(&mut current.further, self.can_map_code).map_err(|error| error.source)?
            }
        };
        tracing::warn!(
            "somebody removed or replaced the stage directory `{}`; going on in {}",
            shown(lost.path()),
            place.spelled()
        );
        current.go_on_in(place);
        Ok(())
    }

    /// Goes on from a directory that has no room left. `full` comes back if there is nowhere to go.
    pub(super) fn leave(&self, lost: &Arc<OwnedDirectory>, full: io::Error) -> io::Result<()> {
        let mut current = self.current();
        if !current.is_in(lost) {
            return Ok(());
        }
        if current.is_chosen {
            return Err(full);
        }
        let Ok(place) = next_place(&mut current.further, self.can_map_code) else {
            return Err(full);
        };
        tracing::warn!(
            "cannot write to `{}`: {full}; going on in {}",
            shown(lost.path()),
            place.spelled()
        );
        current.go_on_in(place);
        Ok(())
    }

    /// Whether the room is that of the process from which this one was forked. The locks in it may be held by threads that
    /// are not here.
    pub(super) fn is_anothers(&self) -> bool {
        self.process.is_another()
    }

    /// Takes note of a copy that is to leave.
    pub(super) fn note(&self, leaving: Leaving) {
        self.leaving().push(leaving);
        self.is_somebody_leaving.store(true, Ordering::Release);
    }

    fn leaving(&self) -> MutexGuard<'_, Vec<Leaving>> {
        self.leaving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes the copies that are to leave. Nothing is asked of the system if there are none.
    pub(super) fn tidy(&self) {
        if !self.is_somebody_leaving.load(Ordering::Relaxed) || self.is_anothers() {
            return;
        }
        self.is_somebody_leaving.store(false, Ordering::Relaxed);
        let leaving = mem::take(&mut *self.leaving());
        leaving.into_iter().for_each(Leaving::remove);
    }

    /// The directory in which copies are made now, unless they are kept in memory.
    pub(super) fn path(&self) -> Option<PathBuf> {
        match self.place() {
            Place::Directory(owned) => Some(owned.path().to_owned()),
            Place::Memory => None,
        }
    }

    /// Removes all directories, and lets no copy be made any more.
    pub(super) fn remove(&self) -> io::Result<()> {
        self.is_closed.store(true, Ordering::SeqCst);
        let all = match self.current.try_lock() {
            Ok(current) => current.all.clone(),
            Err(TryLockError::Poisoned(current)) => current.into_inner().all.clone(),
            // The worker makes a directory, on a filesystem that may never answer. The next start sweeps.
            Err(TryLockError::WouldBlock) => return Err(ErrorKind::ResourceBusy.into()),
        };
        let living = all.iter().filter_map(Weak::upgrade);
        living.map(|owned| owned.remove()).fold(Ok(()), Result::and)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.tidy();
    }
}

impl Current {
    fn is_in(&self, directory: &Arc<OwnedDirectory>) -> bool {
        matches!(&self.place, Place::Directory(owned) if Arc::ptr_eq(owned, directory))
    }

    fn go_on_in(&mut self, place: Place) {
        self.all.retain(|owned| owned.strong_count() > 0);
        self.all.extend(all_of(&place));
        self.place = place;
    }
}

impl Place {
    fn spelled(&self) -> String {
        match self {
            Place::Directory(owned) => format!("`{}`", shown(owned.path())),
            Place::Memory => "memory".to_owned(),
        }
    }
}

fn all_of(place: &Place) -> Vec<Weak<OwnedDirectory>> {
    match place {
        Place::Directory(owned) => vec![Arc::downgrade(owned)],
        Place::Memory => Vec::new(),
    }
}

impl Leaving {
    /// Gives the room of the copy back, and removes its name. What a loader, a symbolizer or a debugger has mapped of
    /// it stays mapped, and keeps its size.
    fn remove(self) {
        let Place::Directory(owned) = &self.place else {
            // A file in memory goes when it is closed and unmapped.
            return drop(self.file);
        };
        if let Err(error) = self.give_back(owned) {
            tracing::debug!(staged = %shown(&self.path), %error, "what is not mapped stays with the rest");
        }
        if let Err(error) = owned.files().remove_file(self.name()) {
            // Windows keeps the file of a loaded library; the next start sweeps it away.
            tracing::debug!(staged = %shown(&self.path), %error, "the staged copy stays for now");
        }
    }

    fn name(&self) -> &OsStr {
        self.path.file_name().unwrap_or_default()
    }

    /// Gives back the part of the file that no loader maps: a removed file keeps its room on the disk for as long as it
    /// is mapped.
    fn give_back(&self, owned: &OwnedDirectory) -> io::Result<()> {
        let Some(from) = self.unmapped_from else {
            return Ok(());
        };
        let file = owned.files().open_file(self.name())?;
        // Nothing of another file is given away.
        match self.identity == Some(os::identity_of(&file)?) {
            true => os::give_back(&file, from),
            false => Ok(()),
        }
    }
}

/// The place in the first of `parents` that can be used, which is taken out of them; or in memory.
fn next_place(
    parents: &mut VecDeque<PathBuf>,
    can_map_code: CanMapCode,
) -> Result<Place, StageError> {
    let mut last = None;
    while let Some(parent) = parents.pop_front() {
        match try_in(&parent, can_map_code) {
            Ok(Some(place)) => return Ok(place),
            Ok(None) => {}
            Err(error) => {
                tracing::warn!("{error}: {}; trying the next place", error.source);
                last = Some(error);
            }
        }
    }
    if os::HAS_MEMORY_FILES {
        tracing::warn!("no directory can hold staged copies, so they are kept in memory");
        return Ok(Place::Memory);
    }
    Err(last.unwrap_or(StageError {
        parent: std::env::temp_dir(),
        source: ErrorKind::PermissionDenied.into(),
    }))
}

/// Makes a stage directory in `parent`; `None` if code cannot be mapped from there.
fn try_in(parent: &Path, can_map_code: CanMapCode) -> Result<Option<Place>, StageError> {
    let failed = |source| StageError {
        parent: parent.to_owned(),
        source,
    };
    let real = parents::fit(parent).map_err(failed)?;
    sweep(&real);
    let owned = OwnedDirectory::make(&real).map_err(failed)?;
    if let Err(error) = can_map_code(owned.owner()) {
        tracing::warn!(
            "cannot map code from `{}`: {error}; trying the next place",
            shown(parent)
        );
        return Ok(None);
    }
    Ok(Some(Place::Directory(Arc::new(owned))))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::stage::owned::tests::names_in;

    fn allow(_: &File) -> io::Result<()> {
        Ok(())
    }

    fn refuse(_: &File) -> io::Result<()> {
        Err(ErrorKind::PermissionDenied.into())
    }

    #[test]
    fn a_directory_that_cannot_map_code_is_passed_over() {
        let scratch = tempfile::tempdir().unwrap();
        assert!(try_in(scratch.path(), refuse).unwrap().is_none());
        assert!(
            names_in(scratch.path()).is_empty(),
            "the try leaves nothing"
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn memory_is_the_last_resort() {
        let scratch = tempfile::tempdir().unwrap();
        let parents = [scratch.path().to_owned(), PathBuf::from("/nowhere")];
        let room = Room::new(None, parents.into(), refuse).unwrap();
        assert!(matches!(room.place(), Place::Memory));
    }

    #[test]
    fn a_directory_without_room_is_left_for_the_next_and_a_chosen_one_is_not() {
        let scratch = tempfile::tempdir().unwrap();
        let parents = ["one", "two"].map(|name| scratch.path().join(name));
        for parent in &parents {
            fs::create_dir(parent).unwrap();
        }
        let full = || io::Error::from(ErrorKind::StorageFull);
        let room = Room::new(None, parents.clone().into(), allow).unwrap();
        let Place::Directory(first) = room.place() else {
            panic!("not in a directory: {room:?}");
        };
        room.leave(&first, full()).unwrap();
        room.leave(&first, full()).expect("it was left before");
        let second = room.path().unwrap();
        assert!(second.starts_with(parents[1].canonicalize().unwrap()));

        let room = Room::new(Some(&parents[0]), parents.clone().into(), allow).unwrap();
        let Place::Directory(chosen) = room.place() else {
            panic!("not in a directory: {room:?}");
        };
        let error = room.leave(&chosen, full()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull);
    }
}
