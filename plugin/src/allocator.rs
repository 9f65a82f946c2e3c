//! The allocator of a plugin: that of its host, if they exchange ordinary Rust, and the system's otherwise.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

#[cfg(unloads)]
pub(crate) use self::stdout::STDOUT_IS_NEXT;

/// The host's allocator, as functions. They take the size and the alignment of a block in bytes.
#[repr(C)]
#[derive(Debug)]
pub struct Heap {
    /// As `GlobalAlloc::alloc`.
    pub alloc: unsafe extern "C" fn(usize, usize) -> *mut u8,
    /// As `GlobalAlloc::alloc_zeroed`.
    pub alloc_zeroed: unsafe extern "C" fn(usize, usize) -> *mut u8,
    /// As `GlobalAlloc::dealloc`.
    pub dealloc: unsafe extern "C" fn(*mut u8, usize, usize),
    /// As `GlobalAlloc::realloc`; the last number is the new size.
    pub realloc: unsafe extern "C" fn(*mut u8, usize, usize, usize) -> *mut u8,
}

/// Where this library's memory comes from: null as long as there was no need for any, [`OWN`], or the host's [`Heap`].
static HEAP: AtomicPtr<Heap> = AtomicPtr::new(ptr::null_mut());

/// The system's allocator, as a value of [`HEAP`]. No heap is at this address.
const OWN: *mut Heap = ptr::without_provenance_mut(1);

/// Takes the host's allocator for all that this library allocates; false if the library has some memory already, which
/// the host could not free.
///
/// # Safety
///
/// `heap` can be used for as long as this library is mapped.
pub(crate) unsafe extern "C" fn allocate_from(heap: *const Heap) -> bool {
    let taken = HEAP.compare_exchange(
        ptr::null_mut(),
        heap.cast_mut(),
        Ordering::AcqRel,
        Ordering::Acquire,
    );
    taken.is_ok()
}

/// The host's allocator, if this library allocates from it. That is asked first, and by one comparison.
#[inline]
fn heap() -> Option<&'static Heap> {
    let mut heap = HEAP.load(Ordering::Acquire);
    if heap.addr() <= OWN.addr() {
        if !heap.is_null() {
            return None;
        }
        heap = settle();
        if heap == OWN {
            return None;
        }
    }
    // SAFETY: the host's allocator can be used for as long as this code is mapped, and is not null.
    Some(unsafe { &*heap })
}

/// Settles on the system's allocator for good, unless a host's has come in between.
#[cold]
fn settle() -> *mut Heap {
    match HEAP.compare_exchange(ptr::null_mut(), OWN, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => OWN,
        Err(heap) => heap,
    }
}

/// The allocator of a plugin.
#[derive(Debug)]
pub struct Allocator;

// SAFETY: everything is passed on as it came, to one and the same allocator for as long as this library is mapped; but
// for the one block of std's standard output.
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if let Some(heap) = heap() {
            // SAFETY: the caller's promises are the host's.
            return unsafe { (heap.alloc)(layout.size(), layout.align()) };
        }
        #[cfg(unloads)]
        if let Some(block) = stdout::take(layout) {
            return block;
        }
        // SAFETY: the caller's promises are the system's.
        unsafe { System.alloc(layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if let Some(heap) = heap() {
            // SAFETY: as above.
            return unsafe { (heap.alloc_zeroed)(layout.size(), layout.align()) };
        }
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if let Some(heap) = heap() {
            // SAFETY: as above, and the block is the host's.
            return unsafe { (heap.dealloc)(block, layout.size(), layout.align()) };
        }
        #[cfg(unloads)]
        if stdout::is(block) {
            return;
        }
        // SAFETY: as above, and the block is the system's.
        unsafe { System.dealloc(block, layout) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if let Some(heap) = heap() {
            // SAFETY: as above, and the block is the host's.
            return unsafe { (heap.realloc)(block, layout.size(), layout.align(), size) };
        }
        #[cfg(unloads)]
        if stdout::is(block) {
            // SAFETY: the caller may ask for `size` with this alignment.
            let moved = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
            // SAFETY: as above.
            let to = unsafe { System.alloc(moved) };
            if !to.is_null() {
                // SAFETY: both blocks are at least so long, and they do not overlap.
                unsafe { block.copy_to_nonoverlapping(to, size.min(stdout::SIZE)) };
            }
            return to;
        }
        // SAFETY: as above, and the block is the system's.
        unsafe { System.realloc(block, layout, size) }
    }
}

/// The block that std never gives back: the buffer of its standard output. It is put into the image, and goes with it.
#[cfg(unloads)]
mod stdout {
    use std::alloc::Layout;
    use std::cell::UnsafeCell;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// The size of std's buffer of standard output. If that were another, the buffer would only be left behind.
    pub(super) const SIZE: usize = 1024;

    pub(crate) static STDOUT_IS_NEXT: AtomicBool = AtomicBool::new(false);
    static BUFFER: Buffer = Buffer(UnsafeCell::new([0; SIZE]));

    struct Buffer(UnsafeCell<[u8; SIZE]>);

    // SAFETY: the buffer is handed out once, like any other block of memory.
    unsafe impl Sync for Buffer {}

    /// The buffer, if this is the request for it.
    #[inline]
    pub(super) fn take(layout: Layout) -> Option<*mut u8> {
        let fits = layout.size() == SIZE && layout.align() == 1;
        let is_next = fits && STDOUT_IS_NEXT.swap(false, Ordering::AcqRel);
        is_next.then(|| BUFFER.0.get().cast())
    }

    /// Whether a block is the buffer.
    #[inline]
    pub(super) fn is(block: *mut u8) -> bool {
        block == BUFFER.0.get().cast()
    }
}

/// Makes [`Allocator`] the allocator of the library that uses this macro.
#[doc(hidden)]
#[macro_export]
macro_rules! __allocate {
    () => {
        #[global_allocator]
        static REPLUG_ALLOCATOR: $crate::__private::Allocator = $crate::__private::Allocator;
    };
}
