//! The calls that Linux and the other Unix systems share: files and directories of this user's own.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// The system's error number for a server that is switched off. std has no word for that.
pub(crate) const HOST_DOWN: i32 = rustix::io::Errno::HOSTDOWN.raw_os_error();

/// The system's error number for a process that has as many files open as it may.
pub(crate) const TOO_MANY_FILES: i32 = rustix::io::Errno::MFILE.raw_os_error();

/// The size, in bytes, of the largest file that this process may write (`ulimit -f`); `None` if any. Whoever writes more
/// is ended by a signal.
pub(crate) fn largest_file() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Fsize).current
}

/// Opens a file that belongs to this user, for locking. The call neither waits nor follows a link: others can write
/// in the directory that is searched.
pub(crate) fn open_own(path: &Path) -> io::Result<File> {
    let flags = libc::O_NONBLOCK | libc::O_NOFOLLOW;
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(flags)
        .open(path)?;
    let metadata = file.metadata()?;
    let is_own = metadata.is_file() && metadata.uid() == rustix::process::geteuid().as_raw();
    if is_own {
        Ok(file)
    } else {
        Err(io::ErrorKind::PermissionDenied.into())
    }
}

/// Makes what `builder` builds accessible to this user only.
pub(crate) fn make_private(builder: &mut tempfile::Builder<'_, '_>) {
    builder.permissions(Permissions::from_mode(0o700));
}

/// Makes a directory that only this user can enter.
pub(crate) fn make_private_directory(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().mode(0o700).create(path)
}
