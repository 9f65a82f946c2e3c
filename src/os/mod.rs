//! Where systems differ: one file per system behind the same names. Nothing here decides anything.

#[cfg(unix)]
mod posix;
#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod system;
#[cfg(all(unix, not(target_os = "linux")))]
#[path = "unix.rs"]
mod system;
#[cfg(windows)]
#[path = "windows.rs"]
mod system;

pub(crate) use system::{
    HAS_MEMORY_FILES, MORE_TEMP_DIRS, filesystem, is_running, look, look_open, make_private,
    make_private_directory, memory_file, open, open_own, own_start,
};

/// The filesystem a path is on, as far as the system tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filesystem {
    /// Its name, such as `ext4` or `nfs`; its magic number in hexadecimal if we have no name for it, and
    /// `unknown` where the system tells nothing.
    pub name: String,
    /// Whether probing a lock there can hang, so that the gate must not be probed.
    pub locks_can_hang: bool,
}

impl Filesystem {
    /// One that nothing is known of.
    pub(crate) fn unknown() -> Filesystem {
        Filesystem {
            name: "unknown".to_owned(),
            locks_can_hang: false,
        }
    }
}
