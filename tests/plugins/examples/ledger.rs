//! A plugin that panics when it is given 0, and else says how many bytes of memory it holds.

use std::alloc::{GlobalAlloc, Layout, System};
use std::panic;
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};

static HELD: AtomicU64 = AtomicU64::new(0);

/// The system's allocator, with a count of the bytes that are held.
struct Ledger;

#[global_allocator]
static LEDGER: Ledger = Ledger;

// SAFETY: the system's allocator does the work.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Ledger {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size() as u64, Ordering::Relaxed);
        // SAFETY: as the caller says.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size() as u64, Ordering::Relaxed);
        // SAFETY: as the caller says.
        unsafe { System.dealloc(block, layout) }
    }
}

fixtures::fixture!(
    |number| {
        static QUIET: Once = Once::new();
        // The host hears of each panic; on stderr a thousand of them help nobody.
        QUIET.call_once(|| panic::set_hook(Box::new(|_| {})));
        assert!(number != 0, "{number} is too little");
        HELD.load(Ordering::Relaxed)
    },
    own_allocator
);
