//! Counts what repeats: instructions, allocations, wake-ups. System calls are counted from outside, in `trace`.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};

/// A thread of this process.
pub type Thread = i32;

/// The system's allocator, which counts how often it is asked for memory.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    // Constant, so that counting allocates nothing itself.
    static IS_COUNTED: Cell<bool> = const { Cell::new(true) };
}

fn count() {
    // A thread that ends has no such flag any more.
    if IS_COUNTED.try_with(Cell::get).unwrap_or(false) {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
    }
}

// SAFETY: every call is passed on to the system's allocator as it came; counting touches no memory of others.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the same promises to us as we must keep to the system.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as above, and the pointer came from the system.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above, and the pointer came from the system.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often the process has asked for memory.
pub fn allocations() -> u64 {
    ALLOCATIONS.load(Ordering::Relaxed)
}

/// Does what is no part of what is measured.
pub fn uncounted(work: impl FnOnce()) {
    IS_COUNTED.set(false);
    work();
    IS_COUNTED.set(true);
}

/// The processor time of a thread, in nanoseconds. In the guest that is its instructions, the kernel's for it
/// included.
pub fn instructions(thread: Thread) -> u64 {
    // How the kernel names the clock of a thread by its number: `man 2 clock_getres`, and its `posix-timers.h`.
    const PER_THREAD: i32 = 4;
    const SCHEDULED: i32 = 2;
    let clock = (!thread << 3) | PER_THREAD | SCHEDULED;
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: it writes to the place it is given.
    let failed = unsafe { libc::clock_gettime(clock, &mut time) };
    assert_eq!(failed, 0, "thread {thread} has no clock");
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// This thread.
pub fn this_thread() -> Thread {
    rustix::thread::gettid().as_raw_nonzero().get()
}

/// All threads of this process but the first.
pub fn other_threads() -> Vec<Thread> {
    let first = std::process::id() as Thread;
    let tasks = fs::read_dir("/proc/self/task").expect("procfs is mounted");
    tasks
        .filter_map(|task| task.ok()?.file_name().to_str()?.parse().ok())
        .filter(|thread| *thread != first)
        .collect()
}

/// The thread that has this name.
pub fn thread_called(name: &str) -> Option<Thread> {
    other_threads().into_iter().find(|thread| {
        let comm = fs::read_to_string(format!("/proc/self/task/{thread}/comm"));
        comm.is_ok_and(|comm| name.starts_with(comm.trim_end()))
    })
}

/// How often a thread has gone to sleep of its own will, and so will be woken.
pub fn sleeps(thread: Thread) -> u64 {
    let status = fs::read_to_string(format!("/proc/self/task/{thread}/status"));
    let status = status.expect("the thread is there");
    let mut words = status.split_whitespace();
    words
        .find(|word| *word == "voluntary_ctxt_switches:")
        .and_then(|_| words.next()?.parse().ok())
        .expect("Linux counts them")
}
