//! Swap a running program's native plugin for a newly built one: on filesystems where file events never
//! arrive, never from half a file, never losing the good build to a bad one.
//!
//! ```text
//!  worker thread                                                                              owner thread
//!  scan -> snapshot -> change -> gate -> settle -> stage+digest -> vet -> handshake ==Update==> load -> init -> swap -> call
//!   |________________________ Poller, driven by a Watcher ______________________|               |_______ Host ______|
//! ```
//!
//! A [`Poller`] looks at a library, or at a directory of them. It reads one only when its [`Snapshot`] changed
//! and no cargo build is writing, makes a private copy in the pass that computes its [`Digest`], and checks by
//! parsing that the copy is a complete library for this machine. A [`Watcher`] is the thread around it. What
//! comes out are [`Update`]s. A [`Host`] loads what is ready, when its owner says so, and keeps what runs if
//! anything fails.
//!
//! The watched file is never mapped. No file event API is used, so it works where events do not.
//!
//! # Examples
//!
//! ```no_run
//! use std::time::Duration;
//! use replug::{Host, Options, Text};
//!
//! let options = Options::new("target/debug/libplugin01.so");
//! let mut host = Host::<Text>::watch(c"plugin_function", options)?;
//! while let Some(outcome) = host.wait(Duration::from_secs(60)) {
//!     println!("{outcome:?}");
//! }
//! # Ok::<(), replug::Error>(())
//! ```
//!
//! # Features
//!
//! - `program`, on by default: the command-line program and the crates that only it needs.
//! - `host`, part of `program`: everything but [`interface!`], [`shared!`], [`export!`] and what they need. A plugin
//!   does without (`default-features = false`), and then replug depends on no other crate.

#![warn(unreachable_pub)]

// One declaration for both sides, and what crosses.

#[macro_use]
pub mod interface;

mod boundary;

// All that follows is the host's.

// Was a plugin built from the host's declaration? Pure.
#[cfg(feature = "host")]
mod handshake;

// What a person chooses.
#[cfg(feature = "host")]
mod options;

// The first half, in the order in which a change passes through it.

// Which artifacts exist.
#[cfg(feature = "host")]
mod scan;

// How an artifact must be looked at, by where it is.
#[cfg(feature = "host")]
mod locality;

// What one look said.
#[cfg(feature = "host")]
mod snapshot;

// Which of that is made up anew at every look: pure.
#[cfg(feature = "host")]
mod noise;

// What a change calls for, and an absence: pure.
#[cfg(feature = "host")]
mod change;

#[cfg(feature = "host")]
mod absence;

// When to digest what seems unchanged: pure.
#[cfg(feature = "host")]
mod audit;

// The links on the way to an artifact.
#[cfg(feature = "host")]
mod hops;

// What directories name, asked once in a poll.
#[cfg(feature = "host")]
mod names;

// Is a build running here?
#[cfg(feature = "host")]
mod gate;

// What a changed file must do to be believed: pure.
#[cfg(feature = "host")]
mod settle;

// One pass: digest and copy.
#[cfg(feature = "host")]
mod digest;

// Where the copies live.
#[cfg(feature = "host")]
mod stage;

// Is the copy a library for this machine?
#[cfg(feature = "host")]
mod vet;

// What crosses to the owner thread.
#[cfg(feature = "host")]
mod update;

// What went wrong and has not ended: pure.
#[cfg(feature = "host")]
mod trouble;

// When to poll next: pure.
#[cfg(feature = "host")]
mod schedule;

// Signs of life of the worker.
#[cfg(feature = "host")]
mod pulse;

// The three that drive it: one artifact, all of them, and a thread for them.
#[cfg(feature = "host")]
mod artifact;

#[cfg(feature = "host")]
mod poller;

#[cfg(feature = "host")]
mod watcher;

// The second half: whoever loads, and decides when.
#[cfg(feature = "host")]
mod host;

#[cfg(feature = "host")]
mod host_set;

// Calls from other threads.
#[cfg(feature = "host")]
mod handle;

// Where updates come from.
#[cfg(feature = "host")]
mod feed;

// What became of an update.
#[cfg(feature = "host")]
mod outcome;

// What both halves stand on.
#[cfg(feature = "host")]
mod error;

#[cfg(feature = "host")]
mod files;

#[cfg(feature = "host")]
mod machine;

#[cfg(feature = "host")]
mod os;

// How a fuzzer gets at what is parsed.
#[cfg(all(feature = "host", any(fuzzing, test)))]
#[doc(hidden)]
pub mod fuzz;

pub use crate::boundary::export::{self, HookError, Hooks};
pub use crate::boundary::{CallError, Sink, wire};

/// The host's side of the library.
#[cfg(feature = "host")]
mod host_side {
    pub use crate::audit::Audit;
    pub use crate::boundary::{Image, LoadFailure, Mapped, Raw, Text};
    pub use crate::change::Waiting;
    pub use crate::digest::Digest;
    pub use crate::error::{Error, Hook, Step, chain};
    pub use crate::files::{Clock, Files, Filesystem, Listing, Locality, Lock, Route};
    pub use crate::gate::GatePolicy;
    pub use crate::handle::{Caller, Handle, Lent};
    pub use crate::handshake::{Difference, Expected, Mismatch};
    pub use crate::host::{Host, Plugin, Table, Unload};
    pub use crate::host_set::{HostSet, Member};
    pub use crate::locality::{FsPolicy, Watched};
    pub use crate::machine::{Monotonic, OsFiles, look};
    pub use crate::options::Options;
    pub use crate::outcome::{Loaded, NotLive, Outcome, Retired};
    pub use crate::poller::Poller;
    pub use crate::pulse::{Counts, Stall};
    pub use crate::scan::plugin_name;
    pub use crate::snapshot::{Kind, Snapshot, Stamp};
    pub use crate::stage::{StageDirectory, Staged};
    pub use crate::update::{Kept, News, Ready, Update};
    pub use crate::vet::Refusal;
    pub use crate::watcher::Watcher;
}

#[cfg(feature = "host")]
pub use host_side::*;

/// The examples of README and docs are compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
#[doc = include_str!("../docs/contract.md")]
struct Documents;
