//! Swap a running program's native plugin for a newly built one: on filesystems where file events never
//! arrive, never from half a file, never losing the good build to a bad one.
//!
//! A host and its plugin share one declaration. The host watches the library, loads it, calls it, and reloads it when
//! it has really changed:
//!
//! ```no_run
//! use std::time::Duration;
//! use replug::{Host, Options};
//!
//! replug::interface! {
//!     /// Adds.
//!     pub interface Adder, plugin trait Add, version 1 {
//!         /// The sum.
//!         fn add(one: u32, other: u32) -> u32;
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut host = Host::<Adder>::watch(Options::new("target/debug/libadder.so"))?;
//! loop {
//!     // Code changes in here and nowhere else.
//!     if let Some(outcome) = host.wait(Duration::from_millis(100)) {
//!         println!("{outcome}");
//!     }
//!     println!("{:?}", host.add(1, 2));
//! }
//! # }
//! ```
//!
//! The plugin depends on `replug-plugin` alone, which brings no other crate; [`export!`] is its side of the
//! declaration. [`HostSet`] owns a directory of plugins, [`Handle`] calls one from other threads, [`Text`] and [`Raw`]
//! are for libraries without a declaration.
//!
//! # How it works
//!
//! ```text
//!  worker thread                                                                              owner thread
//!  scan -> snapshot -> change -> gate -> settle -> stage+digest -> vet -> handshake ==Update==> load -> init -> swap -> call
//!   |________________________ Poller, driven by a Watcher ______________________|               |_______ Host ______|
//! ```
//!
//! A [`Poller`](watch::Poller) looks at a library, or at a directory of them. It reads one only when its
//! [`Snapshot`](watch::Snapshot) changed and no cargo build is writing, makes a private copy in the pass that computes
//! its [`Digest`], and checks by parsing that the copy is a complete library for this machine. A
//! [`Watcher`](watch::Watcher) is the thread around it. [`Update`](watch::Update)s come out of it. A [`Host`] loads
//! what is ready, when its owner says so, and keeps what runs if anything fails.
//!
//! The watched file is never mapped. No file event API is used, so replug works where file events do not.

#![warn(unreachable_pub)]

// The rooms, in the order of the work. Each imports only from rooms above it: `docs/architecture.md` has the table of
// all files, which `tests/imports.rs` compares with the imports.

// Was a plugin built from the host's declaration? Pure.
mod handshake;

// The choices of a person, and whom they let run.
mod admission;
pub mod options;

// Builds that are tried in a helper process before they are handed over.
#[cfg(feature = "trial")]
mod trials;

// Everything that the compiler cannot check: images, and their functions.
mod boundary;

// Looks at files, directories and filesystems.
mod look;

// Decisions: pure.
mod decide;

// Private copies.
mod stage;

// Errors, and warnings.
pub mod error;
mod warning;

// Counts and times for whoever collects them.
mod measures;

// The library of a cargo package.
mod package;

// The last builds, and what became of each.
pub mod store;

// The first half: finds out that a finished new library exists.
pub mod watch;

// A look at one library, for people.
pub mod inspect;

// The second half: loads it, and decides when.
mod host;

// For tests of plugins and hosts.
#[cfg(feature = "testing")]
pub mod testing;

// A fuzzer's way in to the parsers.
#[cfg(any(fuzzing, test))]
#[doc(hidden)]
pub mod fuzz;

pub use replug_plugin::{
    CallError, HookError, Hooks, Interface, Pending, Shared, Sink, export, interface, shared,
    shown, wire,
};
// Where a derive finds what it needs, in a crate that depends on this one only.
#[doc(hidden)]
pub use replug_plugin as __plugin;

pub use crate::admission::Applicant;
#[cfg(feature = "signatures")]
pub use crate::admission::NoKey;
pub use crate::boundary::{AnyPlugin, Raw, Text, TextFunction, leave_plugins};
#[doc(inline)]
pub use crate::error::{Error, chain};
pub use crate::host::handing::Handing;
pub use crate::host::handle::{Caller, Handle, Lent};
pub use crate::host::live::Plugin;
pub use crate::host::outcome::Outcome;
pub use crate::host::owner::Host;
pub use crate::host::retire::Unload;
pub use crate::host::set::{HostSet, Member};
pub use crate::host::succeed::Handover;
pub use crate::look::digest::{Digest, NoDigest};
#[doc(inline)]
pub use crate::options::{Audit, FsPolicy, GatePolicy, Options, Trust};
#[cfg(feature = "trial")]
pub use crate::trials::Trial;
pub use crate::warning::Warning;

/// The parts of an [`Outcome`].
pub mod outcome {
    pub use crate::boundary::Mapped;
    pub use crate::decide::change::Waiting;
    #[cfg(feature = "serde")]
    pub use crate::host::line::Line;
    pub use crate::host::outcome::{Kept, Loaded, NotLive, Retired};
}

/// A program's own part in the trials of builds, with the feature `trial`.
#[cfg(feature = "trial")]
pub mod trial {
    pub use crate::host::helping::run_if_asked;
}

/// Tables of functions of one's own, for hosts that are made by [`Host::with`].
pub mod table {
    pub use crate::boundary::{Image, Table};
}

/// The examples of a page in docs are compiled with the tests. Those of README are built as a stranger would, by
/// `tests/outside.rs`.
#[cfg(doctest)]
#[doc = include_str!("../docs/contract.md")]
struct Documents;

/// As above.
#[cfg(all(doctest, feature = "trial"))]
#[doc = include_str!("../docs/production.md")]
struct Production;
