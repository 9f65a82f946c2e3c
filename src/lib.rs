//! Swap a running program's native plugin for a newly built one: on filesystems where file events never
//! arrive, never from half a file, never losing the good build to a bad one.
//!
//! ```text
//!  worker thread                                                                  owner thread
//!  scan -> snapshot -> change -> gate -> settle -> stage+digest -> vet ==Update==> load -> swap -> call
//!   |____________________ Poller, driven by a Watcher ______________|               |____ Host ____|
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
//! use replug::{Host, Options};
//!
//! let options = Options::new("target/debug/libplugin01.so");
//! let mut host = Host::watch(c"plugin_function", options)?;
//! while let Some(outcome) = host.wait(Duration::from_secs(60)) {
//!     println!("{outcome:?}");
//! }
//! # Ok::<(), replug::Error>(())
//! ```
//!
//! # Features
//!
//! `program`, on by default: the command-line program and the crates that only it needs. The library needs none of
//! them: `default-features = false`.
//!

#![warn(unreachable_pub)]

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

// The second half: loading, the only `unsafe`, and whoever decides when.
mod plugin;

mod host;

// What became of an update.
mod outcome;

// What both halves stand on.
mod error;

mod files;

mod machine;

mod os;

pub use crate::audit::Audit;
pub use crate::change::Waiting;
pub use crate::digest::Digest;
pub use crate::error::{Error, Step, chain};
pub use crate::files::{Clock, Files, Filesystem, Listing, Locality, Lock, Route};
pub use crate::gate::GatePolicy;
pub use crate::host::{Host, Plugin};
pub use crate::locality::FsPolicy;
pub use crate::machine::{Monotonic, OsFiles, look};
pub use crate::options::Options;
pub use crate::outcome::{Loaded, Outcome, Retired};
pub use crate::plugin::{CallError, Image, LoadFailure, Raw, Text};
pub use crate::poller::{Poller, Watched};
pub use crate::pulse::Stall;
pub use crate::scan::plugin_name;
pub use crate::snapshot::{Kind, Snapshot, Stamp};
pub use crate::stage::{StageDirectory, Staged};
pub use crate::update::{Kept, News, Ready, Update};
pub use crate::vet::Refusal;
pub use crate::watcher::{Counts, Watcher};

/// The README's examples are compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
