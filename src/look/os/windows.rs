//! Windows: what the system tells by handles that are in nobody's way, and the volume of a path.

use std::ffi::{CStr, OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use windows_sys::Win32::Storage::FileSystem::{
    FILE_ATTRIBUTE_DIRECTORY, FILE_FLAG_OPEN_REPARSE_POINT, FILE_READ_ATTRIBUTES,
};
use windows_sys::Win32::System::WindowsProgramming::{
    DRIVE_CDROM, DRIVE_FIXED, DRIVE_RAMDISK, DRIVE_REMOVABLE,
};

use super::handles::open_for_looks;
pub(crate) use super::handles::{Artifact, open, opened};
use crate::boundary::{self, Told, Volume, tell, volume};
use crate::look::files::{Filesystem, Locality, Names, Writers};
use crate::look::holder::Holder;
use crate::look::rights::{Rights, Standing};
use crate::look::snapshot::{Kind, Snapshot, Stamp};

/// Further directories for staged copies, if code cannot be mapped from the temporary directory.
pub(crate) const MORE_TEMP_DIRS: &[&str] = &[];

/// The system's error number for a server that is switched off (WSAEHOSTDOWN). std has no word for that.
pub(crate) const HOST_DOWN: i32 = 10064;

/// The system's error number for a process that has as many files open as it may (ERROR_TOO_MANY_OPEN_FILES).
pub(crate) const TOO_MANY_FILES: i32 = 4;

/// The system's error numbers for a file that cannot be removed now: it is mapped as a library (ERROR_ACCESS_DENIED), or
/// somebody has it open or mapped (ERROR_SHARING_VIOLATION, ERROR_USER_MAPPED_FILE). Or for a directory in which files
/// keep their names until they are closed (ERROR_DIR_NOT_EMPTY).
const STAYS: [i32; 4] = [5, 32, 145, 1224];

/// The system's error numbers for a file of which somebody else has all, or a part, for himself (ERROR_SHARING_VIOLATION,
/// ERROR_LOCK_VIOLATION).
pub(crate) const IN_USE: [i32; 2] = [32, 33];

/// Whether an error says that a file stays for as long as it is loaded.
pub(crate) fn stays_while_loaded(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|it| STAYS.contains(&it))
}

/// Whether an error says that a file was removed, or is just being removed: some filesystems keep the name until the last
/// who has the file open lets go, and refuse everybody meanwhile.
pub(crate) fn is_being_removed(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotFound | ErrorKind::PermissionDenied
    )
}

/// Whether a file can be made that exists in memory only.
pub(crate) const HAS_MEMORY_FILES: bool = false;

/// Never: there is one call for looks here.
pub(crate) fn has_plain_looks() -> bool {
    false
}

/// Looks at a file, symbolic links followed. Who only reads attributes is in nobody's way: a handle with that right alone
/// counts for nothing when somebody else wants the file for himself.
pub(crate) fn look(path: &Path) -> io::Result<Snapshot> {
    look_open_file(&open_for_looks(path, FILE_READ_ATTRIBUTES, 0)?)
}

/// Looks at a symbolic link itself, in the same way.
pub(crate) fn look_link(path: &Path) -> io::Result<Snapshot> {
    let open = open_for_looks(path, FILE_READ_ATTRIBUTES, FILE_FLAG_OPEN_REPARSE_POINT)?;
    let snapshot = look_open_file(&open)?;
    let kind = match open.metadata()?.is_symlink() {
        true => Kind::Link,
        false => snapshot.kind,
    };
    Ok(Snapshot { kind, ..snapshot })
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

/// Looks at an artifact that is to be read.
pub(crate) fn look_open(artifact: &Artifact) -> io::Result<Snapshot> {
    artifact.ask(look_open_file)
}

fn look_open_file(file: &File) -> io::Result<Snapshot> {
    tell(file).map(|told| snapshot(&told))
}

fn snapshot(told: &Told) -> Snapshot {
    Snapshot {
        kind: match told.basics.attributes & FILE_ATTRIBUTE_DIRECTORY {
            0 => Kind::File,
            _ => Kind::Directory,
        },
        device: told.volume,
        mount: 0,
        inode: inode(told.number),
        // A file that was removed or replaced after it was opened for this look has no name; the next look finds the other.
        links: told.basics.links.max(1).into(),
        size: told.basics.size,
        modified: stamp(told.basics.written),
        changed: stamp(told.basics.changed),
        // NTFS gives a file the birth time of another one that had its name up to 15 s before.
        born: None,
    }
}

/// A file's number in 64 bits. NTFS needs no more; of the numbers of ReFS, which have 128, the halves are mixed.
fn inode(number: u128) -> u64 {
    let (high, low) = ((number >> 64) as u64, number as u64);
    low ^ high.rotate_left(32)
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
pub(crate) fn forget_content(_artifact: &Artifact) -> io::Result<()> {
    Ok(())
}

/// Nobody knows who writes to a file here.
pub(crate) fn writers(_artifact: &Artifact) -> Writers {
    Writers::Unknown
}

/// The filesystems of Windows itself, which answer from what they have and remember nothing of others.
const OWN: [&str; 6] = ["NTFS", "ReFS", "FAT", "FAT32", "exFAT", "UDF"];

/// Asks which volume `path` is on. On drives of this machine only the system's own filesystems count as local: a program
/// can show as a drive whatever it likes.
pub(crate) fn filesystem(path: &Path) -> io::Result<Filesystem> {
    let Volume { filesystem, drive } = volume(path)?;
    let is_here = matches!(
        drive,
        DRIVE_FIXED | DRIVE_REMOVABLE | DRIVE_RAMDISK | DRIVE_CDROM
    );
    let is_local = is_here && OWN.contains(&&*filesystem);
    let named = Filesystem {
        name: filesystem.into(),
        // Nobody has looked into what clients remember here.
        names: Names::ByPath,
        ..Filesystem::unknown()
    };
    Ok(match is_local {
        true => Filesystem {
            locality: Locality::Local,
            looks_can_lag: false,
            ..named
        },
        false => named,
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
    Err(ErrorKind::Unsupported.into())
}

/// A directory, by its path and its number: what is in it is reached by its path, for the temporary directory of a user is
/// accessible to that user only.
#[derive(Debug)]
pub(crate) struct HeldDirectory {
    path: PathBuf,
    number: (u64, u128),
}

impl HeldDirectory {
    /// Takes the directory that `path` leads to.
    pub(crate) fn open(path: &Path) -> io::Result<HeldDirectory> {
        fs::read_dir(path)?;
        HeldDirectory::at(path.to_owned())
    }

    fn at(path: PathBuf) -> io::Result<HeldDirectory> {
        let number = number_at(&path)?;
        Ok(HeldDirectory { path, number })
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
            true => HeldDirectory::at(path),
            false => Err(ErrorKind::NotADirectory.into()),
        }
    }

    /// Always: rights are not asked for here.
    pub(crate) fn is_private(&self) -> io::Result<bool> {
        Ok(true)
    }

    /// Whether the directory has that name in another one.
    pub(crate) fn is_in(&self, parent: &HeldDirectory, name: &OsStr) -> io::Result<bool> {
        match number_at(&parent.path.join(name)) {
            Ok(number) => Ok(number == self.number),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
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

/// The number of what a path leads to.
fn number_at(path: &Path) -> io::Result<(u64, u128)> {
    boundary::number(&open_for_looks(path, FILE_READ_ATTRIBUTES, 0)?)
}

/// The marks by which a file is told from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    volume: u64,
    number: u128,
    size: u64,
    written: u64,
}

pub(crate) fn identity_of(file: &File) -> io::Result<Identity> {
    tell(file).map(|told| identity(&told))
}

pub(crate) fn identity_at(path: &Path) -> io::Result<Identity> {
    identity_of(&open_for_looks(path, FILE_READ_ATTRIBUTES, 0)?)
}

fn identity(told: &Told) -> Identity {
    Identity {
        volume: told.volume,
        number: told.number,
        size: told.basics.size,
        written: told.basics.written,
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
    Err(ErrorKind::Unsupported.into())
}

/// There are no memory files here.
pub(crate) fn seal_memory(_file: &File) -> io::Result<()> {
    Err(ErrorKind::Unsupported.into())
}
