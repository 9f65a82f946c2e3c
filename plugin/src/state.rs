//! The state of a plugin that [`export!`](crate::export!) keeps: one value, in which calls work, and which the next
//! generation takes over as bytes.

use std::any::type_name;
use std::fmt::{self, Debug, Display};
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use crate::hooks::{HookError, Hooks};

/// The state of a plugin, for all its threads. Nothing is made before somebody asks for it.
pub struct State<T> {
    value: Mutex<Option<T>>,
    /// The thread that has the value now.
    holder: AtomicPtr<u8>,
    /// Whether the plugin was stopped. What it made afterwards would be lost.
    is_ended: AtomicBool,
}

/// The plugin's own state, lent to the thread that asked for it. Other threads wait until it is dropped.
pub struct StateGuard<'a, T> {
    value: MutexGuard<'a, Option<T>>,
    holder: &'a AtomicPtr<u8>,
}

/// A function that makes a state of what a build with another version of it has saved.
type Migrate<T, E> = fn(u32, &[u8]) -> Result<T, E>;

#[expect(clippy::new_without_default, reason = "it is made in a constant")]
impl<T> State<T> {
    /// A state that nobody has asked for.
    pub const fn new() -> State<T> {
        State {
            value: Mutex::new(None),
            holder: AtomicPtr::new(std::ptr::null_mut()),
            is_ended: AtomicBool::new(false),
        }
    }

    /// Runs the plugin's own `init`. If that fails, the value is dropped, because nobody stops the plugin then.
    ///
    /// # Errors
    ///
    /// As `init`.
    pub fn init(&self, init: impl FnOnce() -> Result<(), HookError>) -> Result<(), HookError> {
        let begun = panic::catch_unwind(AssertUnwindSafe(init));
        if !matches!(begun, Ok(Ok(()))) {
            let _ = self.end();
        }
        begun.unwrap_or_else(|payload| panic::resume_unwind(payload))
    }

    /// Runs the plugin's own `stop`, and drops the value, whatever comes of that.
    ///
    /// # Errors
    ///
    /// As `stop`, or if a call has the value.
    pub fn stop(&self, stop: impl FnOnce() -> Result<(), HookError>) -> Result<(), HookError> {
        let stopped = panic::catch_unwind(AssertUnwindSafe(stop));
        let ended = self.end();
        stopped.unwrap_or_else(|payload| panic::resume_unwind(payload))?;
        ended
    }

    /// Drops the value, with the code of the plugin that made it. Waits for nobody: the owner of the host may be what a call
    /// waits for.
    fn end(&self) -> Result<(), HookError> {
        self.is_ended.store(true, Ordering::Relaxed);
        let value = match self.value.try_lock() {
            Ok(mut value) => value.take(),
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner().take(),
            Err(TryLockError::WouldBlock) => {
                return Err(
                    "a call that is in progress has the plugin's state, which stays".into(),
                );
            }
        };
        // Dropped when nobody is kept waiting: what is in it may wait for a thread that asks for the state.
        drop(value);
        Ok(())
    }

    /// Lends the value; `None` in it if there is none yet.
    fn take_hold(&self) -> Result<StateGuard<'_, T>, HookError> {
        let this_thread = this_thread();
        // Only this thread writes its own address there.
        if self.holder.load(Ordering::Relaxed) == this_thread {
            return Err("this thread has the plugin's state already, in a call that is in progress, or has forgotten to \
                give it back"
                .into());
        }
        // A call that panicked may have left half of its work. Its host was told, and the state is all there is.
        let value = self.value.lock().unwrap_or_else(PoisonError::into_inner);
        self.holder.store(this_thread, Ordering::Relaxed);
        Ok(StateGuard {
            value,
            holder: &self.holder,
        })
    }
}

impl<T: Default> State<T> {
    /// The value, which is [`Default`] if no generation before has left one.
    ///
    /// # Panics
    ///
    /// If this thread has the value already, or the plugin was stopped.
    #[track_caller]
    pub fn lend(&self) -> StateGuard<'_, T> {
        match self.take_hold() {
            Ok(mut guard) => {
                assert!(
                    !self.is_ended.load(Ordering::Relaxed),
                    "the plugin was stopped, and its state is gone"
                );
                guard.value.get_or_insert_default();
                guard
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Writes the value as bytes, without taking it away.
    ///
    /// # Errors
    ///
    /// If this thread has the value, or if it cannot be written.
    pub fn save<E: Display>(
        &self,
        bytes: &mut Vec<u8>,
        write: impl FnOnce(&T) -> Result<Vec<u8>, E>,
    ) -> Result<(), HookError> {
        let mut guard = self.take_hold()?;
        let value = guard.value.get_or_insert_default();
        let written = write(value).map_err(|error| format!("`{}`: {error}", type_name::<T>()))?;
        bytes.extend(written);
        Ok(())
    }

    /// Takes over the value that a generation before has written as `version`, of which this one knows `own`.
    ///
    /// # Errors
    ///
    /// If this thread has the value, or if the bytes cannot be read as one.
    pub fn restore<E: Display, M: Display>(
        &self,
        [own, version]: [u32; 2],
        bytes: &[u8],
        read: impl FnOnce(&[u8]) -> Result<T, E>,
        migrate: Option<Migrate<T, M>>,
    ) -> Result<(), HookError> {
        let name = type_name::<T>();
        let value = match (version == own, migrate) {
            (true, _) => read(bytes).map_err(|error| {
                format!(
                    "what was saved is no `{name}`: {error}; a new field needs a default, as by `#[serde(default)]`, and \
                    any other change a new `version` and a `migrate` function"
                )
            })?,
            (false, Some(migrate)) => migrate(version, bytes).map_err(|error| {
                format!("a state of version {version} could not be made a `{name}` of version {own}: {error}")
            })?,
            (false, None) => {
                return Err(format!(
                    "its `{name}` is of version {own}, the saved state of version {version}, and there is no `migrate` \
                    function"
                )
                .into());
            }
        };
        let before = self.take_hold()?.value.replace(value);
        // One that `init` made, dropped when nobody is kept waiting.
        drop(before);
        Ok(())
    }
}

/// A plugin whose state is kept, as `export!` writes it down. The functions are those of [`Hooks`].
pub trait Keeps {
    /// The version of the state.
    const VERSION: u32;

    /// Runs the plugin's own `init`.
    ///
    /// # Errors
    ///
    /// As [`State::init`].
    fn init() -> Result<(), HookError>;

    /// Runs the plugin's own `stop`, and drops the state.
    ///
    /// # Errors
    ///
    /// As [`State::stop`].
    fn stop() -> Result<(), HookError>;

    /// Writes the state.
    ///
    /// # Errors
    ///
    /// As [`State::save`].
    fn save(bytes: &mut Vec<u8>) -> Result<(), HookError>;

    /// Takes over a state.
    ///
    /// # Errors
    ///
    /// As [`State::restore`].
    fn restore(version: u32, bytes: &[u8]) -> Result<(), HookError>;
}

/// The hooks of a plugin whose state is kept.
#[derive(Debug)]
pub struct Keeper<P>(PhantomData<P>);

impl<P: Keeps> Hooks for Keeper<P> {
    const STATE: Option<u32> = Some(P::VERSION);

    fn init() -> Result<(), HookError> {
        P::init()
    }

    fn stop() -> Result<(), HookError> {
        P::stop()
    }

    fn save(bytes: &mut Vec<u8>) -> Result<(), HookError> {
        P::save(bytes)
    }

    fn restore(version: u32, bytes: &[u8]) -> Result<(), HookError> {
        P::restore(version, bytes)
    }
}

/// A name for this thread that is nobody else's while the thread lives: the address of something of its own. Unlike
/// `thread::current`, this leaves nothing behind at the end of the thread.
fn this_thread() -> *mut u8 {
    thread_local! {
        static OWN: u8 = const { 0 };
    }
    OWN.with(|own| (&raw const *own).cast_mut())
}

impl<T> Drop for StateGuard<'_, T> {
    fn drop(&mut self) {
        // The value is let go after this.
        self.holder.store(std::ptr::null_mut(), Ordering::Relaxed);
    }
}

impl<T> Deref for StateGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value.as_ref().expect("a value that is lent is there")
    }
}

impl<T> DerefMut for StateGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_mut().expect("a value that is lent is there")
    }
}

impl<T: Debug> Debug for StateGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Debug::fmt(&**self, f)
    }
}
