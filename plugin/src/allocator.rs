//! The allocator of a plugin: that of its host, if they exchange ordinary Rust, and the system's otherwise.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicPtr, Ordering};

#[cfg(unloads)]
pub(crate) use self::stdout::STDOUT_IS_NEXT;

/// The host's allocator, as functions. They take the size and the alignment of a block in bytes.
#[repr(C)]
#[derive(Debug)]
pub struct Heap {
    /// As `GlobalAlloc::alloc`.
    pub alloc: unsafe extern "C" fn(usize, usize) -> *mut u8,
    /// The same for the alignments 1 and 8, which most blocks have: an alignment that is known where the program was
    /// compiled saves what its allocator makes of it, and a register.
    pub alloc_1: unsafe extern "C" fn(usize) -> *mut u8,
    /// As above.
    pub alloc_8: unsafe extern "C" fn(usize) -> *mut u8,
    /// As `GlobalAlloc::alloc_zeroed`.
    pub alloc_zeroed: unsafe extern "C" fn(usize, usize) -> *mut u8,
    /// As `GlobalAlloc::dealloc`.
    pub dealloc: unsafe extern "C" fn(*mut u8, usize, usize),
    /// As `GlobalAlloc::realloc`; the last number is the new size.
    pub realloc: unsafe extern "C" fn(*mut u8, usize, usize, usize) -> *mut u8,
}

/// Where this library's memory comes from: nothing yet, the system, or the host. A table and no flag, so that a request
/// is one jump.
static HEAP: AtomicPtr<Heap> = AtomicPtr::new((&raw const UNASKED).cast_mut());

/// The heap as long as there was no need for any: the first request settles on the system's.
static UNASKED: Heap = Heap {
    alloc: first_alloc,
    alloc_1: first_alloc_of::<1>,
    alloc_8: first_alloc_of::<8>,
    alloc_zeroed: first_alloc_zeroed,
    dealloc: own_dealloc,
    realloc: own_realloc,
};

/// The system's, but for the buffer of standard output.
static OWN: Heap = Heap {
    alloc: own_alloc,
    alloc_1: own_alloc_of::<1>,
    alloc_8: own_alloc_of::<8>,
    alloc_zeroed: own_alloc_zeroed,
    dealloc: own_dealloc,
    realloc: own_realloc,
};

/// Takes the host's allocator for all that this library allocates; false if the library has some memory already, which
/// the host could not free.
///
/// # Safety
///
/// `heap` can be used for as long as this library is mapped.
pub(crate) unsafe extern "C" fn allocate_from(heap: *const Heap) -> bool {
    let taken = HEAP.compare_exchange(
        (&raw const UNASKED).cast_mut(),
        heap.cast_mut(),
        Ordering::AcqRel,
        Ordering::Acquire,
    );
    taken.is_ok()
}

/// Whether this is a library that allocates from its host, and not the host.
pub(crate) fn has_host() -> bool {
    let own = [&raw const UNASKED, &raw const OWN];
    !own.contains(&HEAP.load(Ordering::Relaxed).cast_const())
}

#[inline(always)]
fn heap() -> &'static Heap {
    // SAFETY: a table of this library, or the host's, which can be used for as long as this code is mapped.
    unsafe { &*HEAP.load(Ordering::Acquire) }
}

/// Settles on the system's allocator for good, unless a host's has come in between.
#[cold]
fn settle() -> &'static Heap {
    let _ = HEAP.compare_exchange(
        (&raw const UNASKED).cast_mut(),
        (&raw const OWN).cast_mut(),
        Ordering::AcqRel,
        Ordering::Acquire,
    );
    heap()
}

#[cold]
unsafe extern "C" fn first_alloc(size: usize, align: usize) -> *mut u8 {
    // SAFETY: the caller's promises are those of the heap that was settled on.
    unsafe { (settle().alloc)(size, align) }
}

#[cold]
unsafe extern "C" fn first_alloc_of<const ALIGN: usize>(size: usize) -> *mut u8 {
    // SAFETY: as above.
    unsafe { first_alloc(size, ALIGN) }
}

#[cold]
unsafe extern "C" fn first_alloc_zeroed(size: usize, align: usize) -> *mut u8 {
    // SAFETY: as above.
    unsafe { (settle().alloc_zeroed)(size, align) }
}

unsafe extern "C" fn own_alloc(size: usize, align: usize) -> *mut u8 {
    // SAFETY: the allocator below passes on the numbers of a layout.
    let layout = unsafe { Layout::from_size_align_unchecked(size, align) };
    #[cfg(unloads)]
    if let Some(block) = stdout::take(layout) {
        return block;
    }
    // SAFETY: the caller's promises are the system's.
    unsafe { System.alloc(layout) }
}

unsafe extern "C" fn own_alloc_of<const ALIGN: usize>(size: usize) -> *mut u8 {
    // SAFETY: as above.
    unsafe { own_alloc(size, ALIGN) }
}

unsafe extern "C" fn own_alloc_zeroed(size: usize, align: usize) -> *mut u8 {
    // SAFETY: as above.
    let layout = unsafe { Layout::from_size_align_unchecked(size, align) };
    // SAFETY: as above.
    unsafe { System.alloc_zeroed(layout) }
}

unsafe extern "C" fn own_dealloc(block: *mut u8, size: usize, align: usize) {
    #[cfg(unloads)]
    if stdout::is(block) {
        return;
    }
    // SAFETY: as above.
    let layout = unsafe { Layout::from_size_align_unchecked(size, align) };
    // SAFETY: as above, and the block is the system's.
    unsafe { System.dealloc(block, layout) }
}

unsafe extern "C" fn own_realloc(
    block: *mut u8,
    size: usize,
    align: usize,
    wanted: usize,
) -> *mut u8 {
    // SAFETY: as above.
    let layout = unsafe { Layout::from_size_align_unchecked(size, align) };
    #[cfg(unloads)]
    if stdout::is(block) {
        // SAFETY: the caller may ask for so much with this alignment.
        let moved = unsafe { Layout::from_size_align_unchecked(wanted, align) };
        // SAFETY: as above.
        let to = unsafe { System.alloc(moved) };
        if !to.is_null() {
            // SAFETY: both blocks are at least so long, and they do not overlap.
            unsafe { block.copy_to_nonoverlapping(to, wanted.min(stdout::SIZE)) };
        }
        return to;
    }
    // SAFETY: as above, and the block is the system's.
    unsafe { System.realloc(block, layout, wanted) }
}

/// The allocator of a plugin.
#[derive(Debug)]
pub struct Allocator;

// SAFETY: everything is passed on as it came, to one and the same heap from the first block on: no block is there before
// the first request has settled on one.
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let (heap, size) = (heap(), layout.size());
        match layout.align() {
            // SAFETY: the caller's promises are the heap's.
            1 => unsafe { (heap.alloc_1)(size) },
            // SAFETY: as above.
            8 => unsafe { (heap.alloc_8)(size) },
            // SAFETY: as above.
            align => unsafe { (heap.alloc)(size, align) },
        }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe { (heap().alloc_zeroed)(layout.size(), layout.align()) }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above, and the block is the heap's.
        unsafe { (heap().dealloc)(block, layout.size(), layout.align()) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        unsafe { (heap().realloc)(block, layout.size(), layout.align(), size) }
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
    #[inline(always)]
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
        const _: () = {
            #[global_allocator]
            static REPLUG_ALLOCATOR: $crate::__private::Allocator = $crate::__private::Allocator;
        };
    };
}
