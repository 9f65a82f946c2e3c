//! The boundary between host and plugin, and everything about it that the compiler cannot check. The only module of the
//! host with `unsafe`.

#![allow(unsafe_code)]

// How each system maps an image.
#[cfg(unix)]
#[path = "unix.rs"]
mod system;
#[cfg(windows)]
#[path = "windows.rs"]
mod system;

// What a host does for the threads that an image has something to do with. Elsewhere it does nothing for them, and
// `replug-plugin` does not ask; its build script names the same systems.
#[cfg(all(
    target_arch = "x86_64",
    target_os = "linux",
    target_env = "gnu",
    target_pointer_width = "64"
))]
mod residence;
#[cfg(not(all(
    target_arch = "x86_64",
    target_os = "linux",
    target_env = "gnu",
    target_pointer_width = "64"
)))]
#[path = "no_residence.rs"]
mod residence;

// An image, what is found in it by name, and the table of an interface.
mod image;

mod table;

mod symbols;

pub use self::{
    image::{Image, LoadFailure, Mapped},
    symbols::{Raw, Text},
    table::Table,
};

pub(crate) use self::{
    image::can_map_code,
    table::{Bound, BoundHooks, Leased},
};
