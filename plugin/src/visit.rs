//! Visits: what a plugin does in its host in the middle of a call, by what the host lends to the call. Counted in the host, for
//! each of its threads, by the calls in which there can be visits.

use std::cell::Cell;
use std::marker::PhantomData;

use crate::shape::Shape;

thread_local!(static CALLS: Cell<usize> = const { Cell::new(0) });

/// A call in which a plugin can visit this program, for as long as the call lasts. Meanwhile code of the plugin is on the
/// thread's stack, and may be using the plugin's thread-locals.
#[derive(Debug)]
pub struct Visited {
    /// A call stays on its thread.
    _thread: PhantomData<*const ()>,
}

impl Visited {
    /// The beginning of a call; `None` if nothing by which the plugin could visit is lent to it.
    #[inline(always)]
    pub fn begin(lends: bool) -> Option<Visited> {
        if !lends {
            return None;
        }
        CALLS.set(CALLS.get() + 1);
        Some(Visited {
            _thread: PhantomData,
        })
    }

    /// Whether a plugin may be visiting this program on this thread.
    pub fn is_going_on() -> bool {
        CALLS.get() > 0
    }
}

impl Drop for Visited {
    #[inline(always)]
    fn drop(&mut self) {
        CALLS.set(CALLS.get() - 1);
    }
}

/// How many of these arguments are what a host offers.
pub const fn offers(takes: &[Shape]) -> usize {
    let (mut at, mut offers) = (0, 0);
    while at < takes.len() {
        if let Shape::Ref(Shape::Offer(_)) | Shape::RefMut(Shape::Offer(_)) = takes[at] {
            offers += 1;
        }
        at += 1;
    }
    offers
}
