//! Which function of a plugin each thread of its host is in, for a host that wants to know what has ended it.

use std::cell::Cell;
use std::ffi::c_void;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether somebody wants to know. Whoever does not pays for one look at this.
static IS_ASKED: AtomicBool = AtomicBool::new(false);

thread_local!(static CALLED: Cell<usize> = const { Cell::new(0) });

/// A call of a function of a plugin, for as long as it lasts.
#[derive(Debug)]
pub struct Called {
    before: usize,
    /// A call stays on its thread.
    _thread: PhantomData<*const ()>,
}

impl Called {
    /// The beginning of a call of this function; `None` if nobody wants to know.
    #[inline]
    pub fn begin_if_asked(function: *const c_void) -> Option<Called> {
        is_asked_where().then(|| Called::begin(function))
    }

    /// The beginning of a call of this function. Not inlined: whoever notes nothing is to have nothing of it.
    #[inline(never)]
    pub fn begin(function: *const c_void) -> Called {
        Called {
            before: CALLED.replace(function as usize),
            _thread: PhantomData,
        }
    }
}

impl Drop for Called {
    #[inline(never)]
    fn drop(&mut self) {
        CALLED.set(self.before);
    }
}

/// Whether calls are to be noted. Two instructions for whoever notes none.
#[inline(always)]
pub fn is_asked_where() -> bool {
    IS_ASKED.load(Ordering::Relaxed)
}

/// Has calls noted from now on.
pub fn ask_where() {
    IS_ASKED.store(true, Ordering::Relaxed);
}

/// The address of the function that this thread is in; 0 if it is in none. To be asked in the middle of anything.
pub fn called() -> usize {
    CALLED.get()
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use super::*;

    #[test]
    fn a_thread_is_in_the_function_that_it_has_called_last_and_not_left() {
        assert!(!is_asked_where());
        ask_where();
        assert!(is_asked_where());
        assert_eq!(called(), 0);
        let outer = Called::begin(ptr::without_provenance(1));
        {
            let _inner = Called::begin(ptr::without_provenance(2));
            assert_eq!(called(), 2);
        }
        assert_eq!(called(), 1);
        drop(outer);
        assert_eq!(called(), 0);
    }
}
