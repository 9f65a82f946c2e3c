//! The calls in which systems differ: one file per system, with the same names in each. Nothing here decides
//! anything.

#[cfg(target_os = "linux")]
mod groups;
#[cfg(windows)]
mod handles;
#[cfg(unix)]
mod held;
#[cfg(target_os = "linux")]
mod locks;
#[cfg(target_os = "linux")]
mod mounts;
#[cfg(target_os = "linux")]
mod openers;
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
// Compiled with the tests everywhere, for the table decides, and no machine of that kind runs these tests.
#[cfg(any(test, target_vendor = "apple", target_os = "freebsd"))]
mod types;

#[cfg(not(target_os = "linux"))]
pub(crate) use system::{holder, opener};
#[cfg(target_os = "linux")]
pub(crate) use {locks::holder, openers::opener};

#[cfg(target_os = "linux")]
pub(crate) use mounts::{Inventors, filesystem, mounted, writers};
#[cfg(not(target_os = "linux"))]
pub(crate) use system::{Inventors, filesystem, mounted, writers};

#[cfg(all(unix, feature = "testing"))]
pub(crate) use posix::{make_link, remove_link};
#[cfg(all(windows, feature = "testing"))]
pub(crate) use system::{make_link, remove_link};

#[cfg(unix)]
pub(crate) use posix::{IN_USE, is_being_removed, opened, stays_while_loaded};
#[cfg(unix)]
pub(crate) use std::fs::File as Artifact;
#[cfg(windows)]
pub(crate) use system::Artifact;
#[cfg(windows)]
pub(crate) use system::{IN_USE, is_being_removed, opened, stays_while_loaded};

#[cfg(unix)]
pub(crate) use owners::{Ancestor, ancestors, rights};
#[cfg(windows)]
pub(crate) use system::{Ancestor, ancestors, rights};

pub(crate) use system::{
    Directory, HAS_MEMORY_FILES, HOST_DOWN, HeldDirectory, Identity, MORE_TEMP_DIRS,
    TOO_MANY_FILES, ask_for_name, forget_content, give_back, has_plain_looks, identity_at,
    identity_of, is_running, is_unmapped, largest_file, look, look_from, look_link, look_open,
    memory_file, names, open, open_directory, open_lock, own_start, own_user, seal_memory,
    standing,
};
