//! Visits: calls that a plugin makes to its host in the middle of a call. Counted in the host, for each of its threads.

use std::cell::Cell;
use std::marker::PhantomData;

thread_local!(static VISITS: Cell<usize> = const { Cell::new(0) });

/// A call that a plugin makes to this program, for as long as it lasts. Meanwhile code of the plugin is on the thread's
/// stack, and may be using the plugin's thread-locals.
#[derive(Debug)]
pub struct Visit {
    /// A visit stays on its thread.
    _thread: PhantomData<*const ()>,
}

impl Visit {
    /// The beginning of a visit.
    #[inline(always)]
    pub fn begin() -> Visit {
        VISITS.set(VISITS.get() + 1);
        Visit {
            _thread: PhantomData,
        }
    }

    /// Whether a plugin visits this program on this thread.
    pub fn is_going_on() -> bool {
        VISITS.get() > 0
    }
}

impl Drop for Visit {
    #[inline(always)]
    fn drop(&mut self) {
        VISITS.set(VISITS.get() - 1);
    }
}
