//! The outcomes of a host as a stream: a task is woken when there is something to tell, and for nothing else.

use std::fs;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use replug::watch::{Monotonic, Poller, Watcher};
use replug::{Host, HostSet, Options, Outcome, Text};
use vocabulary::{
    DEADLINE, Scratch, Spy, is_by_the_way, library, library_name, plugin_function, stage_in,
    version, wait_until,
};

/// The waker of a task of a test, which counts.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Woken {
    fn times(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// The next outcome that is worth a test's attention, by an executor.
async fn next<S: Stream<Item = Outcome> + Unpin>(mut outcomes: S) -> Outcome {
    loop {
        match outcomes.next().await.expect("the stream never ends") {
            outcome if is_by_the_way(&outcome) => {}
            outcome => return outcome,
        }
    }
}

/// Runs a task to its end, on one thread, and not for ever.
fn run<T>(task: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async { tokio::time::timeout(DEADLINE, task).await.unwrap() })
}

fn options(scratch: &Scratch) -> Options {
    Options::new(scratch.artifact().path())
        .stage_dir(scratch.stage())
        .interval(Duration::from_millis(5))
}

#[test]
fn each_build_arrives_in_a_task_that_waits() {
    let scratch = Scratch::new();
    let mut host = Host::<Text>::watch(plugin_function(), options(&scratch)).unwrap();
    run(async {
        for number in 1..=3 {
            scratch.artifact().link(&library(number));
            let outcome = next(&mut host).await;
            assert!(
                matches!(&outcome, Outcome::Loaded(loaded) if loaded.generation == u64::from(number)),
                "{outcome:?}"
            );
            assert!(host.call(c"you").unwrap().contains(&version(number)));
        }
    });
}

#[test]
fn each_plugin_of_a_directory_arrives_in_a_task_that_waits() {
    let scratch = Scratch::new();
    let directory = scratch.join("plugins");
    fs::create_dir(&directory).unwrap();
    let options = Options::new(&directory).stage_dir(scratch.stage());
    let mut set = HostSet::<Text>::watch(plugin_function(), options).unwrap();
    run(async {
        for name in [library_name("one"), library_name("other")] {
            vocabulary::Artifact::at(directory.join(name)).link(&library(1));
            let told = next((&mut set).map(|(_, outcome)| outcome)).await;
            assert!(matches!(told, Outcome::Loaded(_)), "{told:?}");
        }
    });
}

#[test]
fn a_task_is_woken_once_for_what_waits_for_it() {
    let scratch = Scratch::new();
    let mut host = Host::<Text>::watch(plugin_function(), options(&scratch)).unwrap();
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut context = Context::from_waker(&waker);
    // The first word is that nothing is there yet.
    host.watcher().unwrap().poll_now(DEADLINE);
    while host.poll().is_some() {}
    for _ in 0..1000 {
        // Another branch of the task is at work.
        assert!(pin!(&mut host).poll_next(&mut context).is_pending());
    }
    let before = woken.times();
    scratch.artifact().link(&library(1));
    wait_until("the task to be woken", || woken.times() > before);
    host.watcher().unwrap().poll_now(DEADLINE);
    assert_eq!(woken.times(), before + 1, "nobody has asked again");
}

/// A worker that hangs can wake nobody.
#[test]
fn a_stall_is_told_to_a_task_that_waits() {
    let scratch = Scratch::new();
    let hang = Arc::new(Mutex::new(()));
    let files = {
        let hang = Arc::clone(&hang);
        Spy::on_this_machine(move |_| drop(hang.lock()))
    };
    let poller = Poller::with(options(&scratch), files, stage_in(&scratch), Monotonic);
    let mut host = Host::<Text>::new(plugin_function()).watching(Watcher::spawn(poller).unwrap());
    let hanging = hang.lock().unwrap();
    run(async {
        let told = next(&mut host).await;
        assert!(matches!(told, Outcome::Stalled(_)), "{told:?}");
        drop(hanging);
        let told = next(&mut host).await;
        assert!(matches!(told, Outcome::Recovered), "{told:?}");
    });
}

/// A task that has its host inside, and ends when it is woken.
struct Ending(Mutex<Option<Host<Text>>>, Sender<()>);

impl Wake for Ending {
    fn wake(self: Arc<Self>) {
        drop(self.0.lock().unwrap().take());
        self.1.send(()).unwrap();
    }
}

#[test]
fn a_host_can_be_dropped_by_the_very_wake() {
    let scratch = Scratch::new();
    let host = Host::<Text>::watch(plugin_function(), options(&scratch)).unwrap();
    let (ended, ends) = channel();
    let task = Arc::new(Ending(Mutex::new(Some(host)), ended));
    let waker = Waker::from(Arc::clone(&task));
    {
        let mut host = task.0.lock().unwrap();
        let outcomes = pin!(host.as_mut().unwrap());
        let _ = outcomes.poll_next(&mut Context::from_waker(&waker));
    }
    scratch.artifact().link(&library(1));
    ends.recv_timeout(DEADLINE).expect("the host is dropped");
}

/// A task whose first wake panics.
#[derive(Default)]
struct Failing(AtomicUsize);

impl Wake for Failing {
    fn wake(self: Arc<Self>) {
        assert!(
            self.0.fetch_add(1, Ordering::Relaxed) > 0,
            "an executor's own"
        );
    }
}

#[test]
fn a_wake_that_panics_is_not_the_last() {
    let scratch = Scratch::new();
    let mut host = Host::<Text>::watch(plugin_function(), options(&scratch)).unwrap();
    let woken = Arc::new(Failing::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut context = Context::from_waker(&waker);
    for number in 1..=3 {
        while pin!(&mut host).poll_next(&mut context).is_ready() {}
        let before = woken.0.load(Ordering::Relaxed);
        scratch.artifact().link(&library(number));
        wait_until("the task to be woken", || {
            woken.0.load(Ordering::Relaxed) > before
        });
    }
}

#[test]
fn nothing_is_left_behind_when_a_host_goes() {
    let scratch = Scratch::new();
    let mut host = Host::<Text>::watch(plugin_function(), options(&scratch)).unwrap();
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let _ = pin!(&mut host).poll_next(&mut Context::from_waker(&waker));
    drop((host, waker));
    assert_eq!(
        Arc::strong_count(&woken),
        1,
        "no thread would wake the task"
    );
}
