//! The watcher's thread: it polls when asked, and ends with its owner, even if the filesystem does not answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use replug::Options;
use replug::watch::{Clock, Monotonic, OsFiles, Poller, Watcher};
use vocabulary::{Asked, DEADLINE, Rule, Scratch, Spy, holds, library, make_link, stage_in};

#[test]
fn a_watcher_whose_filesystem_hangs_is_left_behind_and_its_owner_goes_on() {
    let scratch = Scratch::new();
    let (asked, was_asked) = crossbeam_channel::unbounded();
    let (allow, allowed) = crossbeam_channel::unbounded::<()>();
    let files = Spy::on_this_machine(move |request| {
        if matches!(request, Asked::Look(_)) {
            let _ = asked.send(());
            // Once the test is over, everything is allowed.
            let _ = allowed.recv();
        }
    });
    let options = Options::new(scratch.artifact().path());
    let watcher =
        Watcher::spawn(Poller::with(options, files, stage_in(&scratch), Monotonic)).unwrap();
    was_asked.recv_timeout(DEADLINE).unwrap();
    assert!(
        !watcher.poll_now(Duration::from_millis(10)),
        "a poll that hangs does not answer"
    );
    // If the thread were waited for, this would never end.
    drop(watcher);
    drop(allow);
    // The thread ends by itself when its filesystem lets it go, and leaves nothing behind.
    while was_asked.recv_timeout(DEADLINE).is_ok() {}
    let deadline = Instant::now() + DEADLINE;
    while !scratch.staged().is_empty() && Instant::now() < deadline {
        std::thread::yield_now();
    }
    scratch.assert_nothing_staged();
}

#[test]
fn poll_now_returns_after_a_poll_that_began_later() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    let options = Options::new(artifact.path())
        .stage_dir(scratch.stage())
        .interval(Duration::from_secs(3600));
    let watcher = Watcher::new(options).unwrap();
    assert!(watcher.poll_now(DEADLINE));
    let before = watcher.polls();
    watcher.updates().try_iter().for_each(drop);
    artifact.link(&library(1));
    assert!(watcher.poll_now(DEADLINE));
    assert!(watcher.polls() > before);
    let update = watcher
        .updates()
        .try_recv()
        .expect("what that poll found is in the queue");
    assert!(
        matches!(update.news, replug::watch::News::Ready(_)),
        "{update:?}"
    );
}

/// A clock on which no pause is ever over.
struct Stopped(Instant);

impl Clock for Stopped {
    fn now(&self) -> Instant {
        self.0
    }
}

#[test]
fn poll_now_tries_again_what_has_failed_however_lately() {
    if !holds(Rule::MakesLinks) {
        return;
    }
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    let options = Options::new(artifact.path());
    let clock = Stopped(Instant::now());
    let watcher =
        Watcher::spawn(Poller::with(options, OsFiles, stage_in(&scratch), clock)).unwrap();
    // A link that leads in a circle cannot be looked at.
    make_link(artifact.path(), artifact.path()).unwrap();
    assert!(watcher.poll_now(DEADLINE));
    artifact.restore(&library(1));
    assert!(watcher.poll_now(DEADLINE));
    let mut updates = watcher.updates().try_iter();
    assert!(updates.any(|update| matches!(update.news, replug::watch::News::Ready(_))));
}

#[test]
fn a_dropped_watcher_ends_its_thread_and_leaves_nothing() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.link(&library(1));
    let options = Options::new(artifact.path()).stage_dir(scratch.stage());
    let watcher = Watcher::new(options).unwrap();
    let counts = watcher.counts();
    let updates = watcher.updates().clone();
    assert!(watcher.poll_now(DEADLINE));
    drop(watcher);
    assert_eq!(
        Arc::strong_count(&counts),
        1,
        "the thread has let go of what it counted with"
    );
    drop(updates);
    scratch.assert_nothing_staged();
}
