//! A directory that is held open, on Unix. Whatever is made, opened or removed in it is reached from its descriptor, so
//! that nobody who renames or replaces a directory leads a call elsewhere.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::SystemTime;

use rustix::fs::{AtFlags, CWD, Dir, FileType, FlockOperation, Mode, OFlags, Stat};
use rustix::process::geteuid;

/// The rights of everybody but the owner.
const OF_OTHERS: Mode = Mode::RWXG.union(Mode::RWXO);

/// A directory, by a descriptor of it.
#[derive(Debug)]
pub(crate) struct HeldDirectory {
    open: OwnedFd,
}

impl HeldDirectory {
    /// Holds the directory that `path` leads to, symbolic links followed.
    pub(crate) fn open(path: &Path) -> io::Result<HeldDirectory> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let open = rustix::fs::openat(CWD, path, flags, Mode::empty())?;
        Ok(HeldDirectory { open })
    }

    /// Makes a directory that only this user can enter, whatever the umask says, and holds it.
    pub(crate) fn make_private(&self, name: &OsStr) -> io::Result<HeldDirectory> {
        rustix::fs::mkdirat(&self.open, name, Mode::RWXU)?;
        rustix::fs::chmodat(&self.open, name, Mode::RWXU, AtFlags::empty())?;
        self.private(name)
    }

    /// Holds a directory in this one, if it is a directory of this user that nobody else can enter.
    pub(crate) fn private(&self, name: &OsStr) -> io::Result<HeldDirectory> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW;
        let flags = flags | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let open = rustix::fs::openat(&self.open, name, flags, Mode::empty())?;
        let directory = HeldDirectory { open };
        match directory.is_private()? {
            true => Ok(directory),
            false => Err(ErrorKind::PermissionDenied.into()),
        }
    }

    /// Whether the directory belongs to this user, and nobody else can enter it.
    pub(crate) fn is_private(&self) -> io::Result<bool> {
        let stat = rustix::fs::fstat(&self.open)?;
        let mode = Mode::from_raw_mode(stat.st_mode);
        Ok(is_own(&stat) && !mode.intersects(OF_OTHERS))
    }

    /// Whether this very directory has `name` in `parent`.
    pub(crate) fn is_in(&self, parent: &HeldDirectory, name: &OsStr) -> io::Result<bool> {
        let held = rustix::fs::fstat(&self.open)?;
        match rustix::fs::statat(&parent.open, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => Ok((found.st_dev, found.st_ino) == (held.st_dev, held.st_ino)),
            Err(rustix::io::Errno::NOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Tells those who tidy temporary directories that this one is in use: systemd-tmpfiles leaves a directory alone
    /// that somebody has locked. `false` if somebody is tidying it now.
    pub(crate) fn mark_used(&self) -> io::Result<bool> {
        match rustix::fs::flock(&self.open, FlockOperation::NonBlockingLockShared) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The room that is left on the directory's filesystem, in bytes.
    pub(crate) fn free_space(&self) -> io::Result<u64> {
        let found = rustix::fs::fstatvfs(&self.open)?;
        Ok(found.f_bavail.saturating_mul(found.f_frsize))
    }

    /// The names in the directory.
    pub(crate) fn names(&self) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.open)? {
            let name = OsString::from_vec(entry?.file_name().to_bytes().to_vec());
            if name != "." && name != ".." {
                names.push(name);
            }
        }
        Ok(names)
    }

    /// Makes a file that did not exist, for this user only, whatever the umask says.
    pub(crate) fn make_file(&self, name: &OsStr) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let mode = Mode::RUSR | Mode::WUSR;
        let open = rustix::fs::openat(&self.open, name, flags | OFlags::CLOEXEC, mode)?;
        rustix::fs::fchmod(&open, mode)?;
        Ok(open.into())
    }

    /// Opens a file of this user. The call neither waits nor follows a link.
    pub(crate) fn open_file(&self, name: &OsStr) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        let open = rustix::fs::openat(&self.open, name, flags | OFlags::CLOEXEC, Mode::empty())?;
        let stat = rustix::fs::fstat(&open)?;
        let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        match is_file && is_own(&stat) {
            true => Ok(open.into()),
            false => Err(ErrorKind::PermissionDenied.into()),
        }
    }

    /// Removes a file.
    pub(crate) fn remove_file(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.open, name, AtFlags::empty())?)
    }

    /// Removes an empty directory.
    pub(crate) fn remove_directory(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.open, name, AtFlags::REMOVEDIR)?)
    }
}

fn is_own(stat: &Stat) -> bool {
    stat.st_uid == geteuid().as_raw()
}

/// The marks by which a file is told from every other. A number of a file that is gone can be given to the next one,
/// which then has another owner or another birth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
    owner: u32,
    size: u64,
    born: Option<SystemTime>,
}

/// The identity of an open file.
pub(crate) fn identity_of(file: &File) -> io::Result<Identity> {
    file.metadata().map(|metadata| identity(&metadata))
}

/// The identity of the file that `path` leads a loader to.
pub(crate) fn identity_at(path: &Path) -> io::Result<Identity> {
    fs::metadata(path).map(|metadata| identity(&metadata))
}

fn identity(metadata: &Metadata) -> Identity {
    Identity {
        device: metadata.dev(),
        inode: metadata.ino(),
        owner: metadata.uid(),
        size: metadata.size(),
        born: metadata.created().ok(),
    }
}

/// The number of the user that this process acts for.
pub(crate) fn own_user() -> u32 {
    geteuid().as_raw()
}
