//! The allocator of a plugin.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, Ordering};

/// The system's allocator, but for one block: std never gives back the buffer of its standard output, so that buffer
/// is put into the image, and goes with it.
#[derive(Debug)]
pub struct Allocator;

/// The size of std's buffer of standard output. If that were another, the buffer would only be left behind.
const STDOUT: usize = 1024;

pub(super) static STDOUT_IS_NEXT: AtomicBool = AtomicBool::new(false);
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
