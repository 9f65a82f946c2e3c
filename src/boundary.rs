//! The boundary between host and plugin, and everything about it that the compiler cannot check. The only module of the
//! host with `unsafe`.

#![allow(unsafe_code)]

// An image, what is found in it by name, and the table of an interface.
mod image;

mod symbols;

mod table;

// Which threads an image still has something to do with, and what its host does for them. Where it does nothing for them,
// `replug-plugin` does not ask; its build script names the same systems.
#[cfg(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu", target_pointer_width = "64"))]
mod behind;
#[cfg(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu", target_pointer_width = "64"))]
mod seats;

#[cfg(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu", target_pointer_width = "64"))]
mod residence;
#[cfg(not(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu", target_pointer_width = "64")))]
#[path = "boundary/no_residence.rs"]
mod residence;

#[cfg(unix)]
#[path = "boundary/unix.rs"]
mod system;
#[cfg(windows)]
#[path = "boundary/windows.rs"]
mod system;

pub use self::{
    image::{Image, LoadFailure, Mapped},
    symbols::{Raw, Text},
};

pub(crate) use self::{
    image::can_map_code,
    table::{Bound, BoundHooks, Leased},
};
