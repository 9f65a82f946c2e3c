//! A plugin that handles a signal, and calls the handler that was there before. It is told by which function.

#![cfg(unix)]
#![allow(unsafe_code)]

use std::ffi::c_int;
use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Libc's `struct sigaction`.
#[repr(C)]
struct Action {
    handler: usize,
    mask: [u64; 16],
    flags: c_int,
    restorer: usize,
}

unsafe extern "C" {
    fn signal(number: c_int, handler: usize) -> usize;
    fn sigaction(number: c_int, action: *const Action, old: *mut Action) -> c_int;
}

/// The signal that a terminal has another size. Nobody sends it here, and a program that does not handle it does not
/// notice it.
const SIGWINCH: c_int = 28;

/// The number of an `act` that uses the newer of the two functions.
const NEWER: u64 = 2;

static BEFORE: AtomicUsize = AtomicUsize::new(0);

extern "C" fn handle(number: c_int) {
    let before = BEFORE.load(Ordering::SeqCst);
    if before > 1 {
        // SAFETY: what was there before is a handler.
        let before = unsafe { mem::transmute::<usize, extern "C" fn(c_int)>(before) };
        before(number);
    }
}

fn install(how: u64) -> usize {
    let handler = handle as extern "C" fn(c_int) as usize;
    if how != NEWER {
        // SAFETY: the handler can be called at any time.
        return unsafe { signal(SIGWINCH, handler) };
    }
    let action = |handler| Action {
        handler,
        mask: [0; 16],
        flags: 0,
        restorer: 0,
    };
    let (new, mut old) = (action(handler), action(0));
    // SAFETY: as above, and the old one can be written to.
    assert_eq!(unsafe { sigaction(SIGWINCH, &new, &mut old) }, 0);
    old.handler
}

fixtures::fixture!(|number| {
    let before = install(number);
    if before != handle as extern "C" fn(c_int) as usize {
        BEFORE.store(before, Ordering::SeqCst);
    }
    number
});
