//! The plugin's side: what [`export!`](crate::export!) puts into the library, and the hooks around its life.

use std::error::Error;
use std::ffi::c_void;
use std::marker::PhantomData;

use super::answer::{Answered, try_answer};
#[cfg(unloads)]
pub use super::interpose;
#[doc(hidden)]
pub use super::services;
use super::services::Attach;
use super::sink::{RawSink, Sink};
use super::wire::{Argument, RawSlice};

/// What a host needs to know of a plugin, beside its handshake. It is found under the name `replug_entry`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// The functions of the interface, as many as the handshake says.
    pub(super) table: *const c_void,
    pub(super) hooks: *const HookTable,
    /// Takes the host's services; a plugin that has none asks libc, and stays mapped.
    pub(super) attach: Option<Attach>,
}

// SAFETY: it points to constants.
unsafe impl Sync for Entry {}

impl Entry {
    /// For a plugin with this table and no hooks.
    pub const fn new<T>(table: &'static T) -> Entry {
        Entry {
            table: (&raw const *table).cast(),
            hooks: std::ptr::null(),
            #[cfg(unloads)]
            attach: Some(interpose::attach),
            #[cfg(not(unloads))]
            attach: None,
        }
    }

    /// The same with the hooks of `P`.
    pub const fn with_hooks<P: Hooks>(self) -> Entry {
        Entry {
            hooks: Hooked::<P>::TABLE,
            ..self
        }
    }
}

/// What failed in a hook. Its `Display` is what the host is told.
pub type HookError = Box<dyn Error + Send + Sync>;

/// What a plugin does at the turning points of its life, and how its own state gets over to the next generation.
///
/// All of them run on the host's owner thread, in this order, when a new generation takes the place of an old one:
///
/// 1. `init` of the new one. If it fails, the old one stays.
/// 2. `save` of the old one, if it has a [`STATE`](Hooks::STATE). If it fails, the old one stays.
/// 3. `restore` of the new one. If it fails, the old one stays; it still has its state, for saving takes nothing away.
/// 4. The swap. From here on calls reach the new one.
/// 5. `stop` of the old one, when no call of it is in progress on another thread; and of a new one that got as far as
///    `init` and no further. If it fails, that is said, and the generation is retired all the same.
///
/// What calls from other threads change in the old generation after 2 is not carried over.
///
/// # Examples
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use replug::{HookError, Hooks};
///
/// static CALLS: AtomicU64 = AtomicU64::new(0);
///
/// struct Counting;
///
/// impl Hooks for Counting {
///     const STATE: Option<u32> = Some(1);
///
///     fn save(state: &mut Vec<u8>) -> Result<(), HookError> {
///         state.extend(CALLS.load(Ordering::Relaxed).to_le_bytes());
///         Ok(())
///     }
///
///     fn restore(version: u32, state: &[u8]) -> Result<(), HookError> {
///         if version != 1 {
///             return Err(format!("state of version {version} is unknown").into());
///         }
///         CALLS.store(u64::from_le_bytes(state.try_into()?), Ordering::Relaxed);
///         Ok(())
///     }
/// }
/// ```
pub trait Hooks {
    /// The version of the state that `save` writes; `None` for a plugin that keeps none.
    const STATE: Option<u32> = None;

    /// Before the first call.
    ///
    /// # Errors
    ///
    /// If this generation cannot work. The one before stays.
    fn init() -> Result<(), HookError> {
        Ok(())
    }

    /// After the last call, unless the host is dropped before. Threads that it started end here, or its image stays mapped.
    ///
    /// # Errors
    ///
    /// If something could not be ended. The generation is retired all the same.
    fn stop() -> Result<(), HookError> {
        Ok(())
    }

    /// Writes the plugin's own state, without taking it away.
    ///
    /// # Errors
    ///
    /// If it cannot be written. This generation stays.
    fn save(_state: &mut Vec<u8>) -> Result<(), HookError> {
        Ok(())
    }

    /// Takes over what the generation before saved, with the version that it gave.
    ///
    /// # Errors
    ///
    /// If the version is unknown or the state is damaged. The one before stays.
    fn restore(version: u32, _state: &[u8]) -> Result<(), HookError> {
        Err(format!("it has no use for state of version {version}").into())
    }
}

/// The hooks as C sees them.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct HookTable {
    pub(super) init: unsafe extern "C" fn() -> Answered<()>,
    pub(super) stop: unsafe extern "C" fn() -> Answered<()>,
    /// Writes the state and returns its version, if there is any.
    pub(super) save: Option<unsafe extern "C" fn(RawSink) -> Answered<u32>>,
    pub(super) restore: unsafe extern "C" fn(u32, RawSlice<u8>) -> Answered<()>,
}

struct Hooked<P>(PhantomData<P>);

impl<P: Hooks> Hooked<P> {
    const TABLE: *const HookTable = &HookTable {
        init: Self::init,
        stop: Self::stop,
        save: match P::STATE {
            Some(_) => Some(Self::save),
            None => None,
        },
        restore: Self::restore,
    };

    unsafe extern "C" fn init() -> Answered<()> {
        try_answer(P::init)
    }

    unsafe extern "C" fn stop() -> Answered<()> {
        try_answer(P::stop)
    }

    unsafe extern "C" fn save(sink: RawSink) -> Answered<u32> {
        try_answer(|| {
            // Written to memory of the plugin's first: a save that fails half-way hands nothing over.
            let mut state = Vec::new();
            P::save(&mut state)?;
            // SAFETY: the host lends it for the call.
            unsafe { Sink::receive(sink) }.write(&state);
            Ok::<u32, HookError>(P::STATE.unwrap_or_default())
        })
    }

    unsafe extern "C" fn restore(version: u32, state: RawSlice<u8>) -> Answered<()> {
        try_answer(|| {
            // SAFETY: the host lends it for the call.
            P::restore(version, unsafe { state.get() })
        })
    }
}

/// Makes a library of a type that implements an interface. Say it once, in a `cdylib`.
///
/// The library then carries a handshake, which a host reads out of the file and compares with its own declaration
/// before anything runs. A function that is missing or has another type is a compile error.
///
/// `export!(Type: Interface)` is for a plugin without hooks, `export!(Type: Interface + Hooks)` for one with
/// [`Hooks`].
///
/// On Linux with glibc on x86-64 the library asks its host instead of libc for what concerns threads, so that it can be
/// [unmapped](crate::Unload), and gets an allocator that is the system's but for the buffer of standard output, which std
/// would leave behind. A plugin with a `#[global_allocator]` of its own adds `, own_allocator`.
///
/// # Examples
///
/// ```
/// replug::interface! {
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
/// replug::export!(Wrapping: Adder);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! export {
    ($Plugin:ident: $($Interface:ident)::+) => {
        $crate::export!($Plugin: $($Interface)::+, own_allocator);
        $crate::allocate!();
    };
    ($Plugin:ident: $($Interface:ident)::+ + Hooks) => {
        $crate::export!($Plugin: $($Interface)::+ + Hooks, own_allocator);
        $crate::allocate!();
    };
    ($Plugin:ident: $($Interface:ident)::+, own_allocator) => {
        $crate::export!(@ $Plugin, $($Interface)::+, $crate::export::Entry::new(&TABLE));
    };
    ($Plugin:ident: $($Interface:ident)::+ + Hooks, own_allocator) => {
        $crate::export!(
            @ $Plugin, $($Interface)::+, $crate::export::Entry::new(&TABLE).with_hooks::<$Plugin>()
        );
    };
    (@ $Plugin:ty, $Interface:ty, $entry:expr) => {
        $crate::interpose!();

        #[allow(unsafe_code)]
        const _: () = {
            const DECLARATION: &str = <$Interface as $crate::interface::Interface>::DECLARATION;
            const PANICS: &str = if ::core::cfg!(panic = "unwind") { "unwind" } else { "abort" };
            const LEN: usize = $crate::interface::handshake_len(DECLARATION, PANICS);

            static TABLE: $Interface = <$Interface as $crate::interface::Implemented<$Plugin>>::TABLE;

            /// What a host compares with its own declaration: text with a NUL at its end.
            // SAFETY: the name is replug's own.
            #[unsafe(no_mangle)]
            #[used]
            pub static replug_handshake: [u8; LEN] =
                $crate::interface::handshake_text(DECLARATION, PANICS);

            /// Where a host finds the functions.
            // SAFETY: the name is replug's own.
            #[unsafe(no_mangle)]
            #[used]
            pub static replug_entry: $crate::export::Entry = $entry;
        };
    };
}

/// Where nothing is interposed.
#[cfg(not(unloads))]
#[doc(hidden)]
#[macro_export]
macro_rules! interpose {
    () => {};
}

/// Where nothing is interposed, the allocator is the plugin's own business.
#[cfg(not(unloads))]
#[doc(hidden)]
#[macro_export]
macro_rules! allocate {
    () => {};
}
