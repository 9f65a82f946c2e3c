//! Windows, by the calls that std offers. These give no inode numbers, so a replaced file shows in its times and its
//! size.

use std::ffi::{CStr, OsStr};
use std::fs::{self, File, Metadata};
use std::io;
use std::os::windows::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::look::files::{Filesystem, Names};
use crate::look::rights::{Rights, Standing};
use crate::look::snapshot::{Kind, Snapshot, Stamp};

/// Further directories for staged copies, if code cannot be mapped from the temporary directory.
pub(crate) const MORE_TEMP_DIRS: &[&str] = &[];

/// The system's error number for a server that is switched off (WSAEHOSTDOWN). std has no word for that.
pub(crate) const HOST_DOWN: i32 = 10064;

/// Whether a file can be made that exists in memory only.
pub(crate) const HAS_MEMORY_FILES: bool = false;

pub(crate) fn look(path: &Path) -> io::Result<Snapshot> {
    fs::metadata(path).map(|metadata| snapshot(&metadata))
}

pub(crate) fn look_link(path: &Path) -> io::Result<Snapshot> {
    fs::symlink_metadata(path).map(|metadata| snapshot(&metadata))
}

/// A directory to look from: on Linux only, where the gain was measured.
#[derive(Debug)]
pub enum Directory {}

pub(crate) fn open_directory(_directory: &Path, _looks: usize) -> Option<Directory> {
    None
}

pub(crate) fn look_from(directory: &Directory, _path: &Path) -> io::Result<Snapshot> {
    match *directory {}
}

pub(crate) fn look_open(file: &File) -> io::Result<Snapshot> {
    file.metadata().map(|metadata| snapshot(&metadata))
}

fn snapshot(metadata: &Metadata) -> Snapshot {
    let modified = stamp(metadata.last_write_time());
    Snapshot {
        kind: kind(metadata),
        device: 0,
        inode: 0,
        links: 1,
        size: metadata.file_size(),
        modified,
        // std tells no change time here; the write time in its place claims nothing more.
        changed: modified,
        born: Some(stamp(metadata.creation_time())),
    }
}

/// A FILETIME counts 100 ns from 1601; only equality matters here, so the epoch stays.
fn stamp(filetime: u64) -> Stamp {
    const PER_SECOND: u64 = 10_000_000;
    let seconds = (filetime / PER_SECOND).try_into().unwrap_or(i64::MAX);
    let nanoseconds = u32::try_from(filetime % PER_SECOND).unwrap_or(0) * 100;
    Stamp {
        seconds,
        nanoseconds,
    }
}

fn kind(metadata: &Metadata) -> Kind {
    match () {
        () if metadata.is_file() => Kind::File,
        () if metadata.is_dir() => Kind::Directory,
        () if metadata.is_symlink() => Kind::Link,
        () => Kind::Other,
    }
}

pub(crate) fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// Opens a file for locking.
pub(crate) fn open_own(path: &Path) -> io::Result<File> {
    fs::OpenOptions::new().read(true).write(true).open(path)
}

/// Opens a file of a build, only to ask who holds a lock on it.
pub(crate) fn open_lock(path: &Path) -> io::Result<Option<File>> {
    let file = File::open(path)?;
    Ok(file.metadata()?.is_file().then_some(file))
}

/// No filesystem: owners are not asked for here.
pub(crate) struct Inventors;

impl Inventors {
    pub(crate) fn read() -> Inventors {
        Inventors
    }

    pub(crate) fn of_device(&self, _device: u64) -> Option<String> {
        None
    }
}

/// Rights at which there is nothing to find fault with: access control lists are not judged here.
pub(crate) fn rights(
    path: &Path,
    found: &Metadata,
    _inventor: &dyn Fn(u64) -> Option<String>,
) -> Rights {
    Rights {
        path: path.to_owned(),
        kind: kind(found),
        owner: 0,
        group: 0,
        mode: 0,
        group_is_private: true,
        invented_by: None,
    }
}

/// A user like all others.
pub(crate) fn standing(has_more_rights: bool) -> Standing {
    Standing {
        user: None,
        has_more_rights,
    }
}

/// Nothing makes a client here ask for one name.
pub(crate) fn ask_for_name(_path: &Path) {}

pub(crate) fn names(directory: &Path, each: &mut dyn FnMut(&OsStr)) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        each(&entry?.file_name());
    }
    Ok(())
}

/// Does nothing: a read here sees what the system sees, and std has no call to make the system forget.
pub(crate) fn forget_content(_file: &File) -> io::Result<()> {
    Ok(())
}

pub(crate) fn filesystem(_path: &Path) -> io::Result<Filesystem> {
    Ok(Filesystem {
        // Nobody has looked into what clients remember here.
        names: Names::ByPath,
        ..Filesystem::unknown()
    })
}

/// Nothing: no table of mounts is read here.
pub(crate) fn mounted(_path: &Path) -> Option<Filesystem> {
    None
}

/// Always 0: start times are not asked for here; the stage directory's lock tells the dead from the living.
pub(crate) fn own_start() -> u64 {
    0
}

pub(crate) fn is_running(_pid: u32, _start: u64) -> bool {
    false
}

pub(crate) fn memory_file(_name: &CStr, _serial: u64) -> io::Result<(File, PathBuf)> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The temporary directory of a user is accessible to that user only.
pub(crate) fn make_private(_builder: &mut tempfile::Builder<'_, '_>) {}

/// Makes a directory with the rights of the directory above, a user's temporary directory.
pub(crate) fn make_private_directory(path: &Path) -> io::Result<()> {
    fs::create_dir(path)
}
