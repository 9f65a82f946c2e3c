//! A plugin that needs a library beside libc's, that of C++.

#![cfg(unix)]
#![allow(unsafe_code)]

use std::ffi::c_void;

#[link(name = "stdc++")]
unsafe extern "C" {
    /// Gives back what this function made.
    fn __cxa_get_globals() -> *mut c_void;
}

fixtures::fixture!(|number| {
    // SAFETY: the function can be called at any time.
    number + u64::from(unsafe { __cxa_get_globals() }.is_null())
});
