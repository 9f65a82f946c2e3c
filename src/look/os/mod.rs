//! The calls in which systems differ: one file per system, with the same names in each. Nothing here decides
//! anything.

#[cfg(target_os = "linux")]
mod groups;
#[cfg(target_os = "linux")]
mod mounts;
#[cfg(unix)]
mod owners;
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

#[cfg(target_os = "linux")]
pub(crate) use mounts::{Inventors, filesystem, mounted};
#[cfg(not(target_os = "linux"))]
pub(crate) use system::{Inventors, filesystem, mounted};

#[cfg(unix)]
pub(crate) use owners::rights;
#[cfg(windows)]
pub(crate) use system::rights;

pub(crate) use system::{
    Directory, HAS_MEMORY_FILES, HOST_DOWN, MORE_TEMP_DIRS, ask_for_name, forget_content,
    is_running, look, look_from, look_link, look_open, make_private, make_private_directory,
    memory_file, names, open, open_directory, open_lock, open_own, own_start, standing,
};
