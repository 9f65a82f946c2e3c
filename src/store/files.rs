//! A store's files: its directory, its lock, its copies, and small files that are there whole or not at all.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::look::digest::Digest;
use crate::look::os::{self, HeldDirectory};
use crate::stage::parents;

/// The files of a store.
const LOCK: &str = "lock";
const JOURNAL: &str = "journal";
const NOTE: &str = "note";
const REQUEST: &str = "request";
const ANSWER: &str = "answer";
const COPIES: &str = "copies";

/// How the name of a file begins that is not whole yet.
const NEW: &str = ".new-";

/// The most bytes of a journal, of a request, and of a signature that are read.
pub(super) const MOST_OF_JOURNAL: u64 = 16 * 1024 * 1024;
const MOST_OF_TEXT: u64 = 64 * 1024;

/// The room of a note, in bytes. It is on the disk from the beginning, so that a full disk keeps no note from being written.
const NOTE_ROOM: usize = 256;

/// The directory of a store.
#[derive(Debug, Clone)]
pub(super) struct Directory {
    path: PathBuf,
    /// Asked for so often that it is not put together each time.
    request: PathBuf,
}

/// What keeps a directory from being a store.
pub(super) enum Unusable {
    /// Others can enter it.
    NotPrivate,
    Failed(io::Error),
}

impl From<io::Error> for Unusable {
    fn from(error: io::Error) -> Unusable {
        Unusable::Failed(error)
    }
}

impl Directory {
    pub(super) fn at(path: &Path) -> Directory {
        Directory {
            path: path.to_owned(),
            request: path.join(REQUEST),
        }
    }

    /// Makes the directory, for this user alone, unless it is there; and checks that it is this user's alone.
    pub(super) fn make(&self) -> Result<(), Unusable> {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        only_for_this_user(&mut builder);
        builder.create(&self.path)?;
        builder.create(self.path.join(COPIES))?;
        for directory in [self.path.clone(), self.path.join(COPIES)] {
            if !HeldDirectory::open(&directory)?.is_private()? {
                return Err(Unusable::NotPrivate);
            }
        }
        // Nor may others put another directory in its place.
        parents::fit(&self.path)?;
        Ok(())
    }

    /// Locks the store; `None` if somebody has. The lock goes with its file.
    pub(super) fn lock(&self) -> io::Result<Option<File>> {
        let lock = self.open(LOCK)?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(lock)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Whether somebody has locked the store.
    pub(super) fn is_locked(&self) -> io::Result<bool> {
        let lock = match File::open(self.path.join(LOCK)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            lock => lock?,
        };
        match lock.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn open(&self, name: &str) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        private(&mut options);
        options.open(self.path.join(name))
    }

    pub(super) fn open_journal(&self) -> io::Result<File> {
        self.open(JOURNAL)
    }

    /// The bytes of the journal.
    pub(super) fn read_journal(&self) -> io::Result<Vec<u8>> {
        read_at_most(&self.path.join(JOURNAL), MOST_OF_JOURNAL)
    }

    /// Puts another journal in the place of the one that is there.
    pub(super) fn replace_journal(&self, bytes: &[u8]) -> io::Result<()> {
        self.replace(JOURNAL, bytes, true)
    }

    /// The note of the process that used the store last, and its file without the note.
    pub(super) fn take_note(&self) -> io::Result<(String, File)> {
        let file = self.open(NOTE)?;
        let mut text = Vec::new();
        (&file).take(NOTE_ROOM as u64).read_to_end(&mut text)?;
        // What is no text is no note.
        Ok((String::from_utf8(text).unwrap_or_default(), file))
    }

    /// The request that waits, which is then taken. `None` if there is none.
    pub(super) fn take_request(&self) -> io::Result<Option<Vec<u8>>> {
        let path = &self.request;
        if fs::symlink_metadata(path).is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            return Ok(None);
        }
        let read = read_at_most(path, MOST_OF_TEXT);
        fs::remove_file(path)?;
        read.map(Some)
    }

    /// Leaves a request, unless another one waits. Says whether it was left.
    pub(super) fn leave_request(&self, text: &[u8]) -> io::Result<bool> {
        let mut new = self.new_file(&self.path)?;
        new.as_file_mut().write_all(text)?;
        match new.persist_noclobber(&self.request) {
            Ok(_) => Ok(true),
            Err(error) if error.error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error.error),
        }
    }

    /// Takes a request back. Says whether it was still there.
    pub(super) fn withdraw_request(&self) -> io::Result<bool> {
        match fs::remove_file(&self.request) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(super) fn answer(&self, text: &[u8]) -> io::Result<()> {
        self.replace(ANSWER, text, false)
    }

    /// The last answer, if there is one.
    pub(super) fn read_answer(&self) -> io::Result<Vec<u8>> {
        match read_at_most(&self.path.join(ANSWER), MOST_OF_TEXT) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            read => read,
        }
    }

    fn new_file(&self, directory: &Path) -> io::Result<NamedTempFile> {
        let new = tempfile::Builder::new().prefix(NEW).tempfile_in(directory);
        new.map_err(without_name)
    }

    /// Writes a file that is there whole, or as it was before.
    fn replace(&self, name: &str, bytes: &[u8], lasts: bool) -> io::Result<()> {
        check_size(bytes.len() as u64)?;
        let mut new = self.new_file(&self.path)?;
        new.as_file_mut().write_all(bytes)?;
        if lasts {
            new.as_file().sync_all()?;
        }
        new.persist(self.path.join(name)).map_err(|it| it.error)?;
        match lasts {
            true => sync(&self.path),
            false => Ok(()),
        }
    }

    fn copies(&self) -> PathBuf {
        self.path.join(COPIES)
    }

    /// The path of the copy of these bytes.
    pub(super) fn copy(&self, digest: Digest) -> PathBuf {
        self.copies().join(digest.to_string())
    }

    /// The path of the signature of these bytes.
    fn signature(&self, digest: Digest) -> PathBuf {
        self.copies().join(format!("{digest}.minisig"))
    }

    /// Begins a copy of `size` bytes: what `from` gives, in a file that goes away unless it gets its name. `None` if there is one
    /// of this size.
    pub(super) fn begin_copy(
        &self,
        digest: Digest,
        size: u64,
        from: &mut impl Read,
    ) -> io::Result<Option<NamedTempFile>> {
        let there = fs::symlink_metadata(self.copy(digest));
        if there.is_ok_and(|it| it.is_file() && it.len() == size) {
            return Ok(None);
        }
        check_size(size)?;
        let mut new = self.new_file(&self.copies())?;
        let written = io::copy(from, new.as_file_mut())?;
        match written == size {
            true => Ok(Some(new)),
            false => Err(io::Error::other(
                "the copy has another size than the library",
            )),
        }
    }

    /// Gives a copy its name, once it is on the disk.
    pub(super) fn end_copy(&self, new: NamedTempFile, digest: Digest) -> io::Result<()> {
        new.as_file().sync_all()?;
        new.persist(self.copy(digest)).map_err(|it| it.error)?;
        Ok(())
    }

    /// Has the names of all copies outlive a power cut.
    pub(super) fn end_copies(&self) -> io::Result<()> {
        sync(&self.copies())
    }

    pub(super) fn put_signature(&self, digest: Digest, text: &str) -> io::Result<()> {
        check_size(text.len() as u64)?;
        let mut new = self.new_file(&self.copies())?;
        new.as_file_mut().write_all(text.as_bytes())?;
        new.persist(self.signature(digest)).map_err(|it| it.error)?;
        Ok(())
    }

    pub(super) fn read_signature(&self, digest: Digest) -> io::Result<String> {
        let bytes = read_at_most(&self.signature(digest), MOST_OF_TEXT)?;
        String::from_utf8(bytes).map_err(|_| ErrorKind::InvalidData.into())
    }

    /// Removes the copies that are not among these, and what was being written when a process ended.
    pub(super) fn sweep(&self, is_wanted: impl Fn(Digest) -> bool) -> io::Result<()> {
        for entry in fs::read_dir(self.copies())? {
            let name = entry?.file_name();
            let digest = name.to_str().and_then(|name| name.get(..64)?.parse().ok());
            if !digest.is_some_and(&is_wanted) {
                absent_is_fine(fs::remove_file(self.copies().join(&name)))?;
            }
        }
        for entry in fs::read_dir(&self.path)? {
            let name = entry?.file_name();
            if is_new(&name) {
                absent_is_fine(fs::remove_file(self.path.join(&name)))?;
            }
        }
        Ok(())
    }

    /// Removes one copy and its signature.
    pub(super) fn remove_copy(&self, digest: Digest) -> io::Result<()> {
        absent_is_fine(fs::remove_file(self.signature(digest)))?;
        absent_is_fine(fs::remove_file(self.copy(digest)))
    }
}

/// What the system said, without the name of the file that could not be made: the name is another one each time, and one
/// trouble is to be said once.
fn without_name(error: io::Error) -> io::Error {
    let inner = error.get_ref().and_then(|inner| inner.source());
    let said = inner.and_then(|it| it.downcast_ref::<io::Error>()?.raw_os_error());
    said.map_or(error, io::Error::from_raw_os_error)
}

/// Empties a note's file. Its room on the disk stays.
pub(super) fn clear_note(mut file: &File) -> io::Result<()> {
    use io::Seek as _;
    file.rewind()?;
    file.write_all(&[0; NOTE_ROOM])
}

/// Refuses to write a file that this process may not write, before the system ends the process for that.
pub(super) fn check_size(size: u64) -> io::Result<()> {
    match os::largest_file() {
        Some(limit) if size > limit => Err(io::Error::new(
            ErrorKind::FileTooLarge,
            format!("this process may write files of at most {limit} bytes (RLIMIT_FSIZE)"),
        )),
        _ => Ok(()),
    }
}

fn is_new(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(NEW.as_bytes())
}

fn absent_is_fine(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn read_at_most(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    file.take(most + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > most {
        true => Err(ErrorKind::FileTooLarge.into()),
        false => Ok(bytes),
    }
}

/// Has the names in a directory outlive a power cut. Windows does so by itself.
fn sync(directory: &Path) -> io::Result<()> {
    match cfg!(unix) {
        true => File::open(directory)?.sync_all(),
        false => Ok(()),
    }
}

#[cfg(unix)]
fn only_for_this_user(builder: &mut DirBuilder) {
    use std::os::unix::fs::DirBuilderExt as _;
    builder.mode(0o700);
}

#[cfg(not(unix))]
fn only_for_this_user(_builder: &mut DirBuilder) {}

#[cfg(unix)]
fn private(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.mode(0o600);
}

#[cfg(not(unix))]
fn private(_options: &mut OpenOptions) {}
