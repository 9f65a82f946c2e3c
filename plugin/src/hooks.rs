//! The turning points of a plugin's life, and how its own state gets over to the next generation.

use std::error::Error;
use std::marker::PhantomData;
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::answer::{Answered, try_answer};
use crate::sink::{RawSink, Sink};
use crate::wire::{Call, Carried, RawSlice};

/// The error of a hook. Its `Display` is what the host is told.
pub type HookError = Box<dyn Error + Send + Sync>;

/// The hooks of a plugin: what it does at the turning points of its life, and how its own state gets over to the next
/// generation.
///
/// All hooks run on the host's owner thread, in this order, when a new generation takes the place of an old one:
///
/// 1. `init` of the new generation. If `init` fails, the old generation stays.
/// 2. `save` of the old generation, if it has a [`STATE`](Hooks::STATE). If `save` fails, the old generation stays.
/// 3. `restore` of the new generation. If `restore` fails, the old generation stays; it still has its state, for
///    saving takes nothing away.
/// 4. The swap. From here on calls reach the new generation.
/// 5. `stop` of the old generation, when no call of it is in progress on another thread; and of a new generation that
///    got as far as `init` and no further. If `stop` fails, that is reported, and the generation is retired all the
///    same.
///
/// Changes that calls from other threads make in the old generation after step 2 are not carried over.
///
/// # Examples
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use replug_plugin::{HookError, Hooks};
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
    /// The version of the state that `save` writes; `None` for a plugin that keeps no state.
    const STATE: Option<u32> = None;

    /// Runs before the first call.
    ///
    /// # Errors
    ///
    /// If this generation cannot work. The generation before stays.
    fn init() -> Result<(), HookError> {
        Ok(())
    }

    /// Runs after the last call, unless the host is dropped before. Threads that the plugin started end here, or its
    /// image stays mapped.
    ///
    /// # Errors
    ///
    /// If something could not be ended. The generation is retired all the same.
    fn stop() -> Result<(), HookError> {
        Ok(())
    }

    /// Writes the plugin's own state, without taking it away. A plugin that writes this function and has no
    /// [`STATE`](Hooks::STATE) is kept out, because nothing would ask for what it saves.
    ///
    /// # Errors
    ///
    /// If the state cannot be written. This generation stays.
    fn save(_state: &mut Vec<u8>) -> Result<(), HookError> {
        IS_UNWRITTEN.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Takes over the state that the generation before saved, with the version that it gave.
    ///
    /// # Errors
    ///
    /// If the version is unknown or the state is damaged. The generation before stays.
    fn restore(version: u32, _state: &[u8]) -> Result<(), HookError> {
        Err(format!("it has no use for state of version {version}").into())
    }
}

/// Whether the last `save` that ran was that of the trait, which is nobody's. No constant tells the two apart.
static IS_UNWRITTEN: AtomicBool = AtomicBool::new(false);

/// Runs `init`, unless the plugin saves a state that nothing would ask for. `save` takes nothing away, so it can be tried.
///
/// # Errors
///
/// As `init`, or if there is a `save` and no `STATE`.
pub fn init<P: Hooks>() -> Result<(), HookError> {
    if P::STATE.is_none() {
        IS_UNWRITTEN.store(false, Ordering::Relaxed);
        let _ = panic::catch_unwind(|| P::save(&mut Vec::new()));
        if !IS_UNWRITTEN.load(Ordering::Relaxed) {
            return Err("its `Hooks` have `save` and no `STATE`, so nothing would ask for what it saves; add `const STATE: \
                Option<u32> = Some(1);`, or leave out `save`"
                .into());
        }
    }
    P::init()
}

/// The hooks as C sees them. Safe code can neither make a table nor call through one.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct HookTable {
    /// As [`Hooks::init`].
    pub(crate) init: unsafe extern "C" fn() -> Answered<()>,
    /// As [`Hooks::stop`].
    pub(crate) stop: unsafe extern "C" fn() -> Answered<()>,
    /// Writes the state and returns its version, if there is any.
    pub(crate) save: Option<unsafe extern "C" fn(RawSink) -> Answered<u32>>,
    /// As [`Hooks::restore`].
    pub(crate) restore: unsafe extern "C" fn(u32, RawSlice<u8>) -> Answered<()>,
}

impl HookTable {
    /// The hooks of `P`.
    pub(crate) const fn of<P: Hooks>() -> *const HookTable {
        Hooked::<P>::TABLE
    }

    /// Calls `init`.
    ///
    /// # Safety
    ///
    /// The table is that of an image which is mapped.
    pub unsafe fn init(&self) -> Answered<()> {
        // SAFETY: the caller vouches for the image.
        unsafe { (self.init)() }
    }

    /// Calls `stop`.
    ///
    /// # Safety
    ///
    /// As for [`init`](HookTable::init).
    pub unsafe fn stop(&self) -> Answered<()> {
        // SAFETY: the caller vouches for the image.
        unsafe { (self.stop)() }
    }

    /// Calls `save`; `None` if the plugin keeps no state.
    ///
    /// # Safety
    ///
    /// As for [`init`](HookTable::init).
    pub unsafe fn save(&self, state: Sink<'_>) -> Option<Answered<u32>> {
        // SAFETY: the caller vouches for the image, and the sink is lent for the call.
        self.save.map(|save| unsafe { save(state.send()) })
    }

    /// Calls `restore`.
    ///
    /// # Safety
    ///
    /// As for [`init`](HookTable::init).
    pub unsafe fn restore(&self, version: u32, state: &[u8]) -> Answered<()> {
        // SAFETY: the caller vouches for the image, and the state is lent for the call.
        unsafe { (self.restore)(version, RawSlice::of(state)) }
    }
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
        try_answer(init::<P>)
    }

    unsafe extern "C" fn stop() -> Answered<()> {
        try_answer(P::stop)
    }

    unsafe extern "C" fn save(sink: RawSink) -> Answered<u32> {
        try_answer(|| {
            // The state is written to the plugin's own memory first: a save that fails half-way hands nothing over.
            let mut state = Vec::new();
            P::save(&mut state)?;
            let call = Call::begin();
            // SAFETY: the host lends the sink for the call.
            unsafe { Sink::receive(sink, &call) }.write(&state);
            Ok::<u32, HookError>(P::STATE.unwrap_or_default())
        })
    }

    unsafe extern "C" fn restore(version: u32, state: RawSlice<u8>) -> Answered<()> {
        try_answer(|| {
            // SAFETY: the host lends the state for the call.
            P::restore(version, unsafe { state.get() })
        })
    }
}
