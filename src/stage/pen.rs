//! The right to write to private copies. What comes to the loader must be what vet has seen, so nobody but a poller may
//! write to a copy, and a poller writes before vet only.

use std::io::{self, Read, Seek, Write};

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
    pub(crate) fn to(copy: &'a mut C) -> Writing<'a, C> {
        let pen = Pen::new();
        Writing { copy, pen }
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
