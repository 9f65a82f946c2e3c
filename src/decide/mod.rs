//! Decisions: pure. Times and snapshots come in as arguments; no file, clock or thread is touched.

// Whether an absence is worth reporting.
pub(crate) mod absence;

// When to digest a file that seems unchanged.
pub(crate) mod audit;

// The evidence for a changed file, and how the file is read for that reason.
pub(crate) mod settle;

// The state of one artifact, and the next order.
pub(crate) mod change;

// When to poll next.
pub(crate) mod schedule;

// When to look at all the libraries of a directory.
pub(crate) mod rounds;

// How long a new generation is watched.
pub(crate) mod probation;

// Whom we trust to write what we load.
pub(crate) mod trust;

// A failure that has not ended.
pub(crate) mod trouble;
