//! A plugin that ends things: the process, for the number 0; with the thread, for 1, by a thread-local that panics when
//! it is dropped; and for 2 when it is unmapped, by a destructor that panics.

#![allow(unsafe_code)]

use std::ffi::c_int;
use std::process;

unsafe extern "C" {
    fn atexit(function: extern "C" fn()) -> c_int;
}

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("in a drop");
    }
}

thread_local!(static BOMB: Bomb = const { Bomb });

extern "C" fn explode() {
    panic!("in a destructor");
}

fixtures::fixture!(|number| {
    match number {
        0 => process::exit(7),
        1 => BOMB.with(|_| ()),
        // SAFETY: libc takes the function back when the library is unmapped.
        _ => unsafe {
            atexit(explode);
        },
    }
    number
});
