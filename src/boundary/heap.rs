//! This program's allocator, as functions for plugins that exchange ordinary Rust with it: each side frees what the other
//! has allocated.

use std::alloc::{self, Layout};

use replug_plugin::__private::Heap;

/// The allocator.
pub(super) static HEAP: Heap = Heap {
    alloc,
    alloc_1: alloc_of::<1>,
    alloc_8: alloc_of::<8>,
    alloc_zeroed,
    dealloc,
    realloc,
};

unsafe extern "C" fn alloc(size: usize, align: usize) -> *mut u8 {
    // SAFETY: the plugin passes on the numbers of a layout.
    let layout = unsafe { Layout::from_size_align_unchecked(size, align) };
    // SAFETY: whoever asked the plugin's allocator promised what is promised here.
    unsafe { alloc::alloc(layout) }
}

unsafe extern "C" fn alloc_of<const ALIGN: usize>(size: usize) -> *mut u8 {
    // SAFETY: as above.
    let layout = unsafe { Layout::from_size_align_unchecked(size, ALIGN) };
    // SAFETY: as above.
    unsafe { alloc::alloc(layout) }
}

unsafe extern "C" fn alloc_zeroed(size: usize, align: usize) -> *mut u8 {
    // SAFETY: as above.
    let layout = unsafe { Layout::from_size_align_unchecked(size, align) };
    // SAFETY: as above.
    unsafe { alloc::alloc_zeroed(layout) }
}

unsafe extern "C" fn dealloc(block: *mut u8, size: usize, align: usize) {
    // SAFETY: as above.
    let layout = unsafe { Layout::from_size_align_unchecked(size, align) };
    // SAFETY: as above; the block is of this allocator, whichever side asked for it.
    unsafe { alloc::dealloc(block, layout) }
}

unsafe extern "C" fn realloc(block: *mut u8, size: usize, align: usize, new: usize) -> *mut u8 {
    // SAFETY: as above.
    let layout = unsafe { Layout::from_size_align_unchecked(size, align) };
    // SAFETY: as above.
    unsafe { alloc::realloc(block, layout, new) }
}
