//! The worker thread: it polls when asked, and ends with its owner, even if the filesystem does not answer.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use replug::{
    Files, Listing, Lock, Monotonic, Options, OsFiles, Poller, Snapshot, StageDirectory, Staged,
    Watcher,
};

use crate::vocabulary::{DEADLINE, Scratch, library};

/// A filesystem that answers a look only when the test lets it.
struct Reluctant {
    files: OsFiles,
    asked: Sender<()>,
    allowed: Receiver<()>,
}

impl Files for Reluctant {
    type Artifact = File;
    type Staged = Staged;

    fn look(&self, path: &Path) -> io::Result<Snapshot> {
        let _ = self.asked.send(());
        // Once the test is over, everything is allowed.
        let _ = self.allowed.recv();
        self.files.look(path)
    }

    fn look_open(&self, artifact: &File) -> io::Result<Snapshot> {
        self.files.look_open(artifact)
    }

    fn list(&self, directory: &Path, depth: usize) -> io::Result<Listing> {
        self.files.list(directory, depth)
    }

    fn open(&self, path: &Path) -> io::Result<File> {
        self.files.open(path)
    }

    fn probe(&self, lock: &Path) -> io::Result<Lock> {
        self.files.probe(lock)
    }

    fn create_staged(&self, artifact: &Path) -> io::Result<Staged> {
        self.files.create_staged(artifact)
    }
}

#[test]
fn a_watcher_whose_filesystem_hangs_is_left_behind_and_its_owner_goes_on() {
    let scratch = Scratch::new();
    let (asked, was_asked) = crossbeam_channel::unbounded();
    let (allow, allowed) = crossbeam_channel::unbounded();
    let files = OsFiles::new(StageDirectory::new(Some(&scratch.stage())).unwrap());
    let files = Reluctant {
        files,
        asked,
        allowed,
    };
    let options = Options::new(scratch.artifact().path());
    let watcher = Watcher::spawn(Poller::with(options, files, Monotonic)).unwrap();
    was_asked.recv_timeout(DEADLINE).unwrap();
    assert!(
        !watcher.poll_now(Duration::from_millis(10)),
        "a poll that hangs does not answer"
    );
    // Were the thread waited for, this would never end.
    drop(watcher);
    drop(allow);
    // Let go by its filesystem, the thread ends by itself and leaves nothing behind.
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
    assert!(matches!(update.news, replug::News::Ready(_)), "{update:?}");
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
