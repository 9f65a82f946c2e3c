//! A bound on what vet reads. A header names tables of any size, and an empty file of any size costs nobody anything, so
//! the bytes are counted before memory is taken for them.

use std::cell::Cell;
use std::ops::Range;

use object::read::ReadRef;

/// The most bytes that are read of a copy: several times what all symbols and names of the largest libraries take.
/// Code, data and debug information are not read.
pub(super) const MOST_READ: u64 = 256 * 1024 * 1024;

/// A copy of which no more than [`MOST_READ`] bytes are read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounded<'a, D> {
    data: D,
    read: &'a Cell<u64>,
}

impl<'a, D> Bounded<'a, D> {
    /// Bounds `data`. Of these bytes, `read` tells how many were asked for so far.
    pub(super) fn new(data: D, read: &'a Cell<u64>) -> Bounded<'a, D> {
        Bounded { data, read }
    }

    /// Whether more was asked for than may be read.
    pub(super) fn is_exceeded(&self) -> bool {
        self.read.get() > MOST_READ
    }

    fn count(&self, size: u64) -> Result<(), ()> {
        self.read.set(self.read.get().saturating_add(size));
        if self.is_exceeded() { Err(()) } else { Ok(()) }
    }
}

impl<'a, D: ReadRef<'a>> ReadRef<'a> for Bounded<'a, D> {
    fn len(self) -> Result<u64, ()> {
        self.data.len()
    }

    fn read_bytes_at(self, offset: u64, size: u64) -> Result<&'a [u8], ()> {
        // What lies behind the end is missing, and not too much.
        let end = offset.checked_add(size).ok_or(())?;
        if end > self.data.len()? {
            return Err(());
        }
        self.count(size)?;
        self.data.read_bytes_at(offset, size)
    }

    fn read_bytes_at_until(self, range: Range<u64>, delimiter: u8) -> Result<&'a [u8], ()> {
        let bytes = self.data.read_bytes_at_until(range, delimiter)?;
        self.count(bytes.len() as u64)?;
        Ok(bytes)
    }
}
