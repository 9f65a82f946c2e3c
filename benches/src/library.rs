//! Any number of distinct libraries of the same size, made of a plugin by writing over its version text.

use std::fs;
use std::path::Path;

use crate::plugins;

/// The version text that is compiled in.
const MARKER: &[u8] = b"version-00000000";

/// The name of the library that is watched, as cargo and hot-lib-reloader know it.
pub const NAME: &str = "bench";

/// One that others are made of.
pub struct Library {
    bytes: Vec<u8>,
    mark: usize,
}

impl Library {
    /// The one that knows nothing of replug.
    pub fn plain() -> Library {
        Library::read(&plugins::library("plain"))
    }

    /// The one that was made for replug.
    pub fn declared() -> Library {
        Library::read(&plugins::library("declared"))
    }

    /// One that was built, or an archive that a library can be linked of.
    pub fn read(built: &Path) -> Library {
        let bytes = fs::read(built).expect("the process that measures has built it");
        let mut windows = bytes.windows(MARKER.len());
        let mark = windows.position(|window| window == MARKER);
        Library {
            mark: mark.expect("it holds its version text"),
            bytes,
        }
    }

    /// The library whose `version` is `number`, with so many MB behind it, as debug information lies behind what is mapped.
    pub fn of_size(&self, number: u64, size: usize) -> Vec<u8> {
        let mut bytes = self.numbered(number);
        let end = bytes.len().max(size << 20);
        bytes.extend((bytes.len()..end).map(|at| (at % 251) as u8 | 1));
        bytes
    }

    /// The library whose `version` is `number`.
    pub fn numbered(&self, number: u64) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        let text = format!("version-{number:08}");
        bytes[self.mark..self.mark + MARKER.len()].copy_from_slice(text.as_bytes());
        bytes
    }
}
