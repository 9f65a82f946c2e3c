//! The functions of an interface as a struct of C functions: the plugin fills one in, the host calls through a copy.

use std::ffi::c_void;
use std::marker::PhantomData;

use crate::line::Line;

/// A function in a table. Safe code cannot take the function out: a copy could be called when its image is gone.
///
/// `F` is the function as C sees it, and `Declared` as it was declared. C sees `&str` and `&[u8]` as one type; slots that
/// could be exchanged must have both types alike.
#[doc(hidden)]
#[repr(transparent)]
#[derive(Debug)]
pub struct Slot<Declared, F>(F, PhantomData<Declared>);

impl<Declared, F: Copy> Slot<Declared, F> {
    /// # Safety
    ///
    /// The function is that of the declaration: a call by the declared types is sound for as long as the table can be
    /// called.
    pub const unsafe fn new(function: F) -> Slot<Declared, F> {
        Slot(function, PhantomData)
    }

    /// The function itself.
    ///
    /// # Safety
    ///
    /// The function is called while the table is borrowed, and not kept.
    #[inline(always)]
    pub unsafe fn get(&self) -> F {
        self.0
    }
}

/// The functions of an interface as a table of C functions, callable like a struct with methods. Made by
/// [`interface!`](crate::interface!).
///
/// # Safety
///
/// The type is `repr(C)`, and holds one `extern "C"` function for each line `fn` of `DECLARATION`, in order.
pub unsafe trait Interface: Sized + Send + Sync + 'static {
    /// The declaration as text: a line for the name and version, one for each function, one for each struct.
    const DECLARATION: &'static str;

    /// Leads to the line of the interface, if any of its functions takes or returns ordinary Rust.
    #[doc(hidden)]
    const LINE: Option<fn() -> Line>;

    /// A table whose functions say that no generation is live.
    fn absent() -> Self;

    /// A copy of a plugin's table, or of the beginning of a longer table.
    ///
    /// # Safety
    ///
    /// `table` points to a table of this interface, whose image stays mapped for as long as the copy can be called.
    unsafe fn copy(table: *const c_void) -> Self;
}

/// An interface that `P` implements.
///
/// # Safety
///
/// As for [`Interface`].
#[doc(hidden)]
pub unsafe trait Implemented<P>: Interface {
    /// The plugin's table.
    const TABLE: Self;
}
