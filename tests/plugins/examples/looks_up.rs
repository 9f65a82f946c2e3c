//! A plugin that looks a function of libc's up by its name and does not call it; or, for the number 1, gives its thread
//! another stack for signals, and takes it back.

#![cfg(unix)]
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;

/// Libc's `stack_t`.
#[repr(C)]
struct Stack {
    start: *mut c_void,
    flags: c_int,
    size: usize,
}

unsafe extern "C" {
    fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
    fn sigaltstack(new: *const Stack, old: *mut Stack) -> c_int;
}

/// The names by the numbers that are given.
const NAMES: &[&CStr] = &[c"strlen", c"", c"putenv", c"pthread_create"];

/// The flag of a stack that is taken back.
const SS_DISABLE: c_int = 2;

static mut STACK: [u8; 1 << 16] = [0; 1 << 16];

fixtures::fixture!(|number| {
    if number == 1 {
        let stack = |flags| Stack {
            start: (&raw mut STACK).cast(),
            flags,
            size: 1 << 16,
        };
        for flags in [0, SS_DISABLE] {
            // SAFETY: nothing else uses the stack.
            assert_eq!(unsafe { sigaltstack(&stack(flags), ptr::null_mut()) }, 0);
        }
        return 0;
    }
    let name = NAMES[number as usize];
    // SAFETY: the name ends with a NUL.
    u64::from(!unsafe { dlsym(ptr::null_mut(), name.as_ptr()) }.is_null())
});
