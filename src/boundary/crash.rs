//! Notes of crashes: what a process that dies by a signal, or ends itself by `exit`, leaves on the disk for its successor. The
//! handler writes one line with what it knows, and passes the signal on to whoever had it before. It judges nothing.
//!
//! The handler runs in the middle of anything, so it calls `pwrite`, `getpid`, `sigaction` and `raise`, and the unwinder, which
//! reads the stack. A call is not marked when it begins: that would cost each call something, and the stack knows.

use std::cell::{Cell, UnsafeCell};
use std::ffi::{c_int, c_void};
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd as _;
use std::ptr;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, AtomicUsize, Ordering};

use super::image::Image;

/// The signals by which code that goes wrong ends its process.
const SIGNALS: [c_int; 7] = [
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGILL,
    libc::SIGFPE,
    libc::SIGABRT,
    libc::SIGTRAP,
    libc::SIGSYS,
];

/// The most hosts with a store in one process whose notes are written, and the most images whose code is known.
const MOST_FILES: usize = 16;
const MOST_IMAGES: usize = 256;

/// The files to write to, each by its descriptor plus one; 0 is none.
static FILES: [AtomicI32; MOST_FILES] = [const { AtomicI32::new(0) }; MOST_FILES];

/// The code that is watched.
static IMAGES: [Code; MOST_IMAGES] = [const { Code::none() }; MOST_IMAGES];

/// Whether a note was written that nobody has taken back.
static HAS_NOTED: AtomicBool = AtomicBool::new(false);

/// How each signal was handled before.
static BEFORE: Before = Before(UnsafeCell::new([const { None }; SIGNALS.len()]));

thread_local! {
    /// The build that this thread is loading, or whose hooks it is in.
    static LOADING: Cell<u64> = const { Cell::new(0) };
}

/// The mapped code of one build. Free if `build` is 0; taken, and not to be read yet, if `end` is 0.
struct Code {
    build: AtomicU64,
    start: AtomicUsize,
    end: AtomicUsize,
}

impl Code {
    const fn none() -> Code {
        Code {
            build: AtomicU64::new(0),
            start: AtomicUsize::new(0),
            end: AtomicUsize::new(0),
        }
    }

    fn has(&self, address: usize) -> bool {
        let end = self.end.load(Ordering::Acquire);
        (self.start.load(Ordering::Relaxed)..end).contains(&address)
    }
}

struct Before(UnsafeCell<[Option<libc::sigaction>; SIGNALS.len()]>);

// SAFETY: each part is written once, before the handler that reads it is in place.
unsafe impl Sync for Before {}

/// A file to which notes are written, for as long as this lives.
#[derive(Debug)]
pub(crate) struct Notes {
    file: File,
    place: usize,
}

/// Has notes written to a file from now on. `None` if there are too many such files.
pub(crate) fn note_to(file: &File) -> io::Result<Option<Notes>> {
    let file = file.try_clone()?;
    let own = file.as_raw_fd() + 1;
    let place = FILES.iter().position(|it| {
        let taken = it.compare_exchange(0, own, Ordering::AcqRel, Ordering::Relaxed);
        taken.is_ok()
    });
    listen();
    Ok(place.map(|place| Notes { file, place }))
}

impl Drop for Notes {
    fn drop(&mut self) {
        let own = self.file.as_raw_fd() + 1;
        let _ = FILES[self.place].compare_exchange(own, 0, Ordering::AcqRel, Ordering::Relaxed);
    }
}

/// Whether a note was written although the process goes on.
pub(crate) fn has_noted() -> bool {
    HAS_NOTED.load(Ordering::Relaxed)
}

/// Lets the next signal have a note.
pub(crate) fn forget_note() {
    HAS_NOTED.store(false, Ordering::Relaxed);
}

/// A build whose code is known to the handler, for as long as this lives.
#[derive(Debug)]
pub(crate) struct Watched {
    place: Option<usize>,
}

/// Tells the handler where the code of a build is, which has this number.
pub(crate) fn watch(image: &Image, build: u64) -> Watched {
    let Some((start, end)) = super::system::extent(image.path()) else {
        return Watched { place: None };
    };
    let place = IMAGES.iter().position(|it| {
        let taken = it
            .build
            .compare_exchange(0, build, Ordering::AcqRel, Ordering::Relaxed);
        taken.is_ok()
    });
    if let Some(place) = place {
        let code = &IMAGES[place];
        code.start.store(start, Ordering::Relaxed);
        code.end.store(end, Ordering::Release);
    }
    Watched { place }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            let code = &IMAGES[place];
            code.end.store(0, Ordering::Release);
            code.build.store(0, Ordering::Release);
        }
    }
}

/// Work on this thread that runs code of a build, for as long as this lives.
#[derive(Debug)]
pub(crate) struct Loading {
    before: u64,
}

impl Loading {
    /// Code of the build with this number runs from now on: its constructors, or its hooks.
    pub(crate) fn begin(build: u64) -> Loading {
        let before = LOADING.replace(build);
        Loading { before }
    }
}

impl Drop for Loading {
    fn drop(&mut self) {
        LOADING.set(self.before);
    }
}

/// Puts the handler in place, once for the process.
fn listen() {
    static LISTENING: Once = Once::new();
    LISTENING.call_once(|| {
        // What the unwinder makes at its first use is made now.
        stack::any(|_| false);
        for (place, &signal) in SIGNALS.iter().enumerate() {
            if let Some(before) = action_of(signal) {
                // SAFETY: nobody reads this part yet, and it is written once.
                unsafe { (*BEFORE.0.get())[place] = Some(before) };
                handle(signal);
            }
        }
        // SAFETY: the function takes nothing, and is there for as long as the process.
        unsafe { libc::atexit(note_exit) };
    });
}

fn action_of(signal: c_int) -> Option<libc::sigaction> {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: the call only asks, and writes the answer.
    let status = unsafe { libc::sigaction(signal, ptr::null(), action.as_mut_ptr()) };
    // SAFETY: zeros are a valid answer, if there is no other.
    (status == 0).then_some(unsafe { action.assume_init() })
}

fn handle(signal: c_int) {
    // SAFETY: zeros are a valid action: the default one.
    let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    action.sa_sigaction = note_signal as *const () as usize;
    // On the thread's other stack, if it has one: the signal may be that of a stack that is full.
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    // SAFETY: the function is one for signals with information.
    unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) };
}

extern "C" fn note_signal(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the system passes the information of the signal.
    let info_ref = unsafe { &*info };
    let is_sent = info_ref.si_code <= 0;
    let sender = match is_sent {
        true => sender_of(info_ref),
        false => 0,
    };
    // SAFETY: the system passes the state of the thread.
    let at = unsafe { instruction(context) };
    note(signal, sender, at);
    pass_on(signal, is_sent, info, context);
}

extern "C" fn note_exit() {
    note(0, 0, 0);
}

fn sender_of(info: &libc::siginfo_t) -> u32 {
    // SAFETY: a signal that was sent has a sender.
    let sender = unsafe { info.si_pid() };
    u32::try_from(sender).unwrap_or(u32::MAX)
}

/// Writes what is known. Of two signals of one death the first says more: a handler of somebody else's may end the process by
/// another one.
fn note(signal: c_int, sender: u32, at: usize) {
    if HAS_NOTED.swap(true, Ordering::Relaxed) {
        return;
    }
    let (how, build) = at_work(at);
    // SAFETY: the call only asks.
    let process = unsafe { libc::getpid() };
    let mut line = Line::new();
    line.put(b"note ");
    for number in [
        process as u64,
        signal as u64,
        sender.into(),
        how,
        build,
        0xe,
    ] {
        line.hexadecimal(number);
    }
    line.put(b"\n");
    for file in &FILES {
        let file = file.load(Ordering::Acquire) - 1;
        if file >= 0 {
            // SAFETY: the descriptor is open for as long as it is in the table, and the line is that long.
            unsafe { libc::pwrite(file, line.bytes.as_ptr().cast(), line.length, 0) };
        }
    }
}

/// The build whose code is at work on this thread, which is at the instruction `at`, and how that is known.
fn at_work(at: usize) -> (u64, u64) {
    const CODE: u64 = 1;
    const CALL: u64 = 2;
    const LOAD: u64 = 3;
    let build_at = |address: usize| {
        let code = IMAGES.iter().find(|code| address != 0 && code.has(address));
        code.map(|code| code.build.load(Ordering::Relaxed))
    };
    if let Some(build) = build_at(at) {
        return (CODE, build);
    }
    // Whoever loads may hold the locks of the loader, which some unwinders ask.
    if let loading @ 1.. = LOADING.get() {
        return (LOAD, loading);
    }
    let mut found = None;
    stack::any(|address| {
        found = build_at(address);
        found.is_some()
    });
    found.map_or((0, 0), |build| (CALL, build))
}

/// The stack of a thread, as the unwinder of the standard library's panics finds it. It goes on from a signal handler to what the
/// signal has interrupted.
mod stack {
    use std::ffi::{c_int, c_void};

    /// The most frames that are looked at: an endless recursion has more.
    const MOST_FRAMES: usize = 10_000;

    /// The end of a trace, for the unwinder: anything but 0.
    const ENOUGH: c_int = 5;

    /// A frame, as the unwinder knows it.
    #[repr(C)]
    struct Frame([u8; 0]);

    #[cfg(not(target_arch = "arm"))]
    unsafe extern "C" {
        fn _Unwind_Backtrace(
            each: extern "C" fn(*mut Frame, *mut c_void) -> c_int,
            data: *mut c_void,
        ) -> c_int;
        fn _Unwind_GetIP(frame: *mut Frame) -> usize;
    }

    struct Search<'s> {
        is_wanted: &'s mut dyn FnMut(usize) -> bool,
        frames: usize,
    }

    /// Shows the addresses to which the functions of this stack return, the innermost first, until one is wanted.
    #[cfg(not(target_arch = "arm"))]
    pub(super) fn any(mut is_wanted: impl FnMut(usize) -> bool) {
        let mut search = Search {
            is_wanted: &mut is_wanted,
            frames: 0,
        };
        // SAFETY: `look_at` takes the pointer that is passed for it.
        unsafe { _Unwind_Backtrace(look_at, (&raw mut search).cast()) };
    }

    /// There the unwinder has no such function.
    #[cfg(target_arch = "arm")]
    pub(super) fn any(_is_wanted: impl FnMut(usize) -> bool) {}

    #[cfg(not(target_arch = "arm"))]
    extern "C" fn look_at(frame: *mut Frame, search: *mut c_void) -> c_int {
        // SAFETY: `any` passes the pointer, and does not use it before the trace is over.
        let search = unsafe { &mut *search.cast::<Search<'_>>() };
        // SAFETY: the frame is the unwinder's.
        let address = unsafe { _Unwind_GetIP(frame) };
        search.frames += 1;
        match (search.is_wanted)(address) || search.frames == MOST_FRAMES {
            true => ENOUGH,
            false => 0,
        }
    }
}

/// Has the signal handled as it was before there was this handler.
fn pass_on(signal: c_int, is_sent: bool, info: *mut libc::siginfo_t, context: *mut c_void) {
    let place = SIGNALS.iter().position(|it| *it == signal);
    // SAFETY: the table was written before the handler was in place, and nobody writes to it any more.
    let before = unsafe { &*BEFORE.0.get() };
    let Some(before) = place.and_then(|place| before[place]) else {
        return;
    };
    match before.sa_sigaction {
        libc::SIG_IGN if is_sent => {}
        libc::SIG_DFL | libc::SIG_IGN => {
            // The instruction is tried again when this returns, and ends the process.
            // SAFETY: the action is what it was.
            unsafe { libc::sigaction(signal, &raw const before, ptr::null_mut()) };
            if is_sent {
                // SAFETY: the signal is held back until this returns.
                unsafe { libc::raise(signal) };
            }
        }
        handler if before.sa_flags & libc::SA_SIGINFO != 0 => {
            // SAFETY: the action says that it is a handler with information.
            let handler = unsafe {
                std::mem::transmute::<usize, extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void)>(
                    handler,
                )
            };
            handler(signal, info, context);
        }
        handler => {
            // SAFETY: the action says that it is a handler without information.
            let handler = unsafe { std::mem::transmute::<usize, extern "C" fn(c_int)>(handler) };
            handler(signal);
        }
    }
}

/// The instruction at which a thread was interrupted; 0 where that is not known.
///
/// # Safety
///
/// The context is what the system passes to a handler.
unsafe fn instruction(context: *mut c_void) -> usize {
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    {
        // SAFETY: by the contract.
        let context = unsafe { &*context.cast::<libc::ucontext_t>() };
        context.uc_mcontext.gregs[libc::REG_RIP as usize] as usize
    }
    #[cfg(all(target_os = "linux", target_arch = "aarch64"))]
    {
        // SAFETY: by the contract.
        let context = unsafe { &*context.cast::<libc::ucontext_t>() };
        context.uc_mcontext.pc as usize
    }
    #[cfg(not(all(
        target_os = "linux",
        any(target_arch = "x86_64", target_arch = "aarch64")
    )))]
    {
        let _ = context;
        0
    }
}

/// A line that is made without memory of its own.
struct Line {
    bytes: [u8; 160],
    length: usize,
}

impl Line {
    fn new() -> Line {
        Line {
            bytes: [0; 160],
            length: 0,
        }
    }

    fn put(&mut self, text: &[u8]) {
        for &byte in text {
            if let Some(place) = self.bytes.get_mut(self.length) {
                *place = byte;
                self.length += 1;
            }
        }
    }

    /// Adds a number in hexadecimal digits, behind a space unless it is the first.
    fn hexadecimal(&mut self, number: u64) {
        if self.bytes[..self.length].last() != Some(&b' ') {
            self.put(b" ");
        }
        let digits = (64 - number.leading_zeros()).div_ceil(4).max(1);
        for digit in (0..digits).rev() {
            let digit = (number >> (4 * digit)) as usize & 0xf;
            self.put(&b"0123456789abcdef"[digit..=digit]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_numbers_in_hexadecimal_digits() {
        let mut line = Line::new();
        line.put(b"note ");
        for number in [0, 0xf, 0x10, u64::MAX, 0xabc] {
            line.hexadecimal(number);
        }
        let text = str::from_utf8(&line.bytes[..line.length]).unwrap();
        assert_eq!(text, "note 0 f 10 ffffffffffffffff abc");
    }

    #[test]
    fn work_on_a_build_is_known_from_its_loading() {
        assert_eq!(at_work(0), (0, 0));
        let _outer = Loading::begin(7);
        {
            let _inner = Loading::begin(9);
            assert_eq!(at_work(0), (3, 9));
        }
        assert_eq!(at_work(0), (3, 7));
    }

    #[test]
    #[cfg(not(target_arch = "arm"))]
    fn the_stack_leads_to_whoever_has_called() {
        #[inline(never)]
        fn called(own: usize, length: usize) -> bool {
            let mut is_found = false;
            stack::any(|address| {
                is_found |= (own..own + length).contains(&address);
                is_found
            });
            is_found
        }
        #[inline(never)]
        fn caller() -> bool {
            let own = caller as fn() -> bool as usize;
            // Something is done after the call, so it is no jump.
            std::hint::black_box(called(own, 256))
        }
        assert!(caller());
        assert!(!called(1, 2), "nobody is there");
    }
}
