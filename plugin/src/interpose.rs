//! The plugin's side of [`Services`]: functions that stand in the place of libc's, for
//! this library and for no other.
//!
//! [`export!`](crate::export!) defines libc's names with hidden visibility in the plugin's own object file. The
//! static linker binds every reference in the library to these functions, std's included; nothing outside can see
//! them. Before a host has attached itself, and for keys that are not the host's, the functions pass on to libc.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::mem;
use std::process;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};

use crate::services::{Destructor, FIRST_KEY, Services, Start};

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
    fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
}

/// Libc's own function. The search cannot find ours: a hidden symbol is in no table that the loader reads.
fn libc(name: &CStr) -> *mut c_void {
    // SAFETY: null asks for the first function of this name that is visible to all, and the name ends with a NUL.
    let function = unsafe { dlsym(ptr::null_mut(), name.as_ptr()) };
    if function.is_null() {
        // There is no libc without this function, and no way to go on.
        process::abort();
    }
    function
}

/// A function of libc's, with its type.
macro_rules! libc {
    ($name:literal as fn($($takes:ty),*) -> $returns:ty) => {
        // SAFETY: by its manual page this function of libc has this type.
        unsafe {
            mem::transmute::<*mut c_void, unsafe extern "C-unwind" fn($($takes),*) -> $returns>(libc($name))
        }
    };
}

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

/// The system's allocator, but for one block: std never gives back the buffer of its standard output, so that buffer
/// is put into the image, and goes with it.
#[derive(Debug)]
pub struct Allocator;

/// The size of std's buffer of standard output. If that were another, the buffer would only be left behind.
const STDOUT: usize = 1024;

static STDOUT_IS_NEXT: AtomicBool = AtomicBool::new(false);
static STDOUT_BUFFER: Buffer = Buffer(UnsafeCell::new([0; STDOUT]));

struct Buffer(UnsafeCell<[u8; STDOUT]>);

// SAFETY: the buffer is handed out once, like any other block of memory.
unsafe impl Sync for Buffer {}

impl Buffer {
    fn start(&self) -> *mut u8 {
        self.0.get().cast()
    }
}

// SAFETY: the one block is given out once and never taken back; everything else is passed on as it came.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let fits = layout.size() == STDOUT && layout.align() == 1;
        if fits && STDOUT_IS_NEXT.swap(false, Ordering::AcqRel) {
            return STDOUT_BUFFER.start();
        }
        // SAFETY: the caller's promises are the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if block != STDOUT_BUFFER.start() {
            // SAFETY: as above, and the block is the system's.
            unsafe { System.dealloc(block, layout) }
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if block != STDOUT_BUFFER.start() {
            // SAFETY: as above, and the block is the system's.
            return unsafe { System.realloc(block, layout, size) };
        }
        // SAFETY: the caller may ask for `size` with this alignment.
        let moved = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        // SAFETY: as above.
        let to = unsafe { System.alloc(moved) };
        if !to.is_null() {
            // SAFETY: both blocks are at least so long, and they do not overlap.
            unsafe { block.copy_to_nonoverlapping(to, size.min(STDOUT)) };
        }
        to
    }
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
            "\\name: jmp \\target",
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
            ".popsection",
            ".purgem replug_interpose",
            at_thread_exit = sym $crate::__private::interpose::at_thread_exit,
            create_key = sym $crate::__private::interpose::create_key,
            delete_key = sym $crate::__private::interpose::delete_key,
            set = sym $crate::__private::interpose::set,
            get = sym $crate::__private::interpose::get,
            spawn = sym $crate::__private::interpose::spawn,
            getenv = sym $crate::__private::interpose::getenv,
        );
    };
}

/// Makes [`Allocator`] the allocator of the library that uses this macro.
#[doc(hidden)]
#[macro_export]
macro_rules! __allocate {
    () => {
        #[global_allocator]
        static REPLUG_ALLOCATOR: $crate::__private::interpose::Allocator =
            $crate::__private::interpose::Allocator;
    };
}
