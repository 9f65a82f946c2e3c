//! Private copies: where they live, how an artifact is read into one, and whether one is a library for this machine.

// A directory that belongs to one living process.
mod owned;

// Where such a directory can be made.
pub(crate) mod parents;

// Where copies are made now, and which are to leave.
pub(crate) mod room;
// The right to write to the copies in it.
pub(crate) mod pen;

// The copies.
pub(crate) mod copies;

// One bracketed pass: digest and copy.
pub(crate) mod reading;

// Is the copy a library for this machine?
pub(crate) mod vet;

// Which libraries it brings along.
pub(crate) mod siblings;

// Where the system has the other libraries that it needs.
pub(crate) mod cache;
