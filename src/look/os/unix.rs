//! Unix systems other than Linux, by the calls that std offers.

use std::ffi::{CStr, OsStr};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use rustix::process::{Pid, test_kill_process};

pub(crate) use super::held::{HeldDirectory, Identity, identity_at, identity_of, own_user};
pub(crate) use super::posix::{HOST_DOWN, TOO_MANY_FILES, largest_file, open_lock, standing};
#[cfg(not(any(target_vendor = "apple", target_os = "freebsd")))]
use crate::look::files::Names;
use crate::look::files::{Filesystem, Writers};
use crate::look::holder::Holder;
use crate::look::snapshot::{Kind, Snapshot, Stamp};

/// Further directories for staged copies, if code cannot be mapped from the temporary directory.
pub(crate) const MORE_TEMP_DIRS: &[&str] = &["/var/tmp"];

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
    Snapshot {
        kind: kind(metadata),
        device: metadata.dev(),
        mount: 0,
        inode: metadata.ino(),
        links: metadata.nlink(),
        size: metadata.size(),
        modified: stamp(metadata.mtime(), metadata.mtime_nsec()),
        changed: stamp(metadata.ctime(), metadata.ctime_nsec()),
        born: born(metadata),
    }
}

fn born(metadata: &Metadata) -> Option<Stamp> {
    let since_epoch = metadata.created().ok()?.duration_since(UNIX_EPOCH).ok()?;
    let seconds = since_epoch.as_secs().try_into().ok()?;
    Some(Stamp {
        seconds,
        nanoseconds: since_epoch.subsec_nanos(),
    })
}

fn stamp(seconds: i64, nanoseconds: i64) -> Stamp {
    Stamp {
        seconds,
        nanoseconds: nanoseconds.try_into().unwrap_or(0),
    }
}

/// The kind of what was found.
pub(super) fn kind(metadata: &Metadata) -> Kind {
    let file_type = metadata.file_type();
    match () {
        () if file_type.is_file() => Kind::File,
        () if file_type.is_dir() => Kind::Directory,
        () if file_type.is_symlink() => Kind::Link,
        () if file_type.is_fifo() => Kind::Fifo,
        () if file_type.is_char_device() || file_type.is_block_device() => Kind::Device,
        () => Kind::Other,
    }
}

pub(crate) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)
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

/// Asks which filesystem `path` is on.
#[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
pub(crate) fn filesystem(path: &Path) -> io::Result<Filesystem> {
    let found = rustix::fs::statfs(path)?;
    let name = found.f_fstypename.iter().map(|&byte| byte as u8);
    let name: Vec<_> = name.take_while(|&byte| byte != 0).collect();
    #[allow(clippy::unnecessary_cast)] // On FreeBSD they have as many bits already.
    let is_marked_local = found.f_flags as u64 & libc::MNT_LOCAL as u64 != 0;
    Ok(super::types::filesystem(&name, is_marked_local))
}

/// Unknown: the other systems have calls of their own for it.
#[cfg(not(any(target_vendor = "apple", target_os = "freebsd")))]
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

/// Nobody: this system is not asked who has a file open.
pub(crate) fn opener(_path: &Path) -> Option<u32> {
    None
}

/// Nobody: this system is not asked who holds a lock.
pub(crate) fn holder(_lock: &File) -> Option<Holder> {
    None
}

/// No filesystem: no table of mounts is read here.
pub(crate) struct Inventors;

impl Inventors {
    pub(crate) fn read() -> Inventors {
        Inventors
    }

    pub(crate) fn of_device(&self, _device: u64) -> Option<String> {
        None
    }
}

/// Never: who is in a group, and which access control lists there are, is not asked here.
pub(super) fn group_is_private(_path: &Path, _group: u32, _owner: u32) -> bool {
    false
}

/// Always 0: start times are not asked for here; the stage directory's lock tells the dead from the living.
pub(crate) fn own_start() -> u64 {
    0
}

pub(crate) fn is_running(pid: u32, _start: u64) -> bool {
    let pid = pid.try_into().ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| test_kill_process(pid).is_ok())
}

pub(crate) fn memory_file(_name: &CStr, _serial: u64) -> io::Result<(File, PathBuf)> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Never: numbers of users mean the same everywhere here.
pub(crate) fn is_unmapped(_user: u32) -> bool {
    false
}

/// Nothing is given back here: there is no call for it that all these systems have.
pub(crate) fn give_back(_file: &File, _from: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// There are no memory files here.
pub(crate) fn seal_memory(_file: &File) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
