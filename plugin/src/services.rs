//! The services that a host gives a plugin in the place of libc, so that nothing in libc points into the plugin: exit
//! handlers of threads, thread-local keys, and the start of threads; and by which a host learns what does. Linux with
//! glibc only; elsewhere images stay mapped.
//!
//! The idea is relib's: interposition inside the module. Here the symbols are hidden, so that the static linker binds
//! them and no search order has to be bent.

use std::ffi::{c_char, c_int, c_uint, c_void};

/// A destructor of something that belongs to a thread.
pub type Destructor = unsafe extern "C-unwind" fn(*mut c_void);

/// The function that a thread begins with.
pub type Start = unsafe extern "C-unwind" fn(*mut c_void) -> *mut c_void;

/// The lowest number of a key that the host keeps. The numbers of glibc's keys end at 1024.
pub const FIRST_KEY: c_uint = 0x1_0000;

/// The host's functions, for one image. The functions outlive the image.
#[repr(C)]
#[derive(Debug)]
pub struct Services {
    /// The image that asks.
    pub image: *const c_void,
    /// Does the work of `__cxa_thread_atexit_impl`.
    pub at_thread_exit:
        unsafe extern "C-unwind" fn(*const c_void, Destructor, *mut c_void) -> c_int,
    /// As `pthread_key_create`.
    pub create_key:
        unsafe extern "C-unwind" fn(*const c_void, *mut c_uint, Option<Destructor>) -> c_int,
    /// As `pthread_key_delete`.
    pub delete_key: unsafe extern "C-unwind" fn(*const c_void, c_uint) -> c_int,
    /// As `pthread_setspecific`.
    pub set: unsafe extern "C-unwind" fn(*const c_void, c_uint, *mut c_void) -> c_int,
    /// As `pthread_getspecific`.
    pub get: unsafe extern "C-unwind" fn(*const c_void, c_uint) -> *mut c_void,
    /// Does the work of `pthread_create`.
    pub spawn: unsafe extern "C-unwind" fn(
        *const c_void,
        *mut usize,
        *const c_void,
        Start,
        *mut c_void,
    ) -> c_int,
    /// Says that the image is about to handle a signal; false if the image must not, because it is being unmapped.
    pub handles: unsafe extern "C-unwind" fn(*const c_void, c_int) -> bool,
    /// Says that the image looks a function of another library up by its name.
    pub looks_up: unsafe extern "C-unwind" fn(*const c_void, *const c_char),
    /// Says that the image has run all its destructors.
    pub end: unsafe extern "C-unwind" fn(*const c_void),
}

/// The function that takes the services in a plugin, before anything else of the plugin is called. If the image
/// `is_to_go`, the plugin asks for one destructor and one key at once. Returns how often the plugin's constructors
/// have asked libc instead.
pub type Attach = unsafe extern "C" fn(services: *const Services, is_to_go: bool) -> u32;
