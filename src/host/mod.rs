//! The second half: puts a finished new library into use, when its owner says so. It does not know how an artifact was
//! found.

// Outcomes: the ends of updates.
pub(crate) mod outcome;

#[cfg(feature = "serde")]
pub(crate) mod line;

// What of them is in the log and in the measures.
mod noted;

// Which build a piece of work is about.
mod build;

// What wakes an owner that lives in an executor.
#[cfg(feature = "stream")]
mod bell;

// Where updates come from, and how an owner takes them.
pub(crate) mod feed;

// Calls into a plugin from other threads.
pub(crate) mod handle;

// The live generation, from one to the next, and the way out of one.
pub(crate) mod live;

pub(crate) mod succeed;

pub(crate) mod retire;

// Builds whose copies were taken away before they were loaded.
mod lost;

// What its plugins have brought into the process.
mod company;

// The owner of one plugin, and of a directory of them.
pub(crate) mod owner;

// What a host does itself between two generations.
pub(crate) mod handing;

mod plain;

// A host in a helper process, which tries a build.
#[cfg(feature = "trial")]
pub(crate) mod helping;

pub(crate) mod set;

// Both as streams of their outcomes.
#[cfg(feature = "stream")]
mod stream;
