//! A plugin that handles a signal.

#![allow(unsafe_code)]

use std::ffi::c_int;

unsafe extern "C" {
    fn signal(number: c_int, handler: extern "C" fn(c_int)) -> usize;
}

/// The signal that a terminal has another size. Nobody sends it here, and a program that does not handle it does not
/// notice it.
const SIGWINCH: c_int = 28;

extern "C" fn ignore(_: c_int) {}

fixtures::fixture!(|number| {
    // SAFETY: the handler does nothing.
    unsafe { signal(SIGWINCH, ignore) };
    number
});
