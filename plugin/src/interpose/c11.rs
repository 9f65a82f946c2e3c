//! Threads and keys as C11 has them: those of POSIX by other names, with errors of their own.

use std::ffi::{c_int, c_uint, c_void};
use std::mem;
use std::ptr;

use super::{create_key, set, spawn};
use crate::services::{Destructor, Start};

/// The function that a thread of C11 begins with.
type C11Start = unsafe extern "C-unwind" fn(*mut c_void) -> c_int;

/// What C11 calls success.
const SUCCESS: c_int = 0;

/// What C11 calls an error.
const ERROR: c_int = 2;

fn status(errno: c_int) -> c_int {
    if errno == 0 { SUCCESS } else { ERROR }
}

/// Stands in the place of libc's `thrd_create`.
///
/// # Safety
///
/// As for libc's.
pub unsafe extern "C-unwind" fn spawn_c11(
    thread: *mut usize,
    start: C11Start,
    argument: *mut c_void,
) -> c_int {
    // SAFETY: on this target an `int` is returned in the lower half of the place for a pointer, and that half is all
    // that `thrd_join` takes.
    let start = unsafe { mem::transmute::<C11Start, Start>(start) };
    // SAFETY: the caller keeps libc's rules; null asks for a thread like any other.
    status(unsafe { spawn(thread, ptr::null(), start, argument) })
}

/// Stands in the place of libc's `tss_create`.
///
/// # Safety
///
/// As for libc's.
pub unsafe extern "C-unwind" fn create_c11_key(
    key: *mut c_uint,
    destructor: Option<Destructor>,
) -> c_int {
    // SAFETY: the caller keeps libc's rules, which are the same.
    status(unsafe { create_key(key, destructor) })
}

/// Stands in the place of libc's `tss_set`.
///
/// # Safety
///
/// As for libc's.
pub unsafe extern "C-unwind" fn set_c11(key: c_uint, value: *mut c_void) -> c_int {
    // SAFETY: as above.
    status(unsafe { set(key, value) })
}
