//! The answer of a call: a value, or why there is none. A panic of the plugin ends here, as such a reason.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::mem::{self, MaybeUninit};
use std::panic::{self, AssertUnwindSafe};
use std::ptr;

use crate::offer::HostPanic;
use crate::shown::{shown, spelled_bytes};
use crate::wire::RawSlice;

/// Why a call of a plugin has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallError {
    /// No generation is live yet.
    Absent,
    /// The plugin panicked with this message. The plugin stays usable, as far as its own state is.
    Panicked(String),
    /// A function that the host offers panicked with this message, when the plugin called it. The plugin was left by the
    /// panic, and stays usable, as far as its own state is.
    HostPanicked(String),
    /// The plugin said no, with this message.
    Refused(String),
    /// The function returned a null pointer.
    Null,
}

// Written by hand, because plugins are built with this module and with no other crate.
impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallError::Absent => f.write_str("no generation of the plugin is live yet"),
            CallError::Panicked(message) => {
                write!(f, "the plugin panicked: {}", shown(message))
            }
            CallError::HostPanicked(message) => {
                write!(
                    f,
                    "a function that the host offers panicked: {}",
                    shown(message)
                )
            }
            CallError::Refused(message) => write!(f, "{}", shown(message)),
            CallError::Null => f.write_str("the plugin returned null instead of text"),
        }
    }
}

impl Error for CallError {}

/// An answer as a function of an interface returns it to C: a failure, or null and a value. Small values come back in
/// two registers, so that a good answer costs a comparison.
#[repr(C)]
pub struct Answered<T> {
    pub(crate) failure: *const Failure,
    pub(crate) value: MaybeUninit<T>,
}

/// An answer as a function of the host's returns it to its plugin. The value comes first: the first of two registers is where
/// Rust has it anyway.
#[repr(C)]
pub struct Offered<T> {
    pub(crate) value: MaybeUninit<T>,
    pub(crate) failure: *const Failure,
}

/// A failure: why there is no value. Whoever reads a failure gives it back.
#[repr(C)]
pub(crate) struct Failure {
    pub(crate) kind: u32,
    pub(crate) message: RawSlice<u8>,
    pub(crate) free: Option<unsafe extern "C" fn(*const Failure)>,
}

// SAFETY: nothing writes to a failure, and its message lives as long as the failure itself.
unsafe impl Sync for Failure {}

impl Failure {
    const ABSENT: u32 = 0;
    pub(crate) const PANICKED: u32 = 1;
    pub(crate) const REFUSED: u32 = 2;
    pub(crate) const HOST_PANICKED: u32 = 3;

    /// Makes a failure. Not of an answer's type, so that each plugin links this and need not compile it.
    #[cold]
    fn made(kind: u32, message: &str) -> *const Failure {
        // By `into_raw`, not through a reference: what is only borrowed for reading may not be freed.
        let message = Box::into_raw(Box::<[u8]>::from(message.as_bytes()));
        let message = RawSlice {
            data: message.cast::<u8>().cast_const(),
            len: message.len(),
        };
        let free = Some(free as unsafe extern "C" fn(_));
        Box::into_raw(Box::new(Failure {
            kind,
            message,
            free,
        }))
    }

    /// Makes the failure of a call that panicked with `payload`.
    #[cold]
    fn of_panic(payload: Box<dyn Any + Send>) -> *const Failure {
        if let Some(HostPanic(message)) = payload.downcast_ref() {
            return Failure::made(Failure::HOST_PANICKED, message);
        }
        let message = payload.downcast_ref::<&str>().copied();
        let message = message.or(payload.downcast_ref::<String>().map(String::as_str));
        let failure = Failure::made(Failure::PANICKED, message.unwrap_or("without a message"));
        drop_caught(payload);
        failure
    }
}

/// The failure of calls before the first generation is live.
static ABSENT: Failure = Failure {
    kind: Failure::ABSENT,
    message: RawSlice {
        data: ptr::null(),
        len: 0,
    },
    free: None,
};

impl<T> Answered<T> {
    /// The answer of a function while no generation is live.
    pub fn absent() -> Answered<T> {
        Answered::failed(&raw const ABSENT)
    }

    fn value(value: T) -> Answered<T> {
        Answered {
            failure: ptr::null(),
            value: MaybeUninit::new(value),
        }
    }

    fn failed(failure: *const Failure) -> Answered<T> {
        Answered {
            failure,
            value: MaybeUninit::uninit(),
        }
    }

    /// The answer of the host's: a panic in it is the host's.
    pub(crate) fn of_the_host(self) -> Answered<T> {
        if self.failure.is_null() {
            return self;
        }
        // SAFETY: the failure was made in this program, and is given back there once.
        match unsafe { read(self.failure) } {
            CallError::Panicked(message) => {
                Answered::failed(Failure::made(Failure::HOST_PANICKED, &message))
            }
            other => Answered::of(&other),
        }
    }

    /// The answer of a call that failed so.
    #[cold]
    pub(crate) fn of(error: &CallError) -> Answered<T> {
        let (kind, message) = match error {
            CallError::Absent => return Answered::absent(),
            CallError::Panicked(message) => (Failure::PANICKED, message),
            CallError::HostPanicked(message) => (Failure::HOST_PANICKED, message),
            CallError::Refused(message) => (Failure::REFUSED, message),
            CallError::Null => (Failure::REFUSED, &error.to_string()),
        };
        Answered::failed(Failure::made(kind, message))
    }

    /// The answer as a function of the host's returns it.
    #[inline(always)]
    pub fn offered(self) -> Offered<T> {
        let Answered { failure, value } = self;
        Offered { value, failure }
    }

    /// The answer as its caller gets to see it.
    ///
    /// # Safety
    ///
    /// The answer came from [`answer`], [`absent`](Answered::absent), or C code that keeps to the same rules: either
    /// the failure is null and there is a value, or the failure can be read until it is freed.
    #[inline(always)]
    pub unsafe fn into_result(self) -> Result<T, CallError> {
        if self.failure.is_null() {
            // SAFETY: no failure means that there is a value.
            return Ok(unsafe { self.value.assume_init() });
        }
        // SAFETY: the caller vouches for the failure, which is read only here.
        Err(unsafe { read(self.failure) })
    }
}

impl<T> Offered<T> {
    /// The answer as the plugin gets to see it.
    ///
    /// # Safety
    ///
    /// As of [`Answered::into_result`].
    #[inline(always)]
    pub unsafe fn into_result(self) -> Result<T, CallError> {
        let Offered { value, failure } = self;
        // SAFETY: the caller's promises are those of an answer.
        unsafe { Answered { failure, value }.into_result() }
    }
}

/// Reads a failure and gives it back to whoever made it.
#[cold]
#[inline(never)]
unsafe fn read(failure: *const Failure) -> CallError {
    // SAFETY: by the contract of `into_result`.
    let Failure {
        kind,
        message,
        free,
    } = unsafe { failure.read() };
    // SAFETY: the message lives until the failure is freed, which is below.
    let message = spelled_bytes(unsafe { message.get() }).into_owned();
    if let Some(free) = free {
        // SAFETY: the failure is freed once, by the program that made it.
        unsafe { free(failure) };
    }
    match kind {
        Failure::ABSENT => CallError::Absent,
        Failure::REFUSED => CallError::Refused(message),
        Failure::HOST_PANICKED => CallError::HostPanicked(message),
        _ => CallError::Panicked(message),
    }
}

unsafe extern "C" fn free(failure: *const Failure) {
    // SAFETY: `failed` made the failure of a box, in this very image.
    let failure = unsafe { Box::from_raw(failure.cast_mut()) };
    let message =
        ptr::slice_from_raw_parts_mut(failure.message.data.cast_mut(), failure.message.len);
    // SAFETY: as above.
    drop(unsafe { Box::from_raw(message) });
}

/// Runs `call` in the plugin and keeps a panic from crossing, which would abort the process.
#[inline(always)]
pub fn answer<T>(call: impl FnOnce() -> T) -> Answered<T> {
    match panic::catch_unwind(AssertUnwindSafe(call)) {
        Ok(value) => Answered::value(value),
        Err(payload) => Answered::failed(Failure::of_panic(payload)),
    }
}

/// Runs `call` in the plugin like [`answer`]; the call can also refuse, with an error.
pub(crate) fn try_answer<T, E: fmt::Display>(call: impl FnOnce() -> Result<T, E>) -> Answered<T> {
    match panic::catch_unwind(AssertUnwindSafe(|| {
        call().map_err(|error| error.to_string())
    })) {
        Ok(Ok(value)) => Answered::value(value),
        Ok(Err(message)) => Answered::failed(Failure::made(Failure::REFUSED, &message)),
        Err(payload) => Answered::failed(Failure::of_panic(payload)),
    }
}

/// Drops an argument of a call that reaches no plugin. A panic of the drop would end the process where C is called.
#[inline(always)]
pub fn drop_unused<T>(argument: T) {
    if !mem::needs_drop::<T>() {
        return;
    }
    if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(|| drop(argument))) {
        drop_caught(payload);
    }
}

/// Drops the payload of a panic. One whose drop panics as well is not worth a second try.
fn drop_caught(payload: Box<dyn Any + Send>) {
    if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        mem::forget(payload);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_a_plugin_is_printed_so_that_it_moves_nothing() {
        let message = || "no\n\u{1b}[2J\u{202e}".to_owned();
        let panicked = CallError::Panicked(message()).to_string();
        assert_eq!(panicked, r"the plugin panicked: no\n\x1b[2J\u{202e}");
        let refused = CallError::Refused(message()).to_string();
        assert_eq!(refused, r"no\n\x1b[2J\u{202e}");
    }
}
