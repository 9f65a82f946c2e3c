//! What [`export!`](crate::export!) puts into the library: its handshake, and the entry by which a host finds the
//! rest.

use std::ffi::c_void;

use crate::allocator::{Heap, allocate_from};
use crate::hooks::{HookTable, Hooks};
#[cfg(unloads)]
use crate::interpose;
use crate::line::Line;
use crate::pending::alive;
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
    pub(crate) alive: unsafe extern "C" fn() -> usize,
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
            alive,
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

    /// The function that counts the futures of the plugin that live.
    ///
    /// # Safety
    ///
    /// As for [`line`](Ordinary::line).
    pub unsafe fn alive(&self) -> unsafe extern "C" fn() -> usize {
        self.alive
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
/// `export!(Type: Interface, state: State as serde_json)` keeps a state of the plugin's own, with or without `+ Hooks`:
/// `Type::state()` lends it to a call, and the next generation takes it over. `State` is `Default` and [`Send`].
/// `serde_json` is any module with `to_vec` and `from_slice`; those of serde's formats are named by the plugin's own
/// `Cargo.toml`. Another form of the state gets another `version 2`, and `migrate function` for what older builds have
/// saved: a `fn(u32, &[u8]) -> Result<State, impl Display>` with the version and the bytes. What cannot be taken over is
/// kept out, and the generation before stays.
///
/// On Linux with glibc on x86-64 and aarch64 the library asks its host instead of libc for what concerns threads, so that it can
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
///
/// A plugin that counts, and goes on counting in the next generation:
///
/// ```
/// use serde::{Deserialize, Serialize};
///
/// replug_plugin::interface! {
///     /// Counts.
///     pub interface Counter, plugin trait Count, version 1 {
///         /// One more.
///         fn count() -> u64;
///     }
/// }
///
/// #[derive(Default, Serialize, Deserialize)]
/// struct Book {
///     calls: u64,
///     // New in this build; what an older one has saved does not have it.
///     #[serde(default)]
///     since: Option<String>,
/// }
///
/// struct Counting;
///
/// impl Count for Counting {
///     fn count() -> u64 {
///         let mut book = Counting::state();
///         book.calls += 1;
///         book.calls
///     }
/// }
///
/// replug_plugin::export!(Counting: Counter, state: Book as serde_json);
/// # fn main() { assert_eq!(Counting::count(), 1); assert_eq!(Counting::count(), 2); }
/// ```
#[macro_export]
macro_rules! export {
    ($Plugin:ident: $($Interface:ident)::+ + Hooks $(, $($rest:tt)*)?) => {
        $crate::export!(@rest $Plugin, $($Interface)::+, [Hooks], $($($rest)*)?);
    };
    ($Plugin:ident: $($Interface:ident)::+ $(, $($rest:tt)*)?) => {
        $crate::export!(@rest $Plugin, $($Interface)::+, [], $($($rest)*)?);
    };
    (@rest $Plugin:ty, $Interface:ty, $hooks:tt, $(,)?) => {
        $crate::export!(@ $Plugin, $Interface, $hooks, [], hosts_allocator);
    };
    (@rest $Plugin:ty, $Interface:ty, $hooks:tt, own_allocator $(,)?) => {
        $crate::export!(@ $Plugin, $Interface, $hooks, [], own_allocator);
    };
    (
        @rest $Plugin:ty, $Interface:ty, $hooks:tt,
        state: $State:ty as $($format:ident)::+ $(, version $version:literal)? $(, migrate $migrate:path)?
        $(,)?
    ) => {
        $crate::export!(
            @ $Plugin, $Interface, $hooks, [$State, ($($format::)+), ($($version)?), ($($migrate)?)],
            hosts_allocator
        );
    };
    (
        @rest $Plugin:ty, $Interface:ty, $hooks:tt,
        state: $State:ty as $($format:ident)::+ $(, version $version:literal)? $(, migrate $migrate:path)?
        , own_allocator $(,)?
    ) => {
        $crate::export!(
            @ $Plugin, $Interface, $hooks, [$State, ($($format::)+), ($($version)?), ($($migrate)?)],
            own_allocator
        );
    };
    // The entry is made in here and nowhere else: of this table, under this handshake.
    (@entry $Plugin:ty, [], []) => { $crate::__private::Entry::new(&REPLUG_TABLE) };
    (@entry $Plugin:ty, [Hooks], []) => {
        $crate::__private::Entry::new(&REPLUG_TABLE).with_hooks::<$Plugin>()
    };
    (@entry $Plugin:ty, $hooks:tt, $state:tt) => {
        $crate::__private::Entry::new(&REPLUG_TABLE).with_hooks::<$crate::__private::Keeper<$Plugin>>()
    };
    (@state $Plugin:ty, $hooks:tt, []) => {};
    (@state $Plugin:ty, $hooks:tt, [$State:ty, ($($to:tt)*), ($($version:literal)?), ($($migrate:path)?)]) => {
        static REPLUG_STATE: $crate::__private::State<$State> = $crate::__private::State::new();

        impl $Plugin {
            /// The plugin's own state, which the next generation takes over. Other threads wait until it is dropped.
            ///
            /// # Panics
            ///
            /// If this thread has the state already, or the plugin was stopped.
            #[track_caller]
            pub(crate) fn state() -> $crate::StateGuard<'static, $State> {
                $crate::__private::State::lend(&REPLUG_STATE)
            }
        }

        // A plugin need not ask for its state.
        const _: fn() -> $crate::StateGuard<'static, $State> = <$Plugin>::state;

        $crate::export!(@once $Plugin, $hooks);

        // The keeper itself has no name in here, where it would hide a type of the user's.
        impl $crate::__private::Keeps for $Plugin {
            const VERSION: $crate::__core::primitive::u32 = $crate::export!(@version $($version)?);

            fn init() -> $crate::__core::result::Result<(), $crate::HookError> {
                $crate::__private::State::init(&REPLUG_STATE, || $crate::export!(@hook $Plugin, $hooks, init))
            }

            fn stop() -> $crate::__core::result::Result<(), $crate::HookError> {
                $crate::__private::State::stop(&REPLUG_STATE, || $crate::export!(@hook $Plugin, $hooks, stop))
            }

            fn save(
                bytes: &mut $crate::__private::Vec<$crate::__core::primitive::u8>,
            ) -> $crate::__core::result::Result<(), $crate::HookError> {
                $crate::__private::State::save(&REPLUG_STATE, bytes, |state| $($to)* to_vec(state))
            }

            fn restore(
                version: $crate::__core::primitive::u32,
                bytes: &[$crate::__core::primitive::u8],
            ) -> $crate::__core::result::Result<(), $crate::HookError> {
                $crate::__private::State::restore(
                    &REPLUG_STATE,
                    [$crate::export!(@version $($version)?), version],
                    bytes,
                    |bytes| $($to)* from_slice(bytes),
                    $crate::export!(@migrate $($migrate)?),
                )
            }
        }
    };
    (@hook $Plugin:ty, [], $hook:ident) => { $crate::__core::result::Result::Ok(()) };
    (@hook $Plugin:ty, [Hooks], $hook:ident) => { $crate::export!(@run $Plugin, $hook) };
    (@run $Plugin:ty, init) => { $crate::__private::init::<$Plugin>() };
    (@run $Plugin:ty, stop) => { <$Plugin as $crate::Hooks>::stop() };
    (@once $Plugin:ty, []) => {};
    (@once $Plugin:ty, [Hooks]) => {
        const _: () = $crate::__core::assert!(
            $crate::__core::option::Option::is_none(&<$Plugin as $crate::Hooks>::STATE),
            "the state is kept twice: leave out `state:` in `export!`, or `STATE`, `save` and `restore` in `Hooks`",
        );
    };
    (@version) => { 1 };
    (@version $version:literal) => { $version };
    (@migrate) => {
        $crate::__core::option::Option::None::<fn($crate::__core::primitive::u32, &[$crate::__core::primitive::u8]) -> $crate::__core::result::Result<_, $crate::HookError>>
    };
    (@migrate $migrate:path) => { $crate::__core::option::Option::Some($migrate) };
    (@memory $Interface:ty, hosts_allocator) => { $crate::__allocate!(); };
    (@memory $Interface:ty, own_allocator) => {
        const _: () = $crate::__core::assert!(
            $crate::__core::option::Option::is_none(&<$Interface as $crate::Interface>::LINE),
            "a plugin with an allocator of its own cannot exchange ordinary Rust with its host: each side frees what the \
            other has allocated; leave out `own_allocator` and the `#[global_allocator]`, or declare plain data",
        );
    };
    // Nothing of it is left out by who calls this arm: each library has its allocator, or exchanges plain data.
    (@ $Plugin:ty, $Interface:ty, $hooks:tt, $state:tt, $memory:ident) => {
        // Its name is what the compiler says of a second `export!`.
        #[allow(dead_code)]
        const A_LIBRARY_HAS_ONE_EXPORT: () = ();
        $crate::__interpose!();
        $crate::export!(@memory $Interface, $memory);

        const _: () = {
            const REPLUG_DECLARATION: &$crate::__core::primitive::str = <$Interface as $crate::Interface>::DECLARATION;
            const REPLUG_PANICS: &$crate::__core::primitive::str =
                if $crate::__core::cfg!(panic = "unwind") { "unwind" } else { "abort" };
            const REPLUG_LEN: $crate::__core::primitive::usize =
                $crate::__private::handshake_len(REPLUG_DECLARATION, REPLUG_PANICS);

            $crate::export!(@state $Plugin, $hooks, $state);

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
                $crate::export!(@entry $Plugin, $hooks, $state);

            /// What only a plugin of the rust level has.
            // SAFETY: the name is replug's own.
            #[unsafe(no_mangle)]
            #[used]
            pub static replug_ordinary: $crate::__private::Ordinary =
                $crate::__private::Ordinary::of::<$Interface>();
        };
    };
    ($($other:tt)*) => {
        $crate::__core::compile_error!(
            "`export!` takes `Type: Interface`, and then, in this order and each only if it is wanted: `+ Hooks`, \
            `, state: Type as serde_json`, `, version 2`, `, migrate function`, `, own_allocator`"
        );
    };
}

/// Does nothing: this system's plugins ask libc themselves.
#[cfg(not(unloads))]
#[doc(hidden)]
#[macro_export]
macro_rules! __interpose {
    () => {};
}
