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

/// Why a stage directory cannot be used any longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loss {
    /// Its path leads nowhere, or elsewhere.
    Replaced,
    /// It belongs to the user whom this process ran as before.
    Former,
}

impl Loss {
    fn spelled(self) -> &'static str {
        match self {
            Loss::Replaced => "somebody removed or replaced",
            Loss::Former => "this process has no longer the rights of the owner of",
        }
    }
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
    /// The places for copies, the best first; never none. What has no room in one goes to the next.
    places: Vec<Place>,
    /// Whether a person chose the first place: then there is no going on elsewhere.
    is_chosen: bool,
    /// The parents to try when these places do not suffice.
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
        Ok(Room::beginning_in(place, is_chosen, further, can_map_code))
    }

    /// A room in memory only.
    ///
    /// # Errors
    ///
    /// If this system has no memory files.
    pub(super) fn in_memory() -> io::Result<Room> {
        match os::HAS_MEMORY_FILES {
            true => {
                let refuse = |_: &File| Err(ErrorKind::Unsupported.into());
                Ok(Room::beginning_in(
                    Place::Memory,
                    true,
                    VecDeque::new(),
                    refuse,
                ))
            }
            false => Err(ErrorKind::Unsupported.into()),
        }
    }

    fn beginning_in(
        place: Place,
        is_chosen: bool,
        further: VecDeque<PathBuf>,
        can_map_code: CanMapCode,
    ) -> Room {
        let all = all_of(&place);
        Room {
            current: Mutex::new(Current {
                places: vec![place],
                is_chosen,
                further,
                all,
            }),
            leaving: Mutex::default(),
            is_somebody_leaving: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
            can_map_code,
            process: Process::this(),
        }
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The place where copies are made now.
    pub(super) fn place(&self) -> Place {
        self.current().first()
    }

    fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::SeqCst)
    }

    /// An error if no copy may be made any more. Whoever makes a directory asks with the lock held, so that
    /// [`remove`](Room::remove) either sees that directory or was seen here.
    pub(super) fn check_open(&self) -> io::Result<()> {
        match self.is_closed() {
            true => Err(io::Error::other(
                "the stage was removed, for the program ends",
            )),
            false => Ok(()),
        }
    }

    /// Goes on from a directory that can no longer be used: to a new one beside it, under a name that nobody knew, or else
    /// elsewhere. Says where.
    pub(super) fn renew(&self, lost: &Arc<OwnedDirectory>, loss: Loss) -> io::Result<Place> {
        let mut current = self.current();
        self.check_open()?;
        let Some(at) = current.position(lost) else {
            return Ok(current.first());
        };
        let parent = lost.path().parent().unwrap_or(lost.path());
        let place = match try_in(parent, self.can_map_code) {
            Ok(Some(place)) => place,
            Err(error) if current.is_chosen => return Err(error.source),
            _ => {
                next_place(&mut current.further, self.can_map_code).map_err(|error| error.source)?
            }
        };
        tracing::warn!(
            "{} the stage directory `{}`; going on in {}",
            loss.spelled(),
            shown(lost.path()),
            place.spelled()
        );
        current.know(&place);
        current.places[at] = place.clone();
        Ok(place)
    }

    /// The place for a copy for which a directory has no room. Others may be small enough, so they are still made there
    /// first. `full` comes back if there is nowhere to go.
    pub(super) fn after(&self, full: &Arc<OwnedDirectory>, error: io::Error) -> io::Result<Place> {
        let mut current = self.current();
        self.check_open()?;
        let next = current.position(full).map_or(0, |at| at + 1);
        if let Some(place) = current.places.get(next) {
            return Ok(place.clone());
        }
        if current.is_chosen {
            return Err(error);
        }
        let Ok(place) = next_place(&mut current.further, self.can_map_code) else {
            return Err(error);
        };
        tracing::warn!(
            "cannot write to `{}`: {error}; what has no room there goes to {}",
            shown(full.path()),
            place.spelled()
        );
        current.know(&place);
        current.places.push(place.clone());
        Ok(place)
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
    fn first(&self) -> Place {
        self.places[0].clone()
    }

    fn position(&self, directory: &Arc<OwnedDirectory>) -> Option<usize> {
        let is_it =
            |place: &Place| matches!(place, Place::Directory(it) if Arc::ptr_eq(it, directory));
        self.places.iter().position(is_it)
    }

    /// Takes down the directory of a place, to remove it in the end.
    fn know(&mut self, place: &Place) {
        self.all.retain(|owned| owned.strong_count() > 0);
        self.all.extend(all_of(place));
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
    if let Err(error) = owned.try_with_a_file(can_map_code) {
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
    fn what_has_no_room_in_a_directory_goes_to_the_next_unless_the_directory_was_chosen() {
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
        let second = room.after(&first, full()).unwrap();
        let again = room.after(&first, full()).unwrap();
        assert_eq!(second.spelled(), again.spelled(), "the next large copy");
        assert!(second.spelled().contains("two"), "{second:?}");
        assert_eq!(room.path().unwrap(), first.path(), "small copies");

        let room = Room::new(Some(&parents[0]), parents.clone().into(), allow).unwrap();
        let Place::Directory(chosen) = room.place() else {
            panic!("not in a directory: {room:?}");
        };
        let error = room.after(&chosen, full()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull);
    }

    #[test]
    fn no_directory_is_made_in_a_room_that_was_removed() {
        let scratch = tempfile::tempdir().unwrap();
        let parents = ["one", "two"].map(|name| scratch.path().join(name));
        for parent in &parents {
            fs::create_dir(parent).unwrap();
        }
        let room = Room::new(None, parents.clone().into(), allow).unwrap();
        let Place::Directory(first) = room.place() else {
            panic!("not in a directory: {room:?}");
        };
        room.remove().unwrap();
        assert!(room.renew(&first, Loss::Replaced).is_err());
        assert!(room.after(&first, ErrorKind::StorageFull.into()).is_err());
        for parent in &parents {
            assert!(names_in(parent).is_empty(), "{parent:?}");
        }
    }
}
