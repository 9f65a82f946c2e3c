//! The example plugin, and the smallest complete plugin there is: it takes text, returns text, and takes its
//! text back to free it. `docs/ffi.md` explains every line of the boundary.
//!
//! Edit `VERSION` while `replug run -p plugin01` runs, build with `cargo build -p plugin01`, and watch the
//! answer change.

use std::ffi::{CStr, CString, c_char};
use std::panic;
use std::ptr;

/// The version of this build in the answer: the build-time variable `PLUGIN01_VERSION`, or the text here. Edit me.
const VERSION: &str = match option_env!("PLUGIN01_VERSION") {
    Some(version) => version,
    None => "0.1.0",
};

/// Answers `input` with a line that names this plugin, its version and the input.
///
/// The answer is a NUL-terminated string for [`plugin_free`], or null if none could be made.
///
/// # Safety
///
/// `input` points to a NUL-terminated string that nobody writes to during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn plugin_function(input: *const c_char) -> *mut c_char {
    // A panic must not cross the boundary: the host has another copy of std, and the process would abort.
    panic::catch_unwind(|| {
        // SAFETY: the caller vouches for the string.
        let input = unsafe { CStr::from_ptr(input) };
        answer(&input.to_string_lossy())
    })
    .map_or(ptr::null_mut(), CString::into_raw)
}

/// Frees an answer of [`plugin_function`]. Null is ignored.
///
/// # Safety
///
/// `answer` came from this very image's `plugin_function` and has not been freed: the allocator that made it
/// must be the one that takes it back.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn plugin_free(answer: *mut c_char) {
    if !answer.is_null() {
        // SAFETY: the caller vouches that `into_raw` above made this pointer.
        drop(unsafe { CString::from_raw(answer) });
    }
}

fn answer(input: &str) -> CString {
    CString::new(format!("plugin01 {VERSION} says hello, {input}"))
        .expect("neither a constant nor C text holds a NUL")
}
