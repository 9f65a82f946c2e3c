//! A plugin that calls its host while it uses a thread-local of its own.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};

use fixtures::{Bell, Thing, Visit, Visitor};

static DROPPED: AtomicU64 = AtomicU64::new(0);

/// Something that is dropped when its thread leaves the plugin.
struct Kept(Vec<u64>);

impl Drop for Kept {
    fn drop(&mut self) {
        DROPPED.fetch_add(1, Ordering::Relaxed);
    }
}

thread_local!(static KEPT: RefCell<Kept> = const { RefCell::new(Kept(Vec::new())) });

/// Something that panics when it is touched.
struct Sharp;

impl Thing for Sharp {
    fn touched(&self) {
        panic!("it is sharp");
    }
}

/// This fixture.
struct This;

impl Visit for This {
    fn visit(bell: &mut dyn Bell) -> u64 {
        KEPT.with_borrow_mut(|kept| kept.0.push(1));
        KEPT.with_borrow(|kept| {
            let numbers = kept.0.as_slice();
            let before = DROPPED.load(Ordering::Relaxed);
            bell.ring();
            assert!(numbers.iter().all(|&number| number == 1), "{numbers:?}");
            DROPPED.load(Ordering::Relaxed) - before
        })
    }

    fn hand(bell: &mut dyn Bell) {
        bell.touch(&Sharp);
    }
}

replug_plugin::export!(This: Visitor);
