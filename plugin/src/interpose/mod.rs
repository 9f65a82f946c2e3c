//! The plugin's side of [`Services`]: functions that stand in the place of libc's, for
//! this library and for no other.
//!
//! [`export!`](crate::export!) defines libc's names with hidden visibility in the plugin's own object file. The
//! static linker binds every reference in the library to these functions, std's included; nothing outside can see
//! them. Before a host has attached itself, and for keys that are not the host's, the functions pass on to libc.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem;
use std::process;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

pub use self::c11::{create_c11_key, set_c11, spawn_c11};
pub use self::keys::{create_key, delete_key, get, set};
pub use self::signals::{set_action, set_handler, set_signal_stack};
use crate::allocator::STDOUT_IS_NEXT;
use crate::services::{Destructor, Services, Start};

/// The host that has attached itself.
static HOST: AtomicPtr<Services> = AtomicPtr::new(ptr::null_mut());

/// The number of requests that went to libc before there was a host, and for which libc keeps a pointer.
static EARLY: AtomicU32 = AtomicU32::new(0);

/// Attaches a host, and prepares this image for being unmapped, if it `is_to_go`.
///
/// # Safety
///
/// `services` can be used for as long as this image is mapped, and this is called once, before any other function.
pub(crate) unsafe extern "C" fn attach(services: *const Services, is_to_go: bool) -> u32 {
    HOST.store(services.cast_mut(), Ordering::Release);
    if is_to_go {
        prepare_to_go();
    }
    EARLY.load(Ordering::Acquire)
}

/// Makes std ask for one destructor and one key, so that the host can see that it is asked; and makes std ask for the
/// buffer of its standard output, which goes with the image.
fn prepare_to_go() {
    thread_local!(static PROBE: Box<u8> = Box::new(0));
    PROBE.with(|_| ());
    let _this = std::thread::current();
    STDOUT_IS_NEXT.store(true, Ordering::Release);
    let _stdout = std::io::stdout();
    STDOUT_IS_NEXT.store(false, Ordering::Release);
}

fn host() -> Option<&'static Services> {
    // SAFETY: the host's services outlive the image, and this code is in the image.
    unsafe { HOST.load(Ordering::Acquire).as_ref() }
}

unsafe extern "C" {
    fn dlvsym(handle: *mut c_void, name: *const c_char, version: *const c_char) -> *mut c_void;
}

/// The type of `dlsym`.
type FindSymbol = unsafe extern "C" fn(*mut c_void, *const c_char) -> *mut c_void;

/// The version of `dlsym` that every glibc for this processor has: the first one that was made for it.
const FIRST_GLIBC: &CStr = if cfg!(target_arch = "aarch64") {
    c"GLIBC_2.17"
} else {
    c"GLIBC_2.2.5"
};

/// Libc's own `dlsym`. Its name leads to [`find_symbol`] here, so it is asked for by its version.
fn libc_dlsym() -> FindSymbol {
    static FOUND: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
    let mut found = FOUND.load(Ordering::Relaxed);
    if found.is_null() {
        // SAFETY: null asks for the first function of this name that is visible to all, and both texts end with a NUL.
        found = unsafe { dlvsym(ptr::null_mut(), c"dlsym".as_ptr(), FIRST_GLIBC.as_ptr()) };
        if found.is_null() {
            // There is no libc without this function, and no way to go on.
            process::abort();
        }
        FOUND.store(found, Ordering::Relaxed);
    }
    // SAFETY: by its manual page this function of libc has this type.
    unsafe { mem::transmute::<*mut c_void, FindSymbol>(found) }
}

/// Libc's own function. The search cannot find ours: a hidden symbol is in no table that the loader reads.
fn libc(name: &CStr) -> *mut c_void {
    // SAFETY: as above.
    let function = unsafe { libc_dlsym()(ptr::null_mut(), name.as_ptr()) };
    if function.is_null() {
        // As above.
        process::abort();
    }
    function
}

/// A function of libc's, with its type.
macro_rules! libc {
    ($name:literal as fn($($takes:ty),*) -> $returns:ty) => {
        // SAFETY: by its manual page this function of libc has this type.
        unsafe {
            ::std::mem::transmute::<*mut c_void, unsafe extern "C-unwind" fn($($takes),*) -> $returns>(libc($name))
        }
    };
}

// Threads and keys as C11 has them.
mod c11;

// Thread-local keys.
mod keys;

// Handlers of signals.
mod signals;

/// Stands in the place of libc's `__cxa_thread_atexit_impl`.
///
/// # Safety
///
/// As for libc's.
pub unsafe extern "C-unwind" fn at_thread_exit(
    destructor: Destructor,
    object: *mut c_void,
    library: *mut c_void,
) -> c_int {
    match host() {
        // SAFETY: the caller keeps libc's rules, which are the host's.
        Some(host) => unsafe { (host.at_thread_exit)(host.image, destructor, object) },
        None => {
            let libc = libc!(
                c"__cxa_thread_atexit_impl" as fn(Destructor, *mut c_void, *mut c_void) -> c_int
            );
            // SAFETY: as above. Libc keeps the image mapped by itself.
            unsafe { libc(destructor, object, library) }
        }
    }
}

/// Stands in the place of libc's `pthread_create`.
///
/// # Safety
///
/// As for libc's.
pub unsafe extern "C-unwind" fn spawn(
    thread: *mut usize,
    attributes: *const c_void,
    start: Start,
    argument: *mut c_void,
) -> c_int {
    match host() {
        // SAFETY: the caller keeps libc's rules, which are the host's.
        Some(host) => unsafe { (host.spawn)(host.image, thread, attributes, start, argument) },
        None => {
            EARLY.fetch_add(1, Ordering::AcqRel);
            let libc = libc!(
                c"pthread_create" as fn(*mut usize, *const c_void, Start, *mut c_void) -> c_int
            );
            // SAFETY: as above.
            unsafe { libc(thread, attributes, start, argument) }
        }
    }
}

/// Stands in the place of libc's `dlsym`, and tells the host the name: what is found in this way is not among the
/// imports.
///
/// # Safety
///
/// As for libc's.
pub unsafe extern "C-unwind" fn find_symbol(
    handle: *mut c_void,
    name: *const c_char,
) -> *mut c_void {
    match host() {
        // SAFETY: the caller passes a text with a NUL at its end.
        Some(host) => unsafe { (host.looks_up)(host.image, name) },
        None => {
            EARLY.fetch_add(1, Ordering::AcqRel);
        }
    }
    // SAFETY: the caller keeps libc's rules. A search that depends on the library that asks sees this one.
    unsafe { libc_dlsym()(handle, name) }
}

/// Runs behind all other destructors of the image, while the image is being unmapped: ends this thread's part in the
/// image once more, because destructors may have used thread-locals.
///
/// # Safety
///
/// Only the loader calls this.
pub unsafe extern "C" fn end() {
    if let Some(host) = host() {
        // SAFETY: the host's services outlive the image.
        unsafe { (host.end)(host.image) };
    }
}

/// Stands in the place of libc's `getenv`, and hides the variables by which a backtrace is asked for. A copy of std
/// that writes a backtrace reads the debug sections of all that is loaded, some 36 MB, and never gives them back; so
/// plugins write no backtrace, and the message of a panic goes to the host.
///
/// # Safety
///
/// As for libc's.
pub unsafe extern "C-unwind" fn getenv(name: *const c_char) -> *mut c_char {
    // SAFETY: the caller passes a text with a NUL at its end.
    let asked = unsafe { CStr::from_ptr(name) };
    if asked == c"RUST_BACKTRACE" || asked == c"RUST_LIB_BACKTRACE" {
        return ptr::null_mut();
    }
    let libc = libc!(c"getenv" as fn(*const c_char) -> *mut c_char);
    // SAFETY: as above.
    unsafe { libc(name) }
}

/// The instruction of this processor by which a name leads on.
#[cfg(target_arch = "x86_64")]
#[doc(hidden)]
#[macro_export]
macro_rules! __jump {
    () => {
        "jmp"
    };
}

/// The instruction of this processor by which a name leads on.
#[cfg(target_arch = "aarch64")]
#[doc(hidden)]
#[macro_export]
macro_rules! __jump {
    () => {
        "b"
    };
}

/// Defines the names of libc's functions in the library that uses this macro.
///
/// The names are weak, because std refers to the first of them weakly, and link-time optimisation may put both into
/// one object file.
#[doc(hidden)]
#[macro_export]
macro_rules! __interpose {
    () => {
        $crate::__core::arch::global_asm!(
            ".macro replug_interpose name, target",
            ".weak \\name",
            ".hidden \\name",
            ".type \\name, @function",
            $crate::__core::concat!("\\name: ", $crate::__jump!(), " \\target"),
            ".size \\name, . - \\name",
            ".endm",
            ".pushsection .text.replug, \"ax\", @progbits",
            "replug_interpose __cxa_thread_atexit_impl, {at_thread_exit}",
            // The name that destructors of C++ use.
            "replug_interpose __cxa_thread_atexit, {at_thread_exit}",
            "replug_interpose pthread_key_create, {create_key}",
            "replug_interpose pthread_key_delete, {delete_key}",
            "replug_interpose pthread_setspecific, {set}",
            "replug_interpose pthread_getspecific, {get}",
            "replug_interpose pthread_create, {spawn}",
            "replug_interpose getenv, {getenv}",
            "replug_interpose dlsym, {find_symbol}",
            "replug_interpose thrd_create, {spawn_c11}",
            "replug_interpose tss_create, {create_c11_key}",
            "replug_interpose tss_delete, {delete_key}",
            "replug_interpose tss_set, {set_c11}",
            "replug_interpose tss_get, {get}",
            "replug_interpose sigaction, {set_action}",
            "replug_interpose signal, {set_handler}",
            "replug_interpose sigaltstack, {set_signal_stack}",
            ".popsection",
            // The loader runs this list from its end, and linkers sort it by these numbers.
            ".pushsection .fini_array.0, \"aw\", @fini_array",
            ".balign 8",
            ".quad {end}",
            ".popsection",
            ".purgem replug_interpose",
            at_thread_exit = sym $crate::__private::interpose::at_thread_exit,
            create_key = sym $crate::__private::interpose::create_key,
            delete_key = sym $crate::__private::interpose::delete_key,
            set = sym $crate::__private::interpose::set,
            get = sym $crate::__private::interpose::get,
            spawn = sym $crate::__private::interpose::spawn,
            getenv = sym $crate::__private::interpose::getenv,
            find_symbol = sym $crate::__private::interpose::find_symbol,
            spawn_c11 = sym $crate::__private::interpose::spawn_c11,
            create_c11_key = sym $crate::__private::interpose::create_c11_key,
            set_c11 = sym $crate::__private::interpose::set_c11,
            set_action = sym $crate::__private::interpose::set_action,
            set_handler = sym $crate::__private::interpose::set_handler,
            set_signal_stack = sym $crate::__private::interpose::set_signal_stack,
            end = sym $crate::__private::interpose::end,
        );
    };
}
