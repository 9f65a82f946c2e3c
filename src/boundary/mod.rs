//! The boundary between host and plugin, and everything about it that the compiler cannot check. The only module of
//! the host with `unsafe`.

#![allow(unsafe_code)]

// How each system maps an image.
#[cfg(unix)]
#[path = "unix.rs"]
mod system;
#[cfg(windows)]
#[path = "windows.rs"]
mod system;

// Ways back into an image that is unmapped, and which of them a library imports.
mod ways;

mod imports;

// What a host does for the threads that an image has something to do with. Elsewhere it does nothing for them, and
// `replug-plugin` does not ask; its build script names the same systems.
#[cfg(all(
    any(target_arch = "x86_64", target_arch = "aarch64"),
    target_os = "linux",
    target_env = "gnu",
    target_pointer_width = "64"
))]
mod residence;
#[cfg(not(all(
    any(target_arch = "x86_64", target_arch = "aarch64"),
    target_os = "linux",
    target_env = "gnu",
    target_pointer_width = "64"
)))]
#[path = "no_residence.rs"]
mod residence;
// Compiled with the tests here as well, so that it goes on compiling elsewhere.
#[cfg(all(
    test,
    any(target_arch = "x86_64", target_arch = "aarch64"),
    target_os = "linux",
    target_env = "gnu",
    target_pointer_width = "64"
))]
#[allow(dead_code)]
mod no_residence;

// What a process that crashes leaves for its successor.
#[cfg(unix)]
mod crash;
#[cfg(not(unix))]
#[path = "no_crash.rs"]
mod crash;

// What the system tells of the writers of a file.
#[cfg(target_os = "linux")]
mod lease;

// What the system tells of a file and of its volume, where std does not ask.
#[cfg(windows)]
mod files;

// Where the loader looks for what a copy needs.
mod beside;

// An image, the table of an interface, and symbols by name.
mod image;

mod process;

// The allocator, for plugins that exchange ordinary Rust.
mod heap;

mod table;

mod symbols;

mod any;

pub use self::{
    any::AnyPlugin,
    image::{Image, LoadFailure, LoaderError, Mapped, leave_plugins},
    symbols::{Raw, Text, TextFunction},
    table::Table,
};

/// Why an image of a library that imports these symbols, needs these libraries, and has any symbols at all, stays
/// mapped, if that speaks for it.
pub(crate) fn way_back_by<'n>(
    imports: impl Iterator<Item = &'n [u8]>,
    needed: &[&[u8]],
    has_symbols: bool,
) -> Option<Mapped> {
    imports::way_back_by(imports, needed, has_symbols).map(|way| Mapped::from(&way))
}

/// Whether hosts here unmap anything at all.
pub(crate) fn unmaps() -> bool {
    residence::forbidden().is_none()
}

/// Whether this process has more rights than the user who started it.
pub(crate) fn has_more_rights() -> bool {
    system::has_more_rights()
}

#[cfg(windows)]
pub(crate) use self::files::{Basics, Told, Volume, basics, number, tell, volume};
#[cfg(target_os = "linux")]
pub(crate) use self::lease::lease;
pub(crate) use self::{
    crash::{Loading, Notes, Watched, forget_note, has_noted, note_to, watch},
    image::{can_map_code, leave_rest},
    process::{
        JOINS_UNIQUE, KNOWS_BY_SONAME, has_itself, keep, loaded_as, note_brought, process_has,
    },
    table::{Bound, BoundHooks, Leased, State},
};
