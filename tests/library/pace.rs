//! The pace of polls on a local filesystem: brisk while somebody works, and at the interval after that.

use std::fs;
use std::time::Duration;

use replug::Options;
use replug::outcome::Waiting;
use replug::watch::{News, OsFiles};
use vocabulary::{Artifact, ByHand, Scratch, library, lock_of_cargo};

/// The longest wait that counts as brisk.
const BRISK: Duration = Duration::from_millis(50);

/// The longest wait while the end of a build is imminent.
const IMMINENT: Duration = Duration::from_millis(5);

/// Longer than somebody counts as working after a change.
const QUIET: Duration = Duration::from_secs(5 * 60 + 1);

/// An interval that no brisk wait is taken for.
const INTERVAL: Duration = Duration::from_millis(250);

fn options(artifact: &Artifact) -> Options {
    let options = Options::new(artifact.path());
    options.interval(INTERVAL)
}

/// A watch of a library that was found long ago, and has not changed since.
fn quiet(scratch: &Scratch, artifact: &Artifact, options: Options) -> ByHand<OsFiles> {
    artifact.replace_with(&library(1));
    let mut watch = ByHand::with(scratch, options, OsFiles);
    assert_eq!(watch.poll_until_settled(), 1);
    watch.pass(QUIET);
    // The interval is counted from the first poll on.
    watch.poll_for(INTERVAL);
    assert_eq!(watch.poll(), INTERVAL, "long after the last change");
    watch
}

#[test]
fn polls_are_brisk_after_a_change_and_at_the_interval_after_quiet() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    let mut watch = quiet(&scratch, &artifact, options(&artifact));
    artifact.replace_with(&library(2));
    for _ in 0..100 {
        let wait = watch.poll();
        assert!(wait <= BRISK, "{wait:?}");
        watch.pass(wait);
    }
    let updates = watch.poller.updates().try_iter();
    let ready = updates.filter(|update| matches!(update.news, News::Ready(_)));
    assert_eq!(ready.count(), 1);
    watch.pass(QUIET);
    watch.poll_for(INTERVAL);
    assert_eq!(watch.poll(), INTERVAL);
}

#[test]
fn polls_are_brisk_after_a_library_was_removed() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    let mut watch = quiet(&scratch, &artifact, options(&artifact));
    artifact.remove();
    // It is missed when it was gone for a second.
    watch.poll_for(Duration::from_secs(2));
    let wait = watch.poll();
    assert!(wait <= BRISK, "{wait:?}");
}

#[test]
fn a_touch_makes_polls_no_brisker_once_the_bytes_are_known_to_be_the_same() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    let mut watch = quiet(&scratch, &artifact, options(&artifact));
    artifact.touch();
    assert_eq!(watch.poll_until_settled(), 0);
    watch.poll_for(INTERVAL);
    assert_eq!(watch.poll(), INTERVAL);
}

#[test]
fn polls_are_brisk_as_long_as_a_build_holds_a_library_back() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    let options = options(&artifact).gate_max(10 * QUIET);
    let mut watch = quiet(&scratch, &artifact, options);
    let lock = artifact.path().with_file_name(".cargo-lock");
    let lock = lock_of_cargo(lock);
    lock.lock().unwrap();
    artifact.replace_with(&library(2));
    let wait = watch.poll();
    assert!(
        wait <= IMMINENT,
        "{wait:?}, when the build may end at any moment"
    );
    for _ in 0..5 {
        let wait = watch.poll();
        assert!(wait <= BRISK, "{wait:?}");
        watch.pass(QUIET);
    }
    let wait = watch.poll();
    assert!(wait > IMMINENT, "{wait:?}, when the build goes on and on");
}

#[test]
fn a_build_that_holds_back_what_is_too_large_now_makes_polls_no_brisker() {
    const LARGEST: u64 = 1024 * 1024;
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    let options = options(&artifact).max_size(LARGEST);
    let mut watch = quiet(&scratch, &artifact, options);
    let lock = artifact.path().with_file_name(".cargo-lock");
    let lock = lock_of_cargo(lock);
    lock.lock().unwrap();
    artifact.replace_with(&library(2));
    watch.poll_for(Duration::from_secs(1));
    let updates = watch.poller.updates().try_iter();
    let is_gated = |news: &News<_>| matches!(news, News::Waiting(Waiting::Gated(_)));
    assert!(
        updates
            .map(|update| update.news)
            .any(|news| is_gated(&news))
    );
    let large = fs::File::options().write(true).open(artifact.path());
    large.unwrap().set_len(LARGEST + 1).unwrap();
    watch.poll();
    for _ in 0..2 {
        watch.pass(QUIET);
        watch.poll_for(INTERVAL);
    }
    assert_eq!(watch.poll(), INTERVAL);
}

#[test]
fn a_steady_watch_keeps_the_interval_whatever_changes() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    let options = options(&artifact).steady(true);
    let mut watch = quiet(&scratch, &artifact, options);
    artifact.replace_with(&library(2));
    // A file that is news is looked at again for some milliseconds, at any pace.
    watch.poll_for(Duration::from_secs(1));
    watch.poll_for(INTERVAL);
    assert_eq!(watch.poll(), INTERVAL);
}
