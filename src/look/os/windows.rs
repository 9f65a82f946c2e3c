//! Windows, by the calls that std offers. These give no inode numbers, so a replaced file shows in its times and its
//! size.

use std::ffi::{CStr, OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::io;
use std::os::windows::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::look::files::{Filesystem, Names, Writers};
use crate::look::holder::Holder;
use crate::look::rights::{Rights, Standing};
use crate::look::snapshot::{Kind, Snapshot, Stamp};

/// Further directories for staged copies, if code cannot be mapped from the temporary directory.
pub(crate) const MORE_TEMP_DIRS: &[&str] = &[];

/// The system's error number for a server that is switched off (WSAEHOSTDOWN). std has no word for that.
pub(crate) const HOST_DOWN: i32 = 10064;

/// The system's error number for a process that has as many files open as it may (ERROR_TOO_MANY_OPEN_FILES).
pub(crate) const TOO_MANY_FILES: i32 = 4;

/// Whether a file can be made that exists in memory only.
pub(crate) const HAS_MEMORY_FILES: bool = false;

/// Never: there is one call for looks here.
pub(crate) fn has_plain_looks() -> bool {
    false
}

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
        mount: 0,
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

/// Nothing limits the size of a file here but the filesystem.
pub(crate) fn largest_file() -> Option<u64> {
    None
}

pub(crate) fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// Opens a file of a build, only to ask who holds a lock on it.
pub(crate) fn open_lock(path: &Path) -> io::Result<Option<File>> {
    let file = File::open(path)?;
    Ok(file.metadata()?.is_file().then_some(file))
}

/// Nobody: this system is not asked who has a file open.
pub(crate) fn opener(_path: &Path) -> Option<u32> {
    None
}

/// Nobody: this system is not asked who holds a lock.
pub(crate) fn holder(_lock: &File) -> Option<Holder> {
    None
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

/// Makes a symbolic link to a file or directory, for which Windows has two sorts. It takes the right to make them, or the
/// developer mode.
#[cfg(feature = "testing")]
pub(crate) fn make_link(original: &Path, name: &Path) -> io::Result<()> {
    match original.is_dir() {
        true => std::os::windows::fs::symlink_dir(original, name),
        false => std::os::windows::fs::symlink_file(original, name),
    }
}

/// Removes a file, or a symbolic link, to whatever it leads.
#[cfg(feature = "testing")]
pub(crate) fn remove_link(name: &Path) -> io::Result<()> {
    fs::remove_file(name).or_else(|_| fs::remove_dir(name))
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

/// Nobody knows who writes to a file here.
pub(crate) fn writers(_file: &File) -> Writers {
    Writers::Unknown
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

/// A directory, by its path: std opens no directories here, and the temporary directory of a user is accessible to that
/// user only.
#[derive(Debug)]
pub(crate) struct HeldDirectory {
    path: PathBuf,
}

impl HeldDirectory {
    /// Takes the directory that `path` leads to.
    pub(crate) fn open(path: &Path) -> io::Result<HeldDirectory> {
        let path = path.to_owned();
        fs::read_dir(&path).map(|_| HeldDirectory { path })
    }

    /// Makes a directory with the rights of the directory above.
    pub(crate) fn make_private(&self, name: &OsStr) -> io::Result<HeldDirectory> {
        fs::create_dir(self.path.join(name))?;
        self.private(name)
    }

    /// Takes a directory in this one.
    pub(crate) fn private(&self, name: &OsStr) -> io::Result<HeldDirectory> {
        let path = self.path.join(name);
        match fs::symlink_metadata(&path)?.is_dir() {
            true => Ok(HeldDirectory { path }),
            false => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    /// Always: rights are not asked for here.
    pub(crate) fn is_private(&self) -> io::Result<bool> {
        Ok(true)
    }

    /// Whether there is a directory of that name.
    pub(crate) fn is_in(&self, parent: &HeldDirectory, name: &OsStr) -> io::Result<bool> {
        Ok(parent.path.join(name).is_dir())
    }

    /// Does nothing: nobody here tidies by such a mark.
    pub(crate) fn mark_used(&self) -> io::Result<bool> {
        Ok(true)
    }

    /// Unknown here, so nothing is said to be left.
    pub(crate) fn free_space(&self) -> io::Result<u64> {
        Ok(0)
    }

    /// The names in the directory.
    pub(crate) fn names(&self) -> io::Result<Vec<OsString>> {
        let entries = fs::read_dir(&self.path)?;
        entries
            .map(|entry| entry.map(|entry| entry.file_name()))
            .collect()
    }

    /// Makes a file that did not exist.
    pub(crate) fn make_file(&self, name: &OsStr) -> io::Result<File> {
        let mut options = fs::OpenOptions::new();
        options.read(true).write(true).create_new(true);
        options.open(self.path.join(name))
    }

    /// Opens a file.
    pub(crate) fn open_file(&self, name: &OsStr) -> io::Result<File> {
        let mut options = fs::OpenOptions::new();
        options.read(true).write(true).open(self.path.join(name))
    }

    /// Removes a file.
    pub(crate) fn remove_file(&self, name: &OsStr) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    /// Removes an empty directory.
    pub(crate) fn remove_directory(&self, name: &OsStr) -> io::Result<()> {
        fs::remove_dir(self.path.join(name))
    }
}

/// The marks by which a file is told from others: std tells no number of a file here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    size: u64,
    born: u64,
    written: u64,
}

pub(crate) fn identity_of(file: &File) -> io::Result<Identity> {
    file.metadata().map(|metadata| identity(&metadata))
}

pub(crate) fn identity_at(path: &Path) -> io::Result<Identity> {
    fs::metadata(path).map(|metadata| identity(&metadata))
}

fn identity(metadata: &Metadata) -> Identity {
    Identity {
        size: metadata.file_size(),
        born: metadata.creation_time(),
        written: metadata.last_write_time(),
    }
}

/// A directory on the way to another. Who can change the names in it is not asked here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ancestor {
    pub(crate) path: PathBuf,
    pub(crate) owner: u32,
    pub(crate) mode: u32,
    pub(crate) group_is_private: bool,
}

/// The full path of a directory, and nothing of those on the way.
pub(crate) fn ancestors(directory: &Path) -> io::Result<(PathBuf, Vec<Ancestor>)> {
    Ok((std::path::absolute(directory)?, Vec::new()))
}

/// Always 0: users have no numbers here.
pub(crate) fn own_user() -> u32 {
    0
}

pub(crate) fn is_unmapped(_user: u32) -> bool {
    false
}

/// Nothing is given back here.
pub(crate) fn give_back(_file: &File, _from: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// There are no memory files here.
pub(crate) fn seal_memory(_file: &File) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
