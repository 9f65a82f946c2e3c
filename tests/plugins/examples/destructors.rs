//! A plugin with destructors that run when it is unmapped. They use thread-locals, which nobody has used before. It is
//! given the address of a number of the test's, where it notes what ran.

#![cfg(unix)]
#![allow(unsafe_code)]

use std::ffi::c_int;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use std::thread;

unsafe extern "C" {
    fn atexit(function: extern "C" fn()) -> c_int;
    fn at_quick_exit(function: extern "C" fn()) -> c_int;
    fn pthread_atfork(
        prepare: extern "C" fn(),
        parent: extern "C" fn(),
        child: extern "C" fn(),
    ) -> c_int;
}

static NOTES: AtomicPtr<AtomicU64> = AtomicPtr::new(ptr::null_mut());

fn note(what: u64) {
    // SAFETY: the test's number outlives the plugin.
    if let Some(notes) = unsafe { NOTES.load(Ordering::SeqCst).as_ref() } {
        notes.fetch_or(what, Ordering::SeqCst);
    }
}

/// A thread-local that notes its end.
struct Noisy(u64);

impl Drop for Noisy {
    fn drop(&mut self) {
        note(self.0);
    }
}

thread_local! {
    static AT_EXIT: Noisy = const { Noisy(2) };
    static AT_LAST: Noisy = const { Noisy(8) };
}

extern "C" fn exit() {
    note(1);
    AT_EXIT.with(|_| ());
    let _this = thread::current();
}

extern "C" fn last() {
    note(4);
    AT_LAST.with(|_| ());
    let _this = thread::current();
}

/// A destructor of the library itself.
#[used]
// SAFETY: this section holds functions that the loader calls.
#[unsafe(link_section = ".fini_array")]
static LAST: extern "C" fn() = last;

extern "C" fn never() {
    note(1 << 32);
}

fixtures::fixture!(|notes| {
    NOTES.store(
        ptr::with_exposed_provenance_mut(notes as usize),
        Ordering::SeqCst,
    );
    // SAFETY: libc takes the function back when the library is unmapped.
    unsafe { atexit(exit) };
    // SAFETY: as above.
    unsafe { at_quick_exit(never) };
    // SAFETY: as above.
    unsafe { pthread_atfork(never, never, never) };
    0
});
