//! Calls from other threads. A handle never loads and never retires: it finds what the owner thread last made live.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use arc_swap::{ArcSwap, Cache, Guard};

use crate::boundary::{Image, Leased};
use crate::interface::Interface;

/// Calls the live generation of a [`Host`](crate::Host) from any thread. Cheap to clone and to send.
///
/// A call that has begun ends on the generation it began on, however long it takes, and holds up no reload. What is lent
/// to it ([`live`](Handle::live), [`caller`](Handle::caller)) keeps that generation's image mapped.
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
    live: Arc<ArcSwap<Leased<T>>>,
}

impl<T> Handle<T> {
    /// The live generation's functions, for one call or a few. While there is none, they say so.
    pub fn live(&self) -> Lent<T> {
        Lent(self.live.load())
    }

    /// For a thread that calls often: remembers what was live, and asks only whether that has changed.
    pub fn caller(&self) -> Caller<T> {
        Caller {
            cache: Cache::new(Arc::clone(&self.live)),
        }
    }
}

impl<T> Clone for Handle<T> {
    fn clone(&self) -> Handle<T> {
        let live = Arc::clone(&self.live);
        Handle { live }
    }
}

impl<T> fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

/// What a host's swaps are told. A trait, so that a host of plugins that only its own thread may call needs no handle.
pub(crate) trait Publish<T>: Send {
    /// Another generation is live.
    fn publish(&self, table: &T, image: &Arc<Image>);

    /// Another handle.
    fn handle(&self) -> Handle<T>;
}

impl<T: Interface> Handle<T> {
    /// For a host whose live generation, if there is one, has this table and image.
    pub(crate) fn new(table: &T, image: Option<&Arc<Image>>) -> Handle<T> {
        let live = Arc::new(ArcSwap::from_pointee(Leased::of(table, image)));
        Handle { live }
    }
}

impl<T: Interface> Publish<T> for Handle<T> {
    fn publish(&self, table: &T, image: &Arc<Image>) {
        self.live.store(Arc::new(Leased::of(table, Some(image))));
    }

    fn handle(&self) -> Handle<T> {
        self.clone()
    }
}

/// A generation on loan from a [`Handle`], for as long as this lives.
pub struct Lent<T>(Guard<Arc<Leased<T>>>);

impl<T> Deref for Lent<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// A [`Handle`] of one thread. Between two calls it keeps the generation of the last one from being unmapped, so a thread
/// that will not call for long drops it.
pub struct Caller<T> {
    cache: Cache<Arc<ArcSwap<Leased<T>>>, Arc<Leased<T>>>,
}

impl<T> Caller<T> {
    /// The live generation's functions.
    #[inline]
    pub fn live(&mut self) -> &T {
        self.cache.load()
    }
}

impl<T> Clone for Caller<T> {
    fn clone(&self) -> Caller<T> {
        Caller {
            cache: self.cache.clone(),
        }
    }
}

impl<T> fmt::Debug for Caller<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller").finish_non_exhaustive()
    }
}
