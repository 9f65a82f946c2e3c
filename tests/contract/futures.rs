//! Futures between host and plugin: who polls them, how they end, and what a plugin's own copy of an executor's crate can do.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use fixtures::Sleeper;
use replug::outcome::{Loaded, Mapped};
use replug::{CallError, Host, Options, Outcome, Pending};
use vocabulary::{Artifact, DEADLINE, Scratch, specimen};

/// A host of a plugin that waits.
struct Hosted {
    host: Host<Sleeper>,
    artifact: Artifact,
    _scratch: Scratch,
}

fn hosted() -> Hosted {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    let options = Options::new(artifact.path())
        .stage_dir(scratch.stage())
        .interval(Duration::from_millis(2));
    let host = Host::<Sleeper>::watch(options).unwrap();
    let mut hosted = Hosted {
        host,
        artifact,
        _scratch: scratch,
    };
    hosted.load(1);
    hosted
}

impl Hosted {
    /// Loads the build of this number.
    #[track_caller]
    fn load(&mut self, number: u32) -> Loaded {
        self.artifact.link(&specimen("sleeps", number));
        let deadline = Instant::now() + DEADLINE;
        while let Some(left) = deadline.checked_duration_since(Instant::now()) {
            match self.host.wait(left) {
                Some(Outcome::Loaded(loaded)) => return loaded,
                Some(Outcome::Kept(kept)) => panic!("kept out: {}", replug::chain(&kept.error)),
                _ => {}
            }
        }
        panic!("it was not loaded in time");
    }
}

/// A count that is given later, if at all. Dropped with it.
#[derive(Clone, Default)]
struct Count(Arc<Mutex<(Option<u32>, Option<Waker>)>>);

impl Count {
    fn give(&self, count: u32) {
        let (given, waker) = &mut *self.0.lock().unwrap();
        *given = Some(count);
        waker.take().into_iter().for_each(Waker::wake);
    }

    fn is_dropped(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    fn pending(&self) -> Pending<u32> {
        let Count(count) = self.clone();
        Pending::new(std::future::poll_fn(move |context| {
            let (given, waker) = &mut *count.lock().unwrap();
            *waker = Some(context.waker().clone());
            given.map_or(Poll::Pending, Poll::Ready)
        }))
    }
}

fn poll<T>(pending: &mut Pending<T>) -> Poll<Result<T, CallError>> {
    Pin::new(pending).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn an_async_function_is_polled_on_any_thread_and_its_panic_is_an_error() {
    let hosted = hosted();
    for (given, said) in [
        (3, Ok(4)),
        (13, Err(CallError::Panicked("an unlucky number".to_owned()))),
    ] {
        let count = Count::default();
        let mut pending = hosted.host.by_the_host(count.pending());
        assert_eq!(poll(&mut pending), Poll::Pending);
        let waits = thread::spawn(|| pending.wait());
        count.give(given);
        assert_eq!(waits.join().unwrap(), said);
        assert!(count.is_dropped(), "{given}");
    }
}

#[test]
fn a_future_that_is_dropped_is_cancelled() {
    let hosted = hosted();
    let count = Count::default();
    let mut pending = hosted.host.by_the_host(count.pending());
    assert_eq!(poll(&mut pending), Poll::Pending);
    assert!(!count.is_dropped());
    drop(pending);
    assert!(count.is_dropped(), "the plugin has let go of it");
}

#[test]
fn a_future_ends_on_the_generation_on_which_it_began_and_that_is_in_use_as_long_as_it_lives() {
    let mut hosted = hosted();
    let count = Count::default();
    let mut begun = hosted.host.by_the_host(count.pending());
    assert_eq!(poll(&mut begun), Poll::Pending);
    let loaded = hosted.load(2);
    assert_eq!(loaded.retired.unwrap().mapped, Some(Mapped::Lent));
    assert!(hosted.host.poll().is_none(), "the future is in use");
    count.give(5);
    assert_eq!(poll(&mut begun), Poll::Ready(Ok(6)));
    let Some(Outcome::Retired(retired)) = hosted.host.poll() else {
        panic!("the future has ended");
    };
    assert_eq!(
        (retired.generation, retired.mapped),
        (1, Some(Mapped::Ordinary))
    );
}

#[test]
fn a_future_that_outlives_its_host_ends() {
    let hosted = hosted();
    let count = Count::default();
    let pending = hosted.host.by_the_host(count.pending());
    drop(hosted);
    count.give(5);
    assert_eq!(pending.wait(), Ok(6));
}

#[test]
fn an_async_function_of_a_plugin_that_is_not_there_says_so() {
    let count = Count::default();
    let host = Host::<Sleeper>::new();
    let pending = host.by_the_host(count.pending());
    assert!(count.is_dropped());
    assert_eq!(pending.wait(), Err(CallError::Absent));
}

#[test]
#[should_panic(expected = "a future was polled after it was ready")]
fn a_future_that_was_ready_is_not_polled_again() {
    let mut pending = Pending::new(async {});
    assert_eq!(poll(&mut pending), Poll::Ready(Ok(())));
    let _ = poll(&mut pending);
}

#[test]
fn a_plugin_has_no_context_of_the_executor_that_polls_it_and_waits_by_its_host_or_by_a_runtime_of_its_own()
 {
    let hosted = hosted();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_time()
        .build()
        .unwrap();
    let pause = Pending::new(async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        1
    });
    assert_eq!(runtime.block_on(hosted.host.by_the_host(pause)), Ok(2));
    assert_eq!(runtime.block_on(hosted.host.by_itself()), Ok(3));
    let error = runtime.block_on(hosted.host.by_who_polls()).unwrap_err();
    assert!(
        error.to_string().contains("there is no reactor running"),
        "{error}"
    );
}

#[test]
fn a_poll_that_parks_its_thread_takes_no_wake_from_who_waits() {
    let mut polls = 0;
    let future = std::future::poll_fn(move |context| {
        polls += 1;
        if polls == 2 {
            return Poll::Ready(polls);
        }
        // Woken at once, and then the thread waits for something else, which takes the token.
        context.waker().wake_by_ref();
        thread::park();
        Poll::Pending
    });
    assert_eq!(Pending::new(future).wait(), Ok(2));
}

#[test]
fn a_panic_of_the_hosts_future_is_the_hosts_in_the_plugin() {
    let hosted = hosted();
    let pause = Pending::new(async { panic!("no timer") });
    let error = hosted.host.by_the_host(pause).wait().unwrap_err();
    let CallError::Panicked(message) = error else {
        panic!("{error}");
    };
    assert!(message.contains("HostPanicked(\"no timer\")"), "{message}");
}
