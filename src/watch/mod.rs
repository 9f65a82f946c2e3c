//! The first half by itself: a [`Poller`] or [`Watcher`] finds out that a finished new library exists, and says so.
//! For whoever drives a poller, loads by other means, or brings a filesystem and a clock of a test's own.
//!
//! A [`Host`](crate::Host) has a watcher of its own, so most programs need none of this.
//!
//! # Examples
//!
//! ```no_run
//! use replug::Options;
//! use replug::watch::{News, Watcher};
//!
//! let watcher = Watcher::new(Options::new("target/debug/libplugin01.so"))?;
//! for update in watcher.updates() {
//!     if let News::Ready(ready) = update.news {
//!         println!("{} is ready as {}", update.artifact.display(), ready.staged().path().display());
//!     }
//! }
//! # Ok::<(), replug::Error>(())
//! ```

// The message that crosses to the owner thread.
pub(crate) mod update;

// Signs of life of the worker.
pub(crate) mod pulse;

// Files that give such a sign at each question.
mod alive;

// A store in the hands of a worker.
mod keeper;

// The things that all artifacts of a poller share.
#[cfg(feature = "trial")]
mod underway;

mod shared;

// One artifact: its state, how its file is read, and how its changes are followed.
mod doubt;

mod beside;

mod refused;

mod address;

mod artifact;

pub(crate) mod followed;

mod admitting;

pub(crate) mod gathering;
pub(crate) mod trusting;

mod returning;

mod keeping;

#[cfg(feature = "trial")]
mod trying;

mod reading;

mod following;

// A directory of artifacts, all artifacts of a path, and a thread for them.
mod listed;

mod directory;

pub(crate) mod poller;

pub(crate) mod watcher;

pub use self::poller::Poller;
pub use self::pulse::{Counts, Stall};
pub use self::update::{News, Ready, Update};
pub use self::watcher::Watcher;
pub use crate::look::clock::{Clock, Monotonic};
pub use crate::look::files::{
    Files, Filesystem, Listing, Locality, Lock, Names, Route, Unlisted, Writers,
};
pub use crate::look::holder::Holder;
pub use crate::look::machine::OsFiles;
pub use crate::look::naming::plugin_name;
pub use crate::look::place::Place;
pub use crate::look::rights::{Rights, Standing};
pub use crate::look::snapshot::{Kind, Snapshot, Stamp};
pub use crate::stage::copies::{Remover, Stage, StageDirectory, Staged};
pub use crate::stage::pen::{Pen, PrivateCopy};
