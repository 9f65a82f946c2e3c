//! The stage: where private copies live. One directory per process, readable by nobody else, gone when the process
//! is. The stage does not know what its copies hold.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::sync::{Arc, Weak};

use replug_plugin::shown::{is_hidden, shown, spelled};

use super::owned::OwnedDirectory;
use super::parents;
use super::pen::{Pen, PrivateCopy, Writing};
use super::room::{Leaving, Loss, Place, Room, StageError};
use crate::boundary;
use crate::look::os::{self, Identity};

/// Where private copies live, as a seam: all that a [`Poller`](crate::watch::Poller) asks of it.
pub trait Stage {
    /// A private copy: written once, then read by vet, removed after it was dropped.
    type Staged: PrivateCopy;

    /// Makes an empty private copy for `artifact`, under a name never used before.
    ///
    /// # Errors
    ///
    /// If there is no room, or no right.
    fn create(&self, artifact: &Path) -> io::Result<Self::Staged>;

    /// Makes an empty private copy, as [`create`](Stage::create) does, for an artifact of `size` bytes, where there is room
    /// for it.
    ///
    /// # Errors
    ///
    /// As [`create`](Stage::create).
    fn create_sized(&self, artifact: &Path, size: u64) -> io::Result<Self::Staged> {
        let _ = size;
        self.create(artifact)
    }

    /// The size, in bytes, of the largest copy that this process may write; `None` if any.
    fn largest_copy(&self) -> Option<u64> {
        None
    }

    /// Removes the copies that were dropped since the last time. Asked at the beginning of each poll, and before a copy
    /// is made, so that the owner of a copy never waits for its removal.
    fn tidy(&self) {}

    /// The means to remove the stage while its worker may still be at work.
    fn remover(&self) -> Remover {
        Remover::default()
    }
}

/// Numbers the copies of this process, so that no name is ever used twice. The loader takes a path it has seen
/// before for the library it loaded then.
static SERIAL: AtomicU64 = AtomicU64::new(1);

/// The largest page of memory, in bytes, on any system of today.
const LARGEST_PAGE: u64 = 64 * 1024;

/// The size, in bytes, of the largest copy that is kept in memory: more than the debug builds of large programs have,
/// and less than what ends processes on a machine of today.
const LARGEST_IN_MEMORY: u64 = 1 << 30;

/// How often a copy is tried to be made. Somebody can remove the directory again, but not again and again.
const TRIES: usize = 10;

/// A place for private copies from which code can be mapped.
///
/// A directory with mode 0700 in the user's runtime directory, in the temporary directory, or in a directory that the
/// user chose. Where none of them allows mapping code (`noexec`), the place is memory, on Linux. The directory is
/// removed when this and the last [`Staged`] in it are dropped. A copy that is dropped leaves the disk at the next
/// [`tidy`](Stage::tidy), or when the last clone of this is dropped.
#[derive(Debug, Clone)]
pub struct StageDirectory {
    keeper: Arc<Keeper>,
}

/// Whoever tidies the room. A copy that is dropped when nobody does so any more is removed at once.
#[derive(Debug)]
struct Keeper {
    room: Arc<Room>,
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // See the drop of a copy: one of the two sees what the other did.
        fence(Ordering::SeqCst);
        self.room.tidy();
    }
}

impl StageDirectory {
    /// Makes a stage directory in `chosen`, or in the first usable of the usual directories, and removes the stage
    /// directories that dead processes of this user left there. Usable is a directory from which code can be mapped,
    /// and in which nobody but this user and root can rename what is in it, or is on the way to it.
    ///
    /// A process that has more rights than the user who started it, and is still that user (a set-group-ID program), keeps
    /// its copies in memory, whatever is chosen.
    ///
    /// # Errors
    ///
    /// If `chosen` cannot hold a directory; or if no directory can hold one from which code can be mapped, and
    /// this system has no memory files.
    pub fn new(chosen: Option<&Path>) -> Result<StageDirectory, StageError> {
        let standing = os::standing(boundary::has_more_rights());
        let room = match standing.is_of_its_starter() {
            true => memory_instead_of(chosen)?,
            false => {
                let usual = parents::usual(standing.has_more_rights);
                Room::new(chosen, usual, boundary::can_map_code)?
            }
        };
        Ok(StageDirectory::in_room(room))
    }

    fn in_room(room: Room) -> StageDirectory {
        let room = Arc::new(room);
        StageDirectory {
            keeper: Arc::new(Keeper { room }),
        }
    }

    /// The directory in which copies are made now; `None` if they are kept in memory. If somebody removes the directory,
    /// or it is full, the stage goes on in another one.
    pub fn path(&self) -> Option<PathBuf> {
        self.keeper.room.path()
    }
}

impl Stage for StageDirectory {
    type Staged = Staged;

    fn create(&self, artifact: &Path) -> io::Result<Staged> {
        self.create_sized(artifact, 0)
    }

    fn create_sized(&self, artifact: &Path, size: u64) -> io::Result<Staged> {
        if self.keeper.room.is_anothers() {
            return Err(io::Error::other(
                "the stage is that of the process from which this one was forked; make a new one here",
            ));
        }
        let origin = Origin {
            stem: stem_of(artifact),
            size,
            room: Arc::clone(&self.keeper.room),
            keeper: Arc::downgrade(&self.keeper),
        };
        let place = self.keeper.room.place();
        Arc::new(origin).make(place)
    }

    fn largest_copy(&self) -> Option<u64> {
        os::largest_file()
    }

    fn tidy(&self) {
        self.keeper.room.tidy();
    }

    fn remover(&self) -> Remover {
        Remover(Arc::downgrade(&self.keeper.room))
    }
}

/// The means to remove a stage while its worker may still be at work, for a program that ends without waiting.
#[derive(Debug, Clone, Default)]
pub struct Remover(Weak<Room>);

impl Remover {
    /// The directory in which copies are made now; `None` if they are kept in memory, or are gone.
    pub fn path(&self) -> Option<PathBuf> {
        self.0.upgrade()?.path()
    }

    /// Removes all copies and their directories. No copy can be made after that.
    ///
    /// # Errors
    ///
    /// If something cannot be removed; the next start of a program with replug sweeps it away.
    pub fn remove(&self) -> io::Result<()> {
        self.0.upgrade().map_or(Ok(()), |room| room.remove())
    }
}

/// A room for a process whose files belong to the user who started it, and who lacks the process's rights: he could write
/// to a copy of his own on a disk after it was vetted, while what is sealed in memory is nobody's to change.
fn memory_instead_of(chosen: Option<&Path>) -> Result<Room, StageError> {
    if let Some(chosen) = chosen {
        tracing::warn!(
            "no copies are made in `{}`, for whoever started this process could write to them without having its rights; \
             they are kept in memory",
            shown(chosen)
        );
    }
    let failed = |source| StageError {
        parent: chosen.map_or_else(std::env::temp_dir, Path::to_owned),
        source,
    };
    Room::in_memory().map_err(failed)
}

/// The artifact's part of a copy's name, for whoever reads a backtrace or a process's mappings.
fn stem_of(artifact: &Path) -> String {
    /// The longest stem, in characters. Names have 255 bytes, of which the number and the extension need some, and a
    /// byte that is not text becomes three bytes.
    const LONGEST_STEM: usize = 64;
    let stem = spelled(artifact.file_stem().unwrap_or(artifact.as_os_str()));
    // The name is read in backtraces and in the words of the loader, where nothing spells it out.
    let readable = |letter: char| match is_hidden(letter) || letter == '\\' {
        true => '_',
        false => letter,
    };
    stem.chars().take(LONGEST_STEM).map(readable).collect()
}

/// What a copy is made of, and made again in another place if there is no room.
#[derive(Debug)]
struct Origin {
    stem: String,
    /// The size that the copy will have, in bytes; 0 if nobody knows.
    size: u64,
    room: Arc<Room>,
    keeper: Weak<Keeper>,
}

impl Origin {
    /// Makes an empty copy in `place`, or where else there is room for it.
    fn make(self: &Arc<Origin>, mut place: Place) -> io::Result<Staged> {
        for _ in 0..TRIES {
            match self.make_in(&place)? {
                Made::Copy(staged) => {
                    self.room.check_open()?;
                    return Ok(staged);
                }
                Made::Elsewhere(next) => place = next,
            }
        }
        Err(ErrorKind::ResourceBusy.into())
    }

    /// Makes an empty copy in a place, or says which other place is to be tried.
    fn make_in(self: &Arc<Origin>, place: &Place) -> io::Result<Made> {
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let name = OsString::from(format!(
            "{}.{serial}{}",
            self.stem,
            std::env::consts::DLL_SUFFIX
        ));
        let owned = match place {
            Place::Directory(owned) => owned,
            Place::Memory => {
                self.check_memory()?;
                let (file, path) = os::memory_file(c"replug", serial)?;
                return Ok(Made::Copy(self.staged(place, path, file)));
            }
        };
        if let Some(next) = self.roomier(owned) {
            return Ok(Made::Elsewhere(next));
        }
        let next = match owned.files().make_file(&name) {
            Ok(file) => {
                let path = owned.path().join(&name);
                let staged = self.staged(place, path, file);
                if owned.is_in_place() {
                    return Ok(Made::Copy(staged));
                }
                self.room.renew(owned, Loss::Replaced)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.room.renew(owned, Loss::Replaced)
            }
            // A service that was started as root, and is another user by now.
            Err(error) if error.kind() == ErrorKind::PermissionDenied && is_anothers(owned) => {
                self.room.renew(owned, Loss::Former)
            }
            Err(error) if is_full(&error) => self.room.after(owned, error),
            Err(error) => Err(error),
        };
        next.map(Made::Elsewhere)
    }

    /// The next place, if a directory says that it has less room than the copy needs: to fill it to its last byte first
    /// would harm others. Where there is no next place, the directory is tried all the same.
    fn roomier(&self, owned: &Arc<OwnedDirectory>) -> Option<Place> {
        let free = owned.files().free_space().ok()?;
        let lacks = free < self.size;
        lacks.then(|| self.room.after(owned, ErrorKind::StorageFull.into()).ok())?
    }

    /// Refuses a copy in memory that is too large for it.
    fn check_memory(&self) -> io::Result<()> {
        match self.size > LARGEST_IN_MEMORY {
            true => Err(io::Error::new(
                ErrorKind::StorageFull,
                NotInMemory(self.size),
            )),
            false => Ok(()),
        }
    }

    fn staged(self: &Arc<Origin>, place: &Place, path: PathBuf, file: File) -> Staged {
        Staged {
            file: Some(file),
            ends_in_hole: false,
            place: place.clone(),
            path,
            identity: None,
            unmapped_from: None,
            origin: Arc::clone(self),
        }
    }
}

/// The end of one try to make a copy.
enum Made {
    Copy(Staged),
    /// The place cannot be used for this copy; the next one to try.
    Elsewhere(Place),
}

/// A copy was to be made in memory, and is too large.
#[derive(Debug, thiserror::Error)]
#[error(
    "no directory has room for a copy of {0} bytes, and no more than {LARGEST_IN_MEMORY} bytes of one library are kept in \
     memory; choose a directory with more room for staged copies"
)]
struct NotInMemory(u64);

/// Whether a directory belongs to another user than the one whom this process acts for now.
fn is_anothers(owned: &OwnedDirectory) -> bool {
    matches!(owned.files().is_private(), Ok(false))
}

/// Whether an error says that there is no room left.
fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded
    )
}

/// One private copy of an artifact. Leaves the disk after it was dropped.
#[derive(Debug)]
pub struct Staged {
    /// The open file, until the copy is sealed; a copy in memory stays open for as long as it lives.
    file: Option<File>,
    /// Whether the zeros at the end were passed over, so that the file is still too short.
    ends_in_hole: bool,
    /// The place of the copy, which stays for as long as a copy is in it.
    place: Place,
    path: PathBuf,
    /// What the file was when it was sealed.
    identity: Option<Identity>,
    /// Where the part of the file begins that need not stay for a loaded image, if that is most of it: often most of a
    /// library is for debuggers.
    unmapped_from: Option<u64>,
    origin: Arc<Origin>,
}

impl Staged {
    /// The path by which the loader can open it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the path still leads to the file that was written and vetted.
    pub(crate) fn is_what_was_vetted(&self) -> bool {
        let open = self.file.as_ref();
        let vetted = self.identity.or_else(|| os::identity_of(open?).ok());
        vetted.is_some() && os::identity_at(&self.path).ok() == vetted
    }

    /// Makes the copy again in the next place, for here is no room for the rest of it.
    fn move_on(&mut self, full: io::Error) -> io::Result<()> {
        let Place::Directory(owned) = &self.place else {
            return Err(full);
        };
        let place = self.origin.room.after(owned, full)?;
        let mut next = self.origin.make(place)?;
        self.end_hole()?;
        self.rewind()?;
        io::copy(self, &mut Writing::begin(&mut next)?)?;
        *self = next;
        Ok(())
    }

    /// Makes the copy as long as what was written, if that ends with zeros.
    fn end_hole(&mut self) -> io::Result<()> {
        if mem::take(&mut self.ends_in_hole) {
            let file = self.open_file()?;
            let end = file.stream_position()?;
            file.set_len(end)?;
        }
        Ok(())
    }

    fn open_file(&mut self) -> io::Result<&mut File> {
        let sealed = || io::Error::other("the staged copy is sealed");
        self.file.as_mut().ok_or_else(sealed)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        let room = &self.origin.room;
        if room.is_anothers() {
            // The copy is the parent's, who may be about to load it.
            return;
        }
        room.note(Leaving {
            place: self.place.clone(),
            path: mem::take(&mut self.path),
            identity: self.identity,
            unmapped_from: self.unmapped_from,
            file: self.file.take(),
        });
        // The note must be seen by a keeper that is about to tidy for the last time, or the keeper's end be seen here.
        fence(Ordering::SeqCst);
        if self.origin.keeper.strong_count() == 0 {
            room.tidy();
        }
    }
}

/// Whether some bytes of a copy are passed over instead of written. Nothing was there before, so they read as zeros, and
/// take no room: a file that claims to be large fills no disk.
fn is_hole(bytes: &[u8]) -> bool {
    /// The fewest zeros that are worth it, in bytes: a block of most filesystems.
    const FEWEST: usize = 4096;
    static ZEROS: [u8; FEWEST] = [0; FEWEST];
    // Slices are compared by the system's `memcmp`, which is as fast in an unoptimised build.
    bytes.len() >= FEWEST
        && bytes
            .chunks(FEWEST)
            .all(|step| *step == ZEROS[..step.len()])
}

impl Read for Staged {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.open_file()?.read(buffer)
    }
}

impl PrivateCopy for Staged {
    fn append(&mut self, mut bytes: &[u8], _pen: &Pen) -> io::Result<()> {
        while !bytes.is_empty() {
            let file = self.open_file()?;
            if is_hole(bytes) {
                file.seek_relative(bytes.len() as i64)?;
                self.ends_in_hole = true;
                return Ok(());
            }
            match file.write(bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => {
                    self.ends_in_hole = false;
                    bytes = &bytes[written..];
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if is_full(&error) => self.move_on(error)?,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn finish(&mut self, _pen: &Pen) -> io::Result<()> {
        self.end_hole()
    }

    fn loadable(&self) -> Option<&Path> {
        Some(&self.path)
    }

    /// Closes the copy's file. Thousands of copies can be live at a time, and a process can have only so many files
    /// open.
    fn seal(&mut self, mapped: u64, _pen: &Pen) {
        let Some(file) = &self.file else {
            return;
        };
        self.identity = os::identity_of(file).ok();
        if matches!(self.place, Place::Memory) {
            if let Err(error) = os::seal_memory(file) {
                tracing::debug!(%error, "a copy in memory is not sealed");
            }
            return;
        }
        let length = file.metadata().map_or(0, |found| found.len());
        // To the end of a page, because the loader maps whole pages.
        let end = mapped.checked_next_multiple_of(LARGEST_PAGE);
        self.unmapped_from = end.filter(|end| *end < length / 2);
        self.file = None;
    }
}

impl Seek for Staged {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.open_file()?.seek(to)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    #[cfg(unix)]
    use crate::stage::owned::sweep;
    use crate::stage::owned::tests::names_in;

    fn stage_in(scratch: &Path) -> StageDirectory {
        StageDirectory::new(Some(scratch)).unwrap()
    }

    fn copy_in(stage: &StageDirectory) -> Staged {
        stage.create(Path::new("libx.so")).unwrap()
    }

    #[test]
    fn a_stage_directory_is_private_and_leaves_nothing_behind() {
        let scratch = tempfile::tempdir().unwrap();
        let stage = stage_in(scratch.path());
        let path = stage.path().unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(
                fs::metadata(&path).unwrap().permissions().mode() & 0o777,
                0o700
            );
        }
        let staged = copy_in(&stage);
        drop(stage);
        assert!(path.exists(), "a copy that is alive keeps its directory");
        drop(staged);
        assert!(names_in(scratch.path()).is_empty());
    }

    #[test]
    fn an_artifact_can_have_the_longest_name_there_is() {
        let scratch = tempfile::tempdir().unwrap();
        let stage = stage_in(scratch.path());
        for letter in ["x", "\u{1f980}"] {
            let name = format!("lib{}.so", letter.repeat(248 / letter.len()));
            stage.create(Path::new(&name)).unwrap();
        }
    }

    #[test]
    fn names_of_copies_are_never_used_twice() {
        let scratch = tempfile::tempdir().unwrap();
        let stage = stage_in(scratch.path());
        let first = copy_in(&stage);
        let first_path = first.path().to_owned();
        drop(first);
        assert_ne!(copy_in(&stage).path(), first_path);
    }

    #[test]
    fn a_copy_that_is_dropped_leaves_when_the_stage_is_tidied() {
        let scratch = tempfile::tempdir().unwrap();
        let stage = stage_in(scratch.path());
        let staged = copy_in(&stage);
        let path = staged.path().to_owned();
        drop(staged);
        assert!(path.exists(), "whoever drops a copy does not wait");
        stage.tidy();
        assert!(!path.exists());
    }

    #[test]
    fn a_copy_leaves_at_once_when_nobody_tidies_any_more() {
        let scratch = tempfile::tempdir().unwrap();
        let stage = stage_in(scratch.path());
        let [left, first, last] = [(); 3].map(|()| copy_in(&stage));
        let [left_path, first_path] = [&left, &first].map(|staged| staged.path().to_owned());
        drop(left);
        drop(stage);
        assert!(!left_path.exists(), "the last one to tidy has done so");
        drop(first);
        assert!(!first_path.exists());
        assert!(last.path().exists());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_copy_that_leaves_keeps_its_size_for_whoever_has_it_mapped() {
        const SIZE: usize = 1 << 20;
        let scratch = tempfile::tempdir().unwrap();
        let stage = stage_in(scratch.path());
        let mut staged = copy_in(&stage);
        staged.append(&vec![7; SIZE], &Pen::new()).unwrap();
        staged.seal(1, &Pen::new());
        let file = File::open(staged.path()).unwrap();
        drop(staged);
        stage.tidy();
        let mut content = Vec::new();
        (&file).read_to_end(&mut content).unwrap();
        assert_eq!(content.len(), SIZE);
        let (mapped, rest) = content.split_at(LARGEST_PAGE as usize);
        assert!(
            mapped.iter().all(|byte| *byte == 7),
            "what is mapped is whole"
        );
        assert!(rest.iter().all(|byte| *byte == 0), "the rest is given back");
    }

    #[test]
    fn a_chosen_directory_that_cannot_be_used_is_an_error() {
        let scratch = tempfile::tempdir().unwrap();
        let error = StageDirectory::new(Some(&scratch.path().join("nowhere"))).unwrap_err();
        let told = error.to_string();
        assert!(
            told.starts_with("cannot make a stage directory in"),
            "{told}"
        );
    }

    // Elsewhere a directory in which a file is open keeps its name.
    #[cfg(unix)]
    #[test]
    fn a_stage_directory_that_was_tidied_away_is_never_made_again_under_its_name() {
        let scratch = tempfile::tempdir().unwrap();
        let stage = stage_in(scratch.path());
        let first = stage.path().unwrap();
        let before = copy_in(&stage);
        fs::remove_dir_all(&first).unwrap();
        let staged = copy_in(&stage);
        assert!(!first.exists());
        assert!(staged.path().exists());
        sweep(scratch.path());
        assert!(
            staged.path().exists(),
            "and it is as much ours as the first one"
        );
        drop((before, stage, staged));
        assert!(names_in(scratch.path()).is_empty());
    }

    // Elsewhere a directory in which a file is open keeps its name.
    #[cfg(unix)]
    #[test]
    fn a_directory_that_took_the_name_of_a_stage_directory_is_not_used() {
        let scratch = tempfile::tempdir().unwrap();
        let stage = stage_in(scratch.path());
        let path = stage.path().unwrap();
        fs::rename(&path, scratch.path().join("elsewhere")).unwrap();
        fs::create_dir(&path).unwrap();
        let staged = copy_in(&stage);
        assert!(!staged.path().starts_with(&path));
        assert!(staged.path().exists());
        assert!(names_in(&path).is_empty());
    }

    #[test]
    fn a_file_that_took_the_name_of_a_copy_is_not_what_was_vetted() {
        let scratch = tempfile::tempdir().unwrap();
        let stage = stage_in(scratch.path());
        let mut staged = copy_in(&stage);
        staged.append(b"copy", &Pen::new()).unwrap();
        staged.seal(4, &Pen::new());
        assert!(staged.is_what_was_vetted());
        fs::rename(staged.path(), scratch.path().join("copy")).unwrap();
        assert!(!staged.is_what_was_vetted());
        fs::write(staged.path(), "evil").unwrap();
        assert!(!staged.is_what_was_vetted());
    }

    #[test]
    fn no_copy_is_made_after_the_stage_was_removed() {
        let scratch = tempfile::tempdir().unwrap();
        let stage = stage_in(scratch.path());
        let mut staged = copy_in(&stage);
        staged.seal(0, &Pen::new());
        stage.remover().remove().unwrap();
        assert!(names_in(scratch.path()).is_empty());
        assert!(stage.create(Path::new("libx.so")).is_err());
        assert!(names_in(scratch.path()).is_empty());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_copy_in_memory_is_sealed() {
        let refuse = |_: &File| Err(ErrorKind::PermissionDenied.into());
        let room = Room::new(None, [PathBuf::from("/nowhere")].into(), refuse).unwrap();
        let stage = StageDirectory::in_room(room);
        assert!(stage.path().is_none());
        let mut staged = copy_in(&stage);
        staged.append(b"copy", &Pen::new()).unwrap();
        staged.seal(4, &Pen::new());
        assert!(staged.is_what_was_vetted());
        assert!(fs::write(staged.path(), "evil").is_err());
        assert_eq!(fs::read(staged.path()).unwrap(), b"copy");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_copy_for_which_there_is_no_room_is_made_again_in_the_next_place() {
        let scratch = tempfile::tempdir().unwrap();
        let parents = [scratch.path().to_owned()].into();
        let stage = StageDirectory::in_room(Room::new(None, parents, |_| Ok(())).unwrap());
        let mut staged = copy_in(&stage);
        staged.append(b"the first part", &Pen::new()).unwrap();
        let first = staged.path().to_owned();
        staged.move_on(ErrorKind::StorageFull.into()).unwrap();
        staged.append(b" and the rest", &Pen::new()).unwrap();
        assert_ne!(staged.path(), first);
        let copy = fs::read(staged.path()).unwrap();
        assert_eq!(copy, b"the first part and the rest");
        assert!(stage.path().is_some(), "smaller copies may have room");
        stage.tidy();
        assert!(!first.exists());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_copy_that_is_larger_than_the_room_of_a_place_is_not_begun_there() {
        let scratch = tempfile::tempdir().unwrap();
        let parents = [scratch.path().to_owned()].into();
        let stage = StageDirectory::in_room(Room::new(None, parents, |_| Ok(())).unwrap());
        let error = stage.create_sized(Path::new("libx.so"), u64::MAX);
        let error = error.unwrap_err().to_string();
        assert!(error.contains("no directory has room for"), "{error}");
        let small = stage.create_sized(Path::new("libx.so"), 1).unwrap();
        assert!(small.path().starts_with(stage.path().unwrap()));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_sparse_artifact_has_a_sparse_copy_wherever_the_copy_is_made() {
        use std::os::unix::fs::MetadataExt;
        const SIZE: usize = 8 << 20;
        const BLOCK: u64 = 512;
        let scratch = tempfile::tempdir().unwrap();
        let parents = [scratch.path().to_owned()].into();
        let stage = StageDirectory::in_room(Room::new(None, parents, |_| Ok(())).unwrap());
        let zeros = vec![0; SIZE];
        let mut staged = copy_in(&stage);
        staged.append(b"head", &Pen::new()).unwrap();
        staged.append(&zeros, &Pen::new()).unwrap();
        staged.append(b"middle", &Pen::new()).unwrap();
        staged.append(&zeros, &Pen::new()).unwrap();
        staged.finish(&Pen::new()).unwrap();
        let expected = [b"head".as_slice(), &zeros, b"middle", &zeros].concat();
        assert!(fs::read(staged.path()).unwrap() == expected);
        let room = fs::metadata(staged.path()).unwrap().blocks() * BLOCK;
        assert!(room < SIZE as u64 / 2, "{room} bytes on the disk");

        staged.append(&zeros, &Pen::new()).unwrap();
        staged.move_on(ErrorKind::StorageFull.into()).unwrap();
        staged.append(b"end", &Pen::new()).unwrap();
        staged.finish(&Pen::new()).unwrap();
        let expected = [expected.as_slice(), &zeros, b"end"].concat();
        assert!(fs::read(staged.path()).unwrap() == expected);
    }
}
