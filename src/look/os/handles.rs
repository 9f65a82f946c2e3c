//! Handles of Windows that are in nobody's way: for looks, and for readings.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::os::windows::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use windows_sys::Win32::Storage::FileSystem::{
    FILE_FLAG_BACKUP_SEMANTICS, FILE_READ_ATTRIBUTES, FILE_READ_DATA, FILE_SHARE_DELETE,
    FILE_SHARE_READ, FILE_SHARE_WRITE, READ_CONTROL, SYNCHRONIZE,
};

use crate::boundary::{self, Basics};

/// Opens a file or directory only to ask about it.
pub(super) fn open_for_looks(path: &Path, access: u32, flags: u32) -> io::Result<File> {
    OpenOptions::new()
        .access_mode(access)
        .share_mode(SHARED)
        // Without this flag no directory is opened.
        .custom_flags(FILE_FLAG_BACKUP_SEMANTICS | flags)
        .open(path)
}

/// Everything that others may do with a file while it is open here.
const SHARED: u32 = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;

/// How many bytes are read at a time, so that a library is open only once or a few times: most have not much more.
const AT_A_TIME: usize = 4 << 20;

/// An artifact to be read, which is open only while bytes are read.
///
/// Whoever wants a file for himself, as linkers do, is refused while anybody else has it open for reading. So nobody has:
/// the file is opened for each few megabytes anew, and closed before they are hashed and copied. Whether that was one and
/// the same content all the time, the looks before and after the reading say. Whoever has the file for himself meanwhile
/// is waited for.
#[derive(Debug)]
pub struct Artifact(BufReader<Fleeting>);

/// A file that is open only while it is read.
#[derive(Debug)]
struct Fleeting {
    from: From,
    at: u64,
    /// Where the file ended when it was read to its end.
    end: Option<u64>,
}

#[derive(Debug)]
enum From {
    /// The file of which this was told when it was found, at its path. The looks before and after a reading ask for more.
    Path(PathBuf, Basics),
    /// A file that somebody has opened.
    Open(File),
}

/// Finds an artifact, to be read.
pub(crate) fn open(path: &Path) -> io::Result<Artifact> {
    let found = boundary::basics(&open_for_looks(path, FILE_READ_ATTRIBUTES, 0)?)?;
    Ok(Artifact::from(From::Path(path.to_owned(), found)))
}

impl Artifact {
    fn from(from: From) -> Artifact {
        let fleeting = Fleeting {
            from,
            at: 0,
            end: None,
        };
        Artifact(BufReader::with_capacity(AT_A_TIME, fleeting))
    }

    /// Asks about the artifact, by a handle that is open only for the question.
    pub(super) fn ask<T>(&self, question: impl FnOnce(&File) -> io::Result<T>) -> io::Result<T> {
        match &self.0.get_ref().from {
            // A client of a server may answer for attributes from its memory, and asks the server for more rights.
            From::Path(path, _) => {
                let access = FILE_READ_ATTRIBUTES | READ_CONTROL;
                question(&open_for_looks(path, access, 0)?)
            }
            From::Open(file) => question(file),
        }
    }

    pub(crate) fn metadata(&self) -> io::Result<Metadata> {
        match &self.0.get_ref().from {
            From::Path(path, _) => fs::metadata(path),
            From::Open(file) => file.metadata(),
        }
    }
}

/// A file that is open already, to be read like an artifact.
pub(crate) fn opened(file: File) -> Artifact {
    Artifact::from(From::Open(file))
}

impl Read for Artifact {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Seek for Artifact {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

impl Fleeting {
    fn read_at(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match &self.from {
            From::Path(path, found) => {
                let file = OpenOptions::new()
                    .access_mode(FILE_READ_DATA | FILE_READ_ATTRIBUTES | SYNCHRONIZE)
                    .share_mode(SHARED)
                    .open(path)?;
                match boundary::basics(&file)? == *found {
                    true => file.seek_read(buffer, self.at),
                    // The look that follows tells more.
                    false => Err(ErrorKind::NotFound.into()),
                }
            }
            From::Open(file) => file.seek_read(buffer, self.at),
        }
    }
}

impl Read for Fleeting {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // The file need not be opened once more to say that there is no more of it.
        if self.end == Some(self.at) {
            return Ok(0);
        }
        let count = self.read_at(buffer)?;
        self.at += count as u64;
        self.end = (count < buffer.len()).then_some(self.at);
        Ok(count)
    }
}

impl Seek for Fleeting {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let (from, by) = match to {
            SeekFrom::Start(at) => (at, 0),
            SeekFrom::Current(by) => (self.at, by),
            SeekFrom::End(by) => (self.length()?, by),
        };
        let before = || io::Error::from(ErrorKind::InvalidInput);
        self.at = from.checked_add_signed(by).ok_or_else(before)?;
        Ok(self.at)
    }
}

impl Fleeting {
    fn length(&self) -> io::Result<u64> {
        match &self.from {
            From::Path(path, _) => {
                let file = open_for_looks(path, FILE_READ_ATTRIBUTES, 0)?;
                boundary::basics(&file).map(|found| found.size)
            }
            From::Open(file) => file.metadata().map(|found| found.len()),
        }
    }
}
