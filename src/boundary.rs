//! The boundary between host and plugin, and everything about it that the compiler cannot check. The only module with
//! `unsafe`.

#![allow(unsafe_code)]

// Both sides: how values cross, where text is written, and what comes back.
pub mod wire;

mod sink;

mod answer;

// The plugin's side, and what its host does for it in the place of libc.
pub mod export;

pub mod services;

#[cfg(unloads)]
pub mod interpose;

// The host's side: an image, what is found in it by name, and the table of an interface.
#[cfg(feature = "host")]
mod image;

#[cfg(feature = "host")]
mod symbols;

#[cfg(feature = "host")]
mod table;

// Which threads an image still has something to do with, and what its host does for them.
#[cfg(all(feature = "host", unloads))]
mod seats;

#[cfg(all(feature = "host", unloads))]
mod residence;
#[cfg(all(feature = "host", not(unloads)))]
#[path = "boundary/no_residence.rs"]
mod residence;

#[cfg(all(test, feature = "host", target_os = "linux"))]
mod header;

#[cfg(all(feature = "host", unix))]
#[path = "boundary/unix.rs"]
mod system;
#[cfg(all(feature = "host", windows))]
#[path = "boundary/windows.rs"]
mod system;

pub use self::answer::CallError;
pub use self::sink::Sink;

#[cfg(feature = "host")]
pub use self::{
    image::{Image, LoadFailure, Mapped},
    symbols::{Raw, Text},
};

#[cfg(feature = "host")]
pub(crate) use self::{
    image::can_map_code,
    table::{Bound, BoundHooks, Leased},
};
