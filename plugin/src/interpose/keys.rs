//! Thread-local keys. The host's have numbers of their own; all others are libc's.

use std::ffi::{c_int, c_uint, c_void};
use std::sync::atomic::Ordering;

use super::{EARLY, host, libc};
use crate::services::{Destructor, FIRST_KEY};

/// Stands in the place of libc's `pthread_key_create`.
///
/// # Safety
///
/// As for libc's.
pub unsafe extern "C-unwind" fn create_key(
    key: *mut c_uint,
    destructor: Option<Destructor>,
) -> c_int {
    match host() {
        // SAFETY: the caller keeps libc's rules, which are the host's.
        Some(host) => unsafe { (host.create_key)(host.image, key, destructor) },
        None => {
            EARLY.fetch_add(1, Ordering::AcqRel);
            let libc = libc!(c"pthread_key_create" as fn(*mut c_uint, Option<Destructor>) -> c_int);
            // SAFETY: as above.
            unsafe { libc(key, destructor) }
        }
    }
}

/// Stands in the place of libc's `pthread_key_delete`.
///
/// # Safety
///
/// As for libc's.
pub unsafe extern "C-unwind" fn delete_key(key: c_uint) -> c_int {
    match host() {
        // SAFETY: the caller keeps libc's rules, which are the host's.
        Some(host) if key >= FIRST_KEY => unsafe { (host.delete_key)(host.image, key) },
        _ => {
            let libc = libc!(c"pthread_key_delete" as fn(c_uint) -> c_int);
            // SAFETY: as above.
            unsafe { libc(key) }
        }
    }
}

/// Stands in the place of libc's `pthread_setspecific`.
///
/// # Safety
///
/// As for libc's.
pub unsafe extern "C-unwind" fn set(key: c_uint, value: *mut c_void) -> c_int {
    match host() {
        // SAFETY: the caller keeps libc's rules, which are the host's.
        Some(host) if key >= FIRST_KEY => unsafe { (host.set)(host.image, key, value) },
        _ => {
            let libc = libc!(c"pthread_setspecific" as fn(c_uint, *mut c_void) -> c_int);
            // SAFETY: as above.
            unsafe { libc(key, value) }
        }
    }
}

/// Stands in the place of libc's `pthread_getspecific`.
///
/// # Safety
///
/// As for libc's.
pub unsafe extern "C-unwind" fn get(key: c_uint) -> *mut c_void {
    match host() {
        // SAFETY: the caller keeps libc's rules, which are the host's.
        Some(host) if key >= FIRST_KEY => unsafe { (host.get)(host.image, key) },
        _ => {
            let libc = libc!(c"pthread_getspecific" as fn(c_uint) -> *mut c_void);
            // SAFETY: as above.
            unsafe { libc(key) }
        }
    }
}
