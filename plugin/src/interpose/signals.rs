//! Handlers of signals: libc gets them, and the host hears of them. Whoever installs a handler later is told the one
//! before and may call it for ever, so nobody can know that a handler is out of use.

use std::ffi::{c_int, c_void};
use std::sync::atomic::Ordering;

use super::{EARLY, host, libc};

/// The first number that is a handler. Those below ask for what the system does by itself, or for nothing.
const FIRST_HANDLER: usize = 2;

/// What `signal` returns if it fails.
const SIG_ERR: usize = usize::MAX;

/// The flag of a signal stack that is given back.
const SS_DISABLE: c_int = 2;

/// The beginning of libc's `struct sigaction`, which is all that is read here.
#[repr(C)]
#[derive(Debug)]
pub struct Action {
    handler: usize,
}

/// The beginning of libc's `stack_t`, which is all that is read here.
#[repr(C)]
#[derive(Debug)]
pub struct SignalStack {
    start: *mut c_void,
    flags: c_int,
}

/// Tells the host of a handler; false if there must not be one.
fn may_handle(signal: c_int, handler: usize) -> bool {
    if handler < FIRST_HANDLER {
        return true;
    }
    match host() {
        // SAFETY: the host's services outlive the image.
        Some(host) => unsafe { (host.handles)(host.image, signal) },
        None => {
            EARLY.fetch_add(1, Ordering::AcqRel);
            true
        }
    }
}

/// Stands in the place of libc's `sigaction`.
///
/// # Safety
///
/// As for libc's.
pub unsafe extern "C-unwind" fn set_action(
    signal: c_int,
    action: *const Action,
    old: *mut Action,
) -> c_int {
    // SAFETY: the caller passes null, or an action.
    let asked = unsafe { action.as_ref() };
    if asked.is_some_and(|action| !may_handle(signal, action.handler)) {
        return -1;
    }
    let libc = libc!(c"sigaction" as fn(c_int, *const Action, *mut Action) -> c_int);
    // SAFETY: the caller keeps libc's rules.
    unsafe { libc(signal, action, old) }
}

/// Stands in the place of libc's `signal`.
///
/// # Safety
///
/// As for libc's.
pub unsafe extern "C-unwind" fn set_handler(signal: c_int, handler: usize) -> usize {
    if !may_handle(signal, handler) {
        return SIG_ERR;
    }
    let libc = libc!(c"signal" as fn(c_int, usize) -> usize);
    // SAFETY: as above.
    unsafe { libc(signal, handler) }
}

/// Stands in the place of libc's `sigaltstack`. The stack may be a static of this image.
///
/// # Safety
///
/// As for libc's.
pub unsafe extern "C-unwind" fn set_signal_stack(
    stack: *const SignalStack,
    old: *mut SignalStack,
) -> c_int {
    // SAFETY: the caller passes null, or a stack.
    let is_given = unsafe { stack.as_ref() }.is_some_and(|it| it.flags & SS_DISABLE == 0);
    match host() {
        _ if !is_given => {}
        // SAFETY: the host's services outlive the image, and the text ends with a NUL.
        Some(host) => unsafe { (host.looks_up)(host.image, c"sigaltstack".as_ptr()) },
        None => {
            EARLY.fetch_add(1, Ordering::AcqRel);
        }
    }
    let libc = libc!(c"sigaltstack" as fn(*const SignalStack, *mut SignalStack) -> c_int);
    // SAFETY: the caller keeps libc's rules.
    unsafe { libc(stack, old) }
}
