//! What follows from what was seen: pure. Times and snapshots come in as arguments; no file, clock or thread is touched.

// What a change calls for, and an absence.
pub(crate) mod absence;

// When to digest what seems unchanged.
pub(crate) mod audit;

// What speaks for a changed file, and how it is read for that reason.
pub(crate) mod settle;

// The state of one artifact, and the next order.
pub(crate) mod change;

// When to poll next.
pub(crate) mod schedule;

// A failure that has not ended.
pub(crate) mod trouble;
