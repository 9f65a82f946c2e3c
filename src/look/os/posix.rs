//! The facts that Linux and the other Unix systems share.

/// The system's error number for a server that is switched off. std has no word for that.
pub(crate) const HOST_DOWN: i32 = rustix::io::Errno::HOSTDOWN.raw_os_error();
