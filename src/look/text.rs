//! A small text that somebody may have put there: read whole, or not at all, and without waiting for anybody.

use std::io::{self, ErrorKind, Read};
use std::path::Path;

use super::files::Files;
use super::snapshot::Kind;

/// The most bytes of a text: more lines than anybody writes, and what fits into memory.
const MOST: u64 = 16 * 1024 * 1024;

/// Reads the text at `path`.
pub(crate) fn read<F: Files>(files: &F, path: &Path) -> io::Result<String> {
    let file = files.open(path)?;
    let refused = |why| io::Error::new(ErrorKind::InvalidInput, why);
    match files.look_open(&file)?.kind {
        Kind::File => {}
        kind => return Err(refused(format!("it is {kind}, not a regular file"))),
    }
    let mut text = String::new();
    match file.take(MOST + 1).read_to_string(&mut text)? as u64 {
        ..=MOST => Ok(text),
        _ => Err(refused(format!("it has more than {MOST} bytes"))),
    }
}
