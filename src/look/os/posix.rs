//! The calls that Linux and the other Unix systems share: limits, lock files of others, and who this user is.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use crate::look::rights::Standing;

/// The system's error number for a server that is switched off. std has no word for that.
pub(crate) const HOST_DOWN: i32 = rustix::io::Errno::HOSTDOWN.raw_os_error();

/// The system's error number for a process that has as many files open as it may.
pub(crate) const TOO_MANY_FILES: i32 = rustix::io::Errno::MFILE.raw_os_error();

/// The size, in bytes, of the largest file that this process may write (`ulimit -f`); `None` if any. Whoever writes more
/// is ended by a signal.
pub(crate) fn largest_file() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Fsize).current
}

/// Opens a file of a build, only to ask who holds a lock on it. The call neither waits nor follows a link: others may
/// be able to write in the directory, and a pipe in place of the lock would keep its opener for ever. `None` if what is
/// there is no regular file, or belongs neither to this user, to root nor to the owner of the directory: then whoever
/// holds it is no build of this directory.
pub(crate) fn open_lock(path: &Path) -> io::Result<Option<File>> {
    let flags = libc::O_NONBLOCK | libc::O_NOFOLLOW | libc::O_NOCTTY;
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(path);
    let file = match opened {
        Ok(file) => file,
        // A link, a socket, or a device without a driver.
        Err(error) if is_no_file(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Ok(None);
    }
    let owner_of_directory = path
        .parent()
        .and_then(|directory| Some(fs::metadata(directory).ok()?.uid()));
    let owners = [
        Some(0),
        Some(rustix::process::geteuid().as_raw()),
        owner_of_directory,
    ];
    Ok(owners.contains(&Some(metadata.uid())).then_some(file))
}

/// The system's error numbers for a file that somebody else has for himself: here everybody can open everything.
pub(crate) const IN_USE: [i32; 0] = [];

/// A file that is open already, to be read as an artifact: that is nothing else here.
pub(crate) fn opened(file: File) -> File {
    file
}

/// Never: the file of a loaded library can be removed.
pub(crate) fn stays_while_loaded(_error: &io::Error) -> bool {
    false
}

/// Whether an error says that a file was removed, or is just being removed.
pub(crate) fn is_being_removed(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

/// Makes a symbolic link to a file or directory.
#[cfg(feature = "testing")]
pub(crate) fn make_link(original: &Path, name: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(original, name)
}

/// Removes a file, or a symbolic link, to whatever it leads.
#[cfg(feature = "testing")]
pub(crate) fn remove_link(name: &Path) -> io::Result<()> {
    fs::remove_file(name)
}

fn is_no_file(error: &io::Error) -> bool {
    let number = error.raw_os_error();
    [libc::ELOOP, libc::EMLINK, libc::ENXIO, libc::ENODEV]
        .map(Some)
        .contains(&number)
}

/// The standing of this process. Who was given rights without being given another user's files is still himself: his
/// own files are not to run with those rights.
pub(crate) fn standing(has_more_rights: bool) -> Standing {
    let (user, started_by) = (rustix::process::geteuid(), rustix::process::getuid());
    let is_himself = has_more_rights && user == started_by;
    Standing {
        user: (!is_himself).then_some(user.as_raw()),
        has_more_rights,
    }
}
