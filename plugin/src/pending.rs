//! Futures that cross between a host and a plugin of one compiler. A future is polled and dropped by the code of the side
//! that made it, which catches its panics.

use std::ffi::c_void;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use crate::allocator::has_host;
use crate::answer::{Answered, CallError, answer, drop_unused};
#[cfg(ordinary)]
use crate::line::{LineField, NOWHERE};
use crate::shape::Shape;
use crate::wire::Shared;

/// A future of the other side: what an `async fn` of an interface returns. Any executor can poll it, on any thread.
///
/// It is ready with the value, or with the panic that ended it as an error. Dropping it cancels the work. While it lives, the
/// generation that made it is in use, and is not stopped before its host is dropped. So a plugin that keeps one of its own
/// making, in its state say, is not stopped when it is replaced.
///
/// A function can also take one, and what a host offers can return one: `fn sleep(&self, seconds: f32) -> Pending<()>` of a
/// `host trait` is a timer of the host's executor for a plugin, whose own copies of an executor's crates have none.
///
/// # Panics
///
/// Polling it again once it was ready panics, as with most futures.
///
/// # Examples
///
/// ```
/// # async fn asked() -> Result<(), replug_plugin::CallError> {
/// use replug_plugin::Pending;
///
/// let pending = Pending::new(async { 1 + 1 });
/// assert_eq!(pending.await?, 2);
/// # Ok(())
/// # }
/// # replug_plugin::Pending::new(asked()).wait().unwrap().unwrap();
/// ```
#[must_use = "futures do nothing unless they are awaited"]
#[repr(C)]
pub struct Pending<T> {
    /// The future; null once it was ready.
    pub(crate) future: *mut c_void,
    pub(crate) functions: *const Functions<T>,
    /// Like a future, and unlike the pointers.
    ready: PhantomData<fn() -> T>,
}

// SAFETY: the future is `Send`, and only reached through `&mut`.
unsafe impl<T: Send> Send for Pending<T> {}

// SAFETY: a shared reference leads to nothing.
unsafe impl<T> Sync for Pending<T> {}

/// How the side that made a future polls and drops it. Both sides are built by one compiler.
#[allow(improper_ctypes_definitions)]
#[repr(C)]
pub(crate) struct Functions<T> {
    pub(crate) poll: unsafe extern "C" fn(*mut c_void, &mut Context<'_>) -> Answered<Poll<T>>,
    pub(crate) drop: unsafe extern "C" fn(*mut c_void),
}

/// How many futures of this very image live.
static ALIVE: AtomicUsize = AtomicUsize::new(0);

/// How many futures live that the plugin of this image made.
pub(crate) unsafe extern "C" fn alive() -> usize {
    ALIVE.load(Ordering::Acquire)
}

impl<T> Pending<T> {
    /// A future that crosses.
    pub fn new<F: Future<Output = T> + Send + 'static>(future: F) -> Pending<T> {
        ALIVE.fetch_add(1, Ordering::Relaxed);
        Pending {
            future: Box::into_raw(Box::new(future)).cast(),
            functions: Made::<F>::FUNCTIONS,
            ready: PhantomData,
        }
    }

    /// A future that was never begun, because the call failed.
    pub fn failed(error: CallError) -> Pending<T> {
        ALIVE.fetch_add(1, Ordering::Relaxed);
        Pending {
            future: Box::into_raw(Box::new(error)).cast(),
            functions: Failed::<T>::FUNCTIONS,
            ready: PhantomData,
        }
    }

    /// Waits for it on this thread, for hosts without an executor. On a thread of an executor this holds up what else runs
    /// there; `.await` does not.
    ///
    /// # Errors
    ///
    /// As if it were awaited.
    ///
    /// # Examples
    ///
    /// ```
    /// use replug_plugin::Pending;
    ///
    /// assert_eq!(Pending::new(async { 1 + 1 }).wait(), Ok(2));
    /// ```
    pub fn wait(mut self) -> Result<T, CallError> {
        let parked = Arc::new(Parked {
            thread: thread::current(),
            is_woken: AtomicBool::new(false),
        });
        let waker = Waker::from(Arc::clone(&parked));
        loop {
            let polled = Pin::new(&mut self).poll(&mut Context::from_waker(&waker));
            if let Poll::Ready(result) = polled {
                return result;
            }
            // A poll may park the thread itself, for something else, and take what was meant for this.
            while !parked.is_woken.swap(false, Ordering::Acquire) {
                thread::park();
            }
        }
    }

    fn end(&mut self) {
        let future = std::mem::replace(&mut self.future, ptr::null_mut());
        if !future.is_null() {
            // SAFETY: the functions came with the future, and their image is mapped for good.
            let functions = unsafe { &*self.functions };
            // SAFETY: the future is dropped once.
            unsafe { (functions.drop)(future) };
        }
    }
}

/// A thread that waits for a future.
struct Parked {
    thread: Thread,
    is_woken: AtomicBool,
}

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        self.is_woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

struct Made<F>(PhantomData<F>);

#[allow(improper_ctypes_definitions)]
impl<F: Future> Made<F> {
    const FUNCTIONS: *const Functions<F::Output> = &Functions {
        poll: Self::poll,
        drop: drop_box::<F>,
    };

    unsafe extern "C" fn poll(
        future: *mut c_void,
        context: &mut Context<'_>,
    ) -> Answered<Poll<F::Output>> {
        // SAFETY: `new` made the pointer of a box, which nobody else reaches.
        let future = unsafe { &mut *future.cast::<F>() };
        // SAFETY: what is in the box stays there until it is dropped.
        let future = unsafe { Pin::new_unchecked(future) };
        let answered = answer(|| future.poll(context));
        match has_host() {
            true => answered,
            // This is the host, and not the plugin that panicked.
            false => answered.of_the_host(),
        }
    }
}

struct Failed<T>(PhantomData<T>);

#[allow(improper_ctypes_definitions)]
impl<T> Failed<T> {
    const FUNCTIONS: *const Functions<T> = &Functions {
        poll: Self::poll,
        drop: drop_box::<CallError>,
    };

    unsafe extern "C" fn poll(error: *mut c_void, _: &mut Context<'_>) -> Answered<Poll<T>> {
        // SAFETY: `failed` made the pointer of a box, which nobody else reaches.
        Answered::of(unsafe { &*error.cast::<CallError>() })
    }
}

/// Drops a box of this image. A panic of the drop would end the process where C is called.
unsafe extern "C" fn drop_box<B>(boxed: *mut c_void) {
    // SAFETY: the pointer was made of such a box, and is given away here.
    drop_unused(unsafe { Box::from_raw(boxed.cast::<B>()) });
    ALIVE.fetch_sub(1, Ordering::Release);
}

impl<T> Future for Pending<T> {
    type Output = Result<T, CallError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        assert!(
            !self.future.is_null(),
            "a future was polled after it was ready"
        );
        // SAFETY: the functions came with the future, and their image is mapped for good.
        let functions = unsafe { &*self.functions };
        // SAFETY: the future has not ended, and `&mut self` is the only way to it.
        let answered = unsafe { (functions.poll)(self.future, context) };
        // SAFETY: the other side's half made the answer.
        let polled = match unsafe { answered.into_result() } {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(value)) => Ok(value),
            Err(error) => Err(error),
        };
        self.end();
        Poll::Ready(polled)
    }
}

impl<T> Drop for Pending<T> {
    fn drop(&mut self) {
        self.end();
    }
}

impl<T> fmt::Debug for Pending<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").finish_non_exhaustive()
    }
}

// SAFETY: the pointers are only used by the functions that came with them, and images of the rust level are never unmapped.
unsafe impl<T: Shared> Shared for Pending<T> {
    const SHAPE: Shape = Shape::Ordinary("Pending", &[T::SHAPE]);
    crate::__line!(
        Std,
        [LineField::of::<T>(NOWHERE, T::replug_line)],
        [],
        "Pending"
    );
}

crate::__by_value!([T: Shared] [T] Pending<T>);
