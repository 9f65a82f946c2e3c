//! What [`export!`](crate::export!) puts into the library: its handshake, and the entry by which a host finds the
//! rest.

use std::ffi::c_void;

use crate::allocator::{Heap, allocate_from};
use crate::hooks::{HookTable, Hooks};
#[cfg(unloads)]
use crate::interpose;
use crate::line::Line;
use crate::services::Attach;
use crate::table::Interface;

/// The entry of a plugin: what a host needs to know of it beside its handshake. A host finds it by the name
/// `replug_entry`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// The functions of the interface, as many as the handshake says.
    pub(crate) table: *const c_void,
    pub(crate) hooks: *const HookTable,
    /// Takes the host's services; a plugin without this function asks libc, and stays mapped.
    pub(crate) attach: Option<Attach>,
}

// SAFETY: an entry points to constants.
unsafe impl Sync for Entry {}

impl Entry {
    /// The entry of a plugin with this table and no hooks. Whoever has a table of an interface has a true one: safe code
    /// makes none.
    pub const fn new<T: Interface>(table: &'static T) -> Entry {
        Entry {
            table: (&raw const *table).cast(),
            hooks: std::ptr::null(),
            #[cfg(unloads)]
            attach: Some(interpose::attach),
            #[cfg(not(unloads))]
            attach: None,
        }
    }

    /// This entry with the hooks of `P`.
    pub const fn with_hooks<P: Hooks>(self) -> Entry {
        Entry {
            hooks: HookTable::of::<P>(),
            ..self
        }
    }

    /// The functions of the interface.
    ///
    /// # Safety
    ///
    /// The pointer is used while the image of this entry is mapped, as a table of the interface in its handshake.
    pub unsafe fn table(&self) -> *const c_void {
        self.table
    }

    /// The hooks; null if the plugin has none.
    ///
    /// # Safety
    ///
    /// The pointer is used while the image of this entry is mapped.
    pub unsafe fn hooks(&self) -> *const HookTable {
        self.hooks
    }

    /// The function that takes the host's services.
    ///
    /// # Safety
    ///
    /// The function is called while the image of this entry is mapped.
    pub unsafe fn attach(&self) -> Option<Attach> {
        self.attach
    }
}

/// What a plugin has beside its entry if it exchanges ordinary Rust with its host. A host finds it by the name
/// `replug_ordinary`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Ordinary {
    pub(crate) line: Option<fn() -> Line>,
    pub(crate) allocate_from: Option<unsafe extern "C" fn(*const Heap) -> bool>,
}

impl Ordinary {
    /// That of a plugin with this interface; nothing if the interface is plain.
    pub const fn of<T: Interface>() -> Ordinary {
        Ordinary {
            line: T::LINE,
            allocate_from: match T::LINE {
                Some(_) => Some(allocate_from),
                None => None,
            },
        }
    }

    /// The function that leads to the line of the interface.
    ///
    /// # Safety
    ///
    /// The function is called while the image of this plugin is mapped, by a host of the same compiler.
    pub unsafe fn line(&self) -> Option<fn() -> Line> {
        self.line
    }

    /// The function that takes the host's allocator; false if the plugin has memory of another one already.
    ///
    /// # Safety
    ///
    /// As for [`line`](Ordinary::line). The function is called before any other of the plugin.
    pub unsafe fn allocate_from(&self) -> Option<unsafe extern "C" fn(*const Heap) -> bool> {
        self.allocate_from
    }
}

/// Makes a plugin of a type that implements an interface. The macro is used once, in a `cdylib`.
///
/// The library then carries a handshake, which a host reads out of the file and compares with its own declaration
/// before any code of the library runs. A function that is missing or has another type is a compile error.
///
/// `export!(Type: Interface)` is for a plugin without hooks, `export!(Type: Interface + Hooks)` for one with
/// [`Hooks`].
///
/// On Linux with glibc on x86-64 the library asks its host instead of libc for what concerns threads, so that it can
/// be unmapped. The library gets an allocator: that of its host if ordinary Rust crosses, and otherwise the system's,
/// but for the buffer of standard output, which std would leave behind. A plugin with a `#[global_allocator]` of its own
/// adds `, own_allocator`; then only plain data can cross.
///
/// # Examples
///
/// ```
/// replug_plugin::interface! {
///     /// Adds.
///     pub interface Adder, plugin trait Add, version 1 {
///         /// The sum.
///         fn add(one: u32, other: u32) -> u32;
///     }
/// }
///
/// struct Wrapping;
///
/// impl Add for Wrapping {
///     fn add(one: u32, other: u32) -> u32 {
///         one.wrapping_add(other)
///     }
/// }
///
/// replug_plugin::export!(Wrapping: Adder);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! export {
    ($Plugin:ident: $($Interface:ident)::+) => {
        $crate::export!(@ $Plugin, $($Interface)::+, without_hooks, hosts_allocator);
    };
    ($Plugin:ident: $($Interface:ident)::+ + Hooks) => {
        $crate::export!(@ $Plugin, $($Interface)::+, with_hooks, hosts_allocator);
    };
    ($Plugin:ident: $($Interface:ident)::+, own_allocator) => {
        $crate::export!(@ $Plugin, $($Interface)::+, without_hooks, own_allocator);
    };
    ($Plugin:ident: $($Interface:ident)::+ + Hooks, own_allocator) => {
        $crate::export!(@ $Plugin, $($Interface)::+, with_hooks, own_allocator);
    };
    // The entry is made in here and nowhere else: of this table, under this handshake.
    (@entry $Plugin:ty, without_hooks) => { $crate::__private::Entry::new(&REPLUG_TABLE) };
    (@entry $Plugin:ty, with_hooks) => {
        $crate::__private::Entry::new(&REPLUG_TABLE).with_hooks::<$Plugin>()
    };
    (@memory $Interface:ty, hosts_allocator) => { $crate::__allocate!(); };
    (@memory $Interface:ty, own_allocator) => {
        const _: () = $crate::__core::assert!(
            $crate::__core::option::Option::is_none(&<$Interface as $crate::Interface>::LINE),
            "a plugin with an allocator of its own cannot exchange ordinary Rust with its host: each side frees what the \
            other has allocated; leave out `own_allocator` and the `#[global_allocator]`, or declare plain data",
        );
    };
    // Nothing of it is left out by who calls this arm: each library has its allocator, or exchanges plain data.
    (@ $Plugin:ty, $Interface:ty, $hooks:ident, $memory:ident) => {
        $crate::__interpose!();
        $crate::export!(@memory $Interface, $memory);

        const _: () = {
            const REPLUG_DECLARATION: &$crate::__core::primitive::str = <$Interface as $crate::Interface>::DECLARATION;
            const REPLUG_PANICS: &$crate::__core::primitive::str =
                if $crate::__core::cfg!(panic = "unwind") { "unwind" } else { "abort" };
            const REPLUG_LEN: $crate::__core::primitive::usize =
                $crate::__private::handshake_len(REPLUG_DECLARATION, REPLUG_PANICS);

            static REPLUG_TABLE: $Interface =
                <$Interface as $crate::__private::Implemented<$Plugin>>::TABLE;

            /// The handshake, which a host compares with its own declaration: text with a NUL at its end.
            // SAFETY: the name is replug's own.
            #[unsafe(no_mangle)]
            #[used]
            pub static replug_handshake: [$crate::__core::primitive::u8; REPLUG_LEN] =
                $crate::__private::handshake_text(REPLUG_DECLARATION, REPLUG_PANICS);

            /// The entry, where a host finds the functions.
            // SAFETY: the name is replug's own.
            #[unsafe(no_mangle)]
            #[used]
            pub static replug_entry: $crate::__private::Entry =
                $crate::export!(@entry $Plugin, $hooks);

            /// What only a plugin of the rust level has.
            // SAFETY: the name is replug's own.
            #[unsafe(no_mangle)]
            #[used]
            pub static replug_ordinary: $crate::__private::Ordinary =
                $crate::__private::Ordinary::of::<$Interface>();
        };
    };
}

/// Does nothing: this system's plugins ask libc themselves.
#[cfg(not(unloads))]
#[doc(hidden)]
#[macro_export]
macro_rules! __interpose {
    () => {};
}
