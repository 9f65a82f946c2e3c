//! Handshake: was the plugin built from the declaration that the host calls by? Two texts are compared, the host's
//! own and the text that the library carries. Pure: nothing of the library has run yet.

mod declaration;

mod lines;

mod types;

mod compare;

mod declared;

use std::ffi::CStr;

pub(crate) use self::compare::Met;
pub use self::compare::{Difference, Expected, Mismatch};
pub use self::declared::{Declared, Level};
pub(crate) use self::lines::Lines;
pub use self::types::TypeDifference;

/// The longest handshake that is read, in bytes: some thousand functions.
pub(crate) const LONGEST: u64 = 256 * 1024;

/// The symbol of a library's handshake, and the symbol of its entry, with the functions that a host calls.
pub(crate) const HANDSHAKE: &CStr = c"replug_handshake";
pub(crate) const ENTRY: &CStr = c"replug_entry";

/// The symbol of what a library has beside its entry, if ordinary Rust crosses.
pub(crate) const ORDINARY: &CStr = c"replug_ordinary";

/// Whether a handshake is of a library with which ordinary Rust is exchanged, so that the lines of types are looked for.
pub(crate) fn says_ordinary(handshake: &[u8]) -> bool {
    let line = concat!("\n", "level rust\n").as_bytes();
    handshake.windows(line.len()).any(|it| it == line)
}
