//! Handles, for calls from other threads. A handle never loads and never retires: it finds the generation that the
//! owner thread made live last.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::{ArcSwap, Guard};

use crate::boundary::{Image, Leased, leave_rest};
use replug_plugin::Interface;

/// A way to call the live generation of a [`Host`](crate::Host) from any thread. Cheap to clone and to send.
///
/// A call that has begun ends on the generation it began on, however long it takes, and holds up no reload. A loan to
/// the caller ([`live`](Handle::live), [`caller`](Handle::caller)) keeps that generation's image mapped.
///
/// # Examples
///
/// ```no_run
/// replug::interface! {
///     /// Adds.
///     pub interface Adder, plugin trait Add, version 1 {
///         /// The sum.
///         fn add(one: u32, other: u32) -> u32;
///     }
/// }
///
/// # fn main() -> Result<(), replug::Error> {
/// let mut host = replug::Host::<Adder>::watch(replug::Options::new("target/debug/libadder.so"))?;
/// let handle = host.handle();
/// std::thread::spawn(move || {
///     let mut adder = handle.caller();
///     for number in 0..1_000_000 {
///         // One comparison more than a call on the owner thread.
///         let _sum = adder.live().add(number, 1);
///     }
/// });
/// # Ok(())
/// # }
/// ```
pub struct Handle<T> {
    shared: Arc<Shared<T>>,
}

/// The place where the owner thread leaves the live generation for its handles.
struct Shared<T> {
    live: ArcSwap<Leased<T>>,
    /// The number of swaps: all that a caller needs to read as long as nothing changes.
    swaps: AtomicU64,
}

impl<T> Handle<T> {
    /// The live generation's functions, for one call or a few. While there is no generation, the functions say so.
    pub fn live(&self) -> Lent<T> {
        Lent(self.shared.live.load())
    }

    /// A caller, for a thread that calls often: it remembers the live generation, and asks only whether that has
    /// changed.
    pub fn caller(&self) -> Caller<T> {
        let shared = Arc::clone(&self.shared);
        // Read in this order, a swap in between is noticed at the next call.
        let swaps = shared.swaps.load(Ordering::Acquire);
        let live = shared.live.load_full();
        Caller {
            shared,
            swaps,
            live,
        }
    }
}

impl<T> Clone for Handle<T> {
    fn clone(&self) -> Handle<T> {
        let shared = Arc::clone(&self.shared);
        Handle { shared }
    }
}

impl<T> fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

/// A listener to a host's swaps. A trait, so that a host of plugins that only its own thread may call needs no
/// handle.
pub(crate) trait Publish<T>: Send {
    /// Another generation is live.
    fn publish(&self, table: &T, image: &Arc<Image>);

    /// No generation is live any more.
    fn withdraw(&self);

    /// Makes another handle.
    fn handle(&self) -> Handle<T>;
}

impl<T: Interface> Handle<T> {
    /// The handle of a host whose live generation, if there is one, has this table and image.
    pub(crate) fn new(table: &T, image: Option<&Arc<Image>>) -> Handle<T> {
        let shared = Shared {
            live: ArcSwap::from_pointee(Leased::of(table, image)),
            swaps: AtomicU64::new(0),
        };
        Handle {
            shared: Arc::new(shared),
        }
    }

    fn swap(&self, table: &T, image: Option<&Arc<Image>>) {
        self.shared.live.store(Arc::new(Leased::of(table, image)));
        self.shared.swaps.fetch_add(1, Ordering::Release);
    }
}

impl<T: Interface> Publish<T> for Handle<T> {
    fn publish(&self, table: &T, image: &Arc<Image>) {
        self.swap(table, Some(image));
    }

    fn withdraw(&self) {
        self.swap(&T::absent(), None);
    }

    fn handle(&self) -> Handle<T> {
        self.clone()
    }
}

/// A generation on loan from a [`Handle`], for as long as the loan lives.
pub struct Lent<T>(Guard<Arc<Leased<T>>>);

impl<T> Deref for Lent<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// A [`Handle`] of one thread. Between two calls a caller keeps the generation of the last call from being stopped
/// and unmapped, so a thread that will not call for long drops its caller.
pub struct Caller<T> {
    shared: Arc<Shared<T>>,
    swaps: u64,
    live: Arc<Leased<T>>,
}

impl<T> Caller<T> {
    /// The live generation's functions.
    #[inline]
    pub fn live(&mut self) -> &T {
        if self.shared.swaps.load(Ordering::Relaxed) != self.swaps {
            self.renew();
        }
        &self.live
    }

    #[cold]
    fn renew(&mut self) {
        let swaps = self.shared.swaps.load(Ordering::Acquire);
        let live = self.shared.live.load_full();
        if !Arc::ptr_eq(&live, &self.live) {
            self.live.leave();
            self.live = live;
        }
        // In the middle of a call, the thread cannot leave what that call may use: the next call tries again.
        if leave_rest() {
            self.swaps = swaps;
        }
    }
}

impl<T> Drop for Caller<T> {
    fn drop(&mut self) {
        // A generation that is retired by now is let go of here, for there is no next call.
        if !Arc::ptr_eq(&self.shared.live.load(), &self.live) {
            self.live.leave();
        }
    }
}

impl<T> fmt::Debug for Caller<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller").finish_non_exhaustive()
    }
}
