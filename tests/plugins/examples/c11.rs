//! A plugin that uses threads and keys as C11 has them: it starts a thread, which has a value with a destructor, and
//! waits for it; and it leaves such a value on the thread that calls.

#![cfg(unix)]
#![allow(unsafe_code)]

use std::ffi::{c_int, c_uint, c_void};
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

type Start = extern "C" fn(*mut c_void) -> c_int;

unsafe extern "C" {
    fn thrd_create(thread: *mut usize, start: Start, argument: *mut c_void) -> c_int;
    fn thrd_join(thread: usize, result: *mut c_int) -> c_int;
    fn tss_create(key: *mut c_uint, destructor: extern "C" fn(*mut c_void)) -> c_int;
    fn tss_set(key: c_uint, value: *mut c_void) -> c_int;
    fn tss_get(key: c_uint) -> *mut c_void;
}

static KEY: OnceLock<c_uint> = OnceLock::new();
static DESTROYED: AtomicU64 = AtomicU64::new(0);

extern "C" fn destroy(_: *mut c_void) {
    DESTROYED.fetch_add(1, Ordering::SeqCst);
}

/// Leaves a value on this thread.
fn leave_value() {
    let key = *KEY.get_or_init(|| {
        let mut key = 0;
        // SAFETY: the key can be written to.
        assert_eq!(unsafe { tss_create(&mut key, destroy) }, 0);
        key
    });
    let value: *mut c_void = ptr::without_provenance_mut(7);
    // SAFETY: the key was made.
    assert_eq!(unsafe { tss_set(key, value) }, 0);
    // SAFETY: as above.
    assert_eq!(unsafe { tss_get(key) }, value);
}

extern "C" fn work(_: *mut c_void) -> c_int {
    leave_value();
    -3
}

fixtures::fixture!(|number| {
    leave_value();
    let before = DESTROYED.load(Ordering::SeqCst);
    let (mut thread, mut result) = (0, 0);
    // SAFETY: the place can be written to.
    let status = unsafe { thrd_create(&mut thread, work, ptr::null_mut()) };
    assert_eq!(status, 0);
    // SAFETY: as above, and the thread is joined once.
    let status = unsafe { thrd_join(thread, &mut result) };
    assert_eq!(status, 0);
    assert_eq!(result, -3, "what the thread returned");
    assert!(
        DESTROYED.load(Ordering::SeqCst) > before,
        "the thread's value"
    );
    number
});
