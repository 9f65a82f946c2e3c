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

#![warn(unreachable_pub)]

// Everything the compiler cannot check: images, and what is found in them.
mod boundary;

// Was a plugin built from the host's declaration? Pure.
mod handshake;

// What a person chooses.
mod options;

// The first half, in the order in which a change passes through it.

// Which artifacts exist.
mod scan;

// How an artifact must be looked at, by where it is.
mod locality;

// What one look said.
mod snapshot;

// Which of that is made up anew at every look: pure.
mod noise;

// What a change calls for, and an absence: pure.
mod change;

mod absence;

// When to digest what seems unchanged: pure.
mod audit;

// The links on the way to an artifact.
mod hops;

// What directories name, asked once in a poll.
mod names;

// Is a build running here?
mod gate;

// What a changed file must do to be believed: pure.
mod settle;

// One pass: digest and copy.
mod digest;

// Where the copies live.
mod stage;

// Is the copy a library for this machine?
mod vet;

// What crosses to the owner thread.
mod update;

// What went wrong and has not ended: pure.
mod trouble;

// When to poll next: pure.
mod schedule;

// Signs of life of the worker.
mod pulse;

// The three that drive it: one artifact, all of them, and a thread for them.
mod artifact;

mod poller;

mod watcher;

// The second half: whoever loads, and decides when.
mod host;

mod host_set;

// Calls from other threads.
mod handle;

// Where updates come from.
mod feed;

// What became of an update.
mod outcome;

// What both halves stand on.
mod error;

mod files;

mod machine;

mod os;

// How a fuzzer gets at what is parsed.
#[cfg(any(fuzzing, test))]
#[doc(hidden)]
pub mod fuzz;

pub use replug_plugin::{CallError, HookError, Hooks, Interface, Sink, export, interface, shared, wire};

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

/// The examples of README and docs are compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
#[doc = include_str!("../docs/contract.md")]
struct Documents;
