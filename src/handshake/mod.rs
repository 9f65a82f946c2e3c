//! Handshake: was the plugin built from the declaration that the host calls by? Two texts are compared, the host's
//! own and the text that the library carries. Pure: nothing of the library has run yet.

mod compare;
mod declaration;

use std::ffi::CStr;

pub use self::compare::{Difference, Expected, Mismatch};

/// The longest handshake that is read, in bytes: some thousand functions.
pub(crate) const LONGEST: u64 = 256 * 1024;

/// The symbol of a library's handshake, and the symbol of its entry, with the functions that a host calls.
pub(crate) const HANDSHAKE: &CStr = c"replug_handshake";
pub(crate) const ENTRY: &CStr = c"replug_entry";
