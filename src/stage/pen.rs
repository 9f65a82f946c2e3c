//! The right to write to private copies. What comes to the loader must be what vet has seen, so nobody but a poller may
//! write to a copy, and a poller writes before vet only.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// A private copy, while a [`Poller`](crate::watch::Poller) makes it. Reading it is anybody's right; writing takes a
/// [`Pen`], so that nothing comes to the loader that was changed after vet has seen it.
pub trait PrivateCopy: Read + Seek {
    /// Appends `bytes`.
    ///
    /// # Errors
    ///
    /// If there is no room left.
    fn append(&mut self, bytes: &[u8], pen: &Pen) -> io::Result<()>;

    /// Takes note that all was appended.
    ///
    /// # Errors
    ///
    /// If there is no room left.
    fn finish(&mut self, _pen: &Pen) -> io::Result<()> {
        Ok(())
    }

    /// Takes note that the copy is complete and was read for the last time, so that it holds nothing open that it does
    /// not need. A loader maps only its first `mapped` bytes.
    fn seal(&mut self, _mapped: u64, _pen: &Pen) {}

    /// The path by which a loader can open the copy; `None` if there is none, as of a copy in a simulation. Without one no
    /// build can be tried before it is handed over.
    fn loadable(&self) -> Option<&Path> {
        None
    }
}

/// The right to write to private copies. Only a poller has one, and lends it for one writing at a time.
#[derive(Debug)]
pub struct Pen(());

impl Pen {
    pub(crate) fn new() -> Pen {
        Pen(())
    }
}

/// A private copy as a place to write to, for as long as a poller reads the artifact into it.
pub(crate) struct Writing<'a, C> {
    copy: &'a mut C,
    pen: Pen,
}

impl<'a, C: PrivateCopy> Writing<'a, C> {
    /// The writing of a new copy, from its beginning. A stage of somebody else's has a pen in its hands for each writing:
    /// a copy that holds anything before was filled with the pen of another one.
    pub(crate) fn begin(copy: &'a mut C) -> io::Result<Writing<'a, C>> {
        if copy.seek(SeekFrom::End(0))? != 0 {
            return Err(io::Error::other("the stage's new copy is not empty"));
        }
        let pen = Pen::new();
        Ok(Writing { copy, pen })
    }
}

impl<C: PrivateCopy> Write for Writing<'_, C> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.copy.append(bytes, &self.pen)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.copy.finish(&self.pen)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    impl PrivateCopy for Cursor<Vec<u8>> {
        fn append(&mut self, bytes: &[u8], _pen: &Pen) -> io::Result<()> {
            self.write_all(bytes)
        }
    }

    #[test]
    fn a_copy_that_was_filled_before_is_not_written_to() {
        let mut new = Cursor::new(Vec::new());
        Writing::begin(&mut new).unwrap().write_all(b"all").unwrap();
        assert_eq!(new.get_ref(), b"all");
        assert!(Writing::begin(&mut new).is_err());
    }
}
