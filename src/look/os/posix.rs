//! The facts that Linux and the other Unix systems share.

/// The system's error number for a server that is switched off. std has no word for that.
pub(crate) const HOST_DOWN: i32 = rustix::io::Errno::HOSTDOWN.raw_os_error();

/// The system's error number for a process that has as many files open as it may.
pub(crate) const TOO_MANY_FILES: i32 = rustix::io::Errno::MFILE.raw_os_error();

/// The size, in bytes, of the largest file that this process may write (`ulimit -f`); `None` if any. Whoever writes more
/// is ended by a signal.
pub(crate) fn largest_file() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Fsize).current
}
