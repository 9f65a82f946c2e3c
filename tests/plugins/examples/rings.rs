//! A plugin that calls back in the middle of a call: it is given the address of a function of the host's.

#![allow(unsafe_code)]

use std::mem;
use std::ptr;

fixtures::fixture!(|bell| {
    let bell: *const () = ptr::with_exposed_provenance(bell as usize);
    // SAFETY: the test that gave the address made it of such a function, in this process.
    let bell = unsafe { mem::transmute::<*const (), extern "C" fn() -> u64>(bell) };
    bell() + 1
});
