//! The sink: a place where a plugin writes text or bytes for its host.

use std::ffi::c_void;
use std::fmt;
use std::io;
use std::marker::PhantomData;

use crate::shape::Shape;
use crate::wire::{Argument, Call, Carried, RawSlice};

/// A place where a plugin writes text or bytes for its host. They land in memory of the host's.
///
/// # Examples
///
/// ```
/// use std::fmt::Write;
/// use replug_plugin::Sink;
///
/// let mut answer = Vec::new();
/// write!(Sink::new(&mut answer), "{} and {}", 1, 2)?;
/// assert_eq!(answer, b"1 and 2");
/// # Ok::<(), std::fmt::Error>(())
/// ```
#[derive(Debug)]
pub struct Sink<'a> {
    raw: RawSink,
    _buffer: PhantomData<&'a mut Vec<u8>>,
}

/// A sink as C sees it.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct RawSink {
    pub(crate) buffer: *mut c_void,
    pub(crate) write: unsafe extern "C" fn(buffer: *mut c_void, data: *const u8, len: usize),
}

impl<'a> Sink<'a> {
    /// A sink that appends to `buffer`.
    pub fn new(buffer: &'a mut Vec<u8>) -> Sink<'a> {
        Sink {
            raw: RawSink {
                buffer: (&raw mut *buffer).cast(),
                write: append,
            },
            _buffer: PhantomData,
        }
    }

    /// Appends `bytes`.
    pub fn write(&mut self, bytes: &[u8]) {
        let RawSink { buffer, write } = self.raw;
        // SAFETY: `write` belongs to `buffer`, which is borrowed for as long as this sink lives.
        unsafe { write(buffer, bytes.as_ptr(), bytes.len()) }
    }
}

/// Appends to the buffer of a sink. Runs in the program that made the sink, with that program's allocator. Being out
/// of memory aborts; nothing unwinds.
unsafe extern "C" fn append(buffer: *mut c_void, data: *const u8, len: usize) {
    // SAFETY: `Sink::new` made the pointer of a `Vec<u8>` that is still borrowed for it alone.
    let buffer = unsafe { &mut *buffer.cast::<Vec<u8>>() };
    // SAFETY: the writer passes a slice of its own.
    let bytes = unsafe { RawSlice { data, len }.get() };
    buffer.extend_from_slice(bytes);
}

impl fmt::Write for Sink<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.write(text.as_bytes());
        Ok(())
    }
}

impl io::Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Sink::write(self, bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

// SAFETY: a sink is the same two pointers on both sides; the function stays that of the sender.
unsafe impl Argument for Sink<'_> {
    const SHAPE: Shape = Shape::Scalar("Sink");
    type Of = u8;
}

// SAFETY: as above.
unsafe impl Carried for Sink<'_> {
    type Wire = RawSink;
    type At<'call> = Sink<'call>;

    #[inline(always)]
    fn send(self) -> RawSink {
        self.raw
    }

    #[inline(always)]
    unsafe fn receive(raw: RawSink, _: &Call) -> Sink<'_> {
        Sink {
            raw,
            _buffer: PhantomData,
        }
    }
}
