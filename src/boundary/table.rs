//! The host's side of an interface: finds the table and the hooks in an image, after the handshake.

use std::ffi::CStr;
use std::ops::Deref;
use std::sync::Arc;

use replug_plugin::__private::{Answered, Entry, HookTable, Ordinary};
use replug_plugin::{CallError, Interface, Sink};

use super::heap::HEAP;
use super::image::{Image, LoadFailure};
use crate::handshake::{ENTRY, Expected, HANDSHAKE, Met, Mismatch, ORDINARY};

/// The functions of a plugin, as a host calls them.
pub trait Table: Sized {
    /// The functions of a plugin that is not there yet.
    fn absent() -> Self;
}

impl<T: Interface> Table for T {
    fn absent() -> T {
        Interface::absent()
    }
}

/// The functions that a host calls of an image.
pub(crate) struct Bound<T> {
    pub(crate) table: T,
    pub(crate) hooks: Option<BoundHooks>,
}

impl<T: Interface> Bound<T> {
    /// Compares the declarations once more, now that the library is loaded, and takes the functions out of the image.
    pub(crate) fn of(image: &Image, met: &mut Met) -> Result<Bound<T>, LoadFailure> {
        let handshake = image.address(HANDSHAKE);
        let handshake = handshake.map_err(|_| Mismatch::NoHandshake)?;
        // SAFETY: a symbol of this name is text with a NUL at its end, as `export!` and the C header have it.
        let handshake = unsafe { CStr::from_ptr(handshake.as_ptr().cast()) };
        met.check(handshake.to_bytes())?;
        if met.expected.is_ordinary() {
            share(image, met.expected)?;
        }
        let entry = image.address(ENTRY)?.cast::<Entry>();
        // SAFETY: a symbol of this name, beside a handshake of this format, is an entry, and nobody ever writes to
        // it.
        let entry = unsafe { entry.as_ref() };
        image.attach(entry);
        // SAFETY: the declarations are equal, and the image stays mapped for as long as the table is used.
        let table = unsafe { entry.table() };
        // SAFETY: as above.
        let table = unsafe { T::copy(table) };
        // SAFETY: the image stays mapped for as long as the hooks are used.
        let hooks = unsafe { entry.hooks() };
        // SAFETY: an entry has no hooks, or a constant table of them.
        let hooks = unsafe { hooks.as_ref() };
        let hooks = hooks.map(|&table| BoundHooks { table });
        Ok(Bound { table, hooks })
    }
}

/// Lets an image exchange ordinary Rust with this host, if all types are the same: the image gets the host's allocator, and
/// stays for good.
fn share(image: &Image, expected: Expected) -> Result<(), LoadFailure> {
    let ordinary = ordinary(image)?;
    // SAFETY: the image stays mapped, and by the handshake it was built by this host's compiler.
    let line = unsafe { ordinary.line() };
    expected.check_mapped(line)?;
    lend_heap(image)
}

/// Lends an image of the rust level the host's allocator, before anything else of the image is called, and keeps the image
/// for good. The caller has seen in the handshake that the tables for that are this host's.
pub(super) fn lend_heap(image: &Image) -> Result<(), LoadFailure> {
    let ordinary = ordinary(image)?;
    // SAFETY: the function is for C, and the image stays mapped.
    let allocate_from = unsafe { ordinary.allocate_from() };
    // SAFETY: as above.
    let alive = unsafe { ordinary.alive() };
    // SAFETY: the function came out of the image, as what it is.
    unsafe { image.stay(alive) };
    // SAFETY: nothing but lines was asked of the image, and this host's allocator outlives it.
    match allocate_from.is_some_and(|take| unsafe { take(&raw const HEAP) }) {
        true => Ok(()),
        false => Err(LoadFailure::Allocated),
    }
}

/// The table of an image of the rust level.
fn ordinary(image: &Image) -> Result<&Ordinary, LoadFailure> {
    let ordinary = image.address(ORDINARY)?.cast::<Ordinary>();
    // SAFETY: a symbol of this name, beside a handshake of this format, is what `export!` makes, and nobody ever writes to
    // it.
    Ok(unsafe { ordinary.as_ref() })
}

impl From<Mismatch> for LoadFailure {
    fn from(mismatch: Mismatch) -> LoadFailure {
        LoadFailure::Handshake(mismatch)
    }
}

/// The hooks of one image, which must be mapped when they are called.
#[derive(Debug)]
pub(crate) struct BoundHooks {
    table: HookTable,
}

/// The state that a generation saved for the next one.
#[derive(Debug)]
pub(crate) struct State {
    version: u32,
    bytes: Vec<u8>,
}

#[cfg(feature = "trial")]
impl State {
    pub(crate) fn new(version: u32, bytes: Vec<u8>) -> State {
        State { version, bytes }
    }

    /// The version and the bytes.
    pub(crate) fn into_parts(self) -> (u32, Vec<u8>) {
        (self.version, self.bytes)
    }
}

impl BoundHooks {
    pub(crate) fn init(&self) -> Result<(), CallError> {
        // SAFETY: the image is mapped: whoever has the hooks has the image too.
        read(unsafe { self.table.init() })
    }

    pub(crate) fn stop(&self) -> Result<(), CallError> {
        // SAFETY: as above.
        read(unsafe { self.table.stop() })
    }

    /// Saves the state; `None` if there is nothing to carry over.
    pub(crate) fn save(&self) -> Result<Option<State>, CallError> {
        let mut bytes = Vec::new();
        // SAFETY: as above.
        let Some(answered) = (unsafe { self.table.save(Sink::new(&mut bytes)) }) else {
            return Ok(None);
        };
        let version = read(answered)?;
        Ok(Some(State { version, bytes }))
    }

    pub(crate) fn restore(&self, state: &State) -> Result<(), CallError> {
        let State { version, bytes } = state;
        // SAFETY: as above.
        read(unsafe { self.table.restore(*version, bytes) })
    }
}

fn read<T>(answered: Answered<T>) -> Result<T, CallError> {
    // SAFETY: a hook made the answer, by the rules of this module.
    unsafe { answered.into_result() }
}

/// A generation's functions on loan: the image stays mapped for as long as the loan lives.
pub(crate) struct Leased<T> {
    table: T,
    image: Option<Arc<Image>>,
}

impl<T: Interface> Leased<T> {
    /// Lends the functions of `image`; without an image, the functions of a plugin that is not there.
    pub(crate) fn of(table: &T, image: Option<&Arc<Image>>) -> Leased<T> {
        Leased {
            // SAFETY: `table` is a table of this interface, and its image, if it has one, stays mapped while we hold
            // it.
            table: unsafe { T::copy((&raw const *table).cast()) },
            image: image.cloned(),
        }
    }
}

impl<T> Leased<T> {
    /// Ends the calling thread's part in the image: the thread will not call it any more.
    pub(crate) fn leave(&self) {
        self.image.iter().for_each(|image| image.leave());
    }
}

impl<T> Deref for Leased<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.table
    }
}
