//! A test that an idle poll allocates nothing. It is a binary of its own, because its allocator counts. Written for
//! Linux, where replug is proven; there is nothing to run elsewhere.

#![cfg(target_os = "linux")]
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use replug::watch::OsFiles;
use replug::{FsPolicy, Options};
use vocabulary::{Artifact, ByHand, Scratch, library};

/// The system's allocator, which counts how often each thread asked it for memory.
struct Counting;

thread_local! {
    // Constant, so that counting allocates nothing itself.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // A thread that ends has no counter any more, and nobody who would ask for it.
    let _ = ALLOCATIONS.try_with(|allocations| allocations.set(allocations.get() + 1));
}

// SAFETY: every call is passed on to the system's allocator as it came; counting touches no memory of others.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the same promises to us as we must keep to the system.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as above, and the pointer came from the system.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above, and the pointer came from the system.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The number of times that `work` asked for memory on this thread.
fn allocations(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

/// Settles on `path`, with as many artifacts as `ready` says, and checks that further polls allocate nothing.
#[track_caller]
fn assert_idle_polls_allocate_nothing(scratch: &Scratch, path: &Path, ready: usize) {
    for fs in [FsPolicy::Local, FsPolicy::Remote] {
        assert_idle_polls_of(Options::new(path).fs(fs), scratch, ready);
    }
}

#[track_caller]
fn assert_idle_polls_of(options: Options, scratch: &Scratch, ready: usize) {
    let mut watch = ByHand::with(scratch, options, OsFiles);
    assert_eq!(watch.poll_until_settled(), ready);
    let allocated = allocations(|| (0..100).for_each(|_| _ = watch.poll()));
    assert_eq!(allocated, 0, "in 100 polls");
    // This is the same poller that would have noticed a change.
    assert!(watch.poller.polls() > 100);
}

#[test]
fn the_allocator_counts() {
    assert_eq!(allocations(|| drop(black_box(Box::new(1)))), 1);
}

#[test]
fn an_idle_poll_of_a_library_allocates_nothing() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.overwrite(&library(1));
    assert_idle_polls_allocate_nothing(&scratch, artifact.path(), 1);
}

#[test]
fn an_idle_poll_of_a_host_with_a_store_allocates_nothing() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.overwrite(&library(1));
    let options = Options::new(artifact.path()).store(scratch.join("store"));
    // Whose signals these are is not this test's to change.
    assert_idle_polls_of(options.probation(Duration::ZERO), &scratch, 1);
}

#[test]
fn an_idle_poll_of_a_directory_allocates_nothing() {
    let scratch = Scratch::new();
    let directory = scratch.join("plugins");
    fs::create_dir(&directory).unwrap();
    for number in 1..=3 {
        fs::write(directory.join(format!("lib{number}.so")), library(number)).unwrap();
    }
    assert_idle_polls_allocate_nothing(&scratch, &directory, 3);
}

#[test]
fn an_idle_poll_of_nothing_allocates_nothing() {
    let scratch = Scratch::new();
    assert_idle_polls_allocate_nothing(&scratch, scratch.artifact().path(), 0);
}

#[test]
fn an_idle_poll_of_a_file_that_was_kept_out_allocates_nothing() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.overwrite(b"no library at all");
    assert_idle_polls_allocate_nothing(&scratch, artifact.path(), 0);
}

#[test]
fn an_idle_poll_of_ten_thousand_libraries_allocates_nothing() {
    const LIBRARIES: usize = 10_000;
    let scratch = Scratch::new();
    let directory = scratch.join("plugins");
    fs::create_dir(&directory).unwrap();
    let first = Artifact::at(directory.join("lib0.so"));
    first.restore(&library(1));
    for number in 1..LIBRARIES {
        let path = directory.join(format!("lib{number}.so"));
        fs::hard_link(first.path(), path).unwrap();
    }
    let mut watch = ByHand::watch(&scratch, &directory, OsFiles);
    let mut ready = 0;
    while ready < LIBRARIES {
        watch.poll();
        ready += watch.poller.updates().try_iter().count();
    }
    // Files that were read once are confirmed and audited, as many at a time as one poll may read.
    let mut digests = 0;
    while watch.poller.digests() > digests {
        digests = watch.poller.digests();
        watch.pass(Duration::from_secs(60));
        (0..=LIBRARIES / 64).for_each(|_| _ = watch.poll());
    }
    let allocated = allocations(|| (0..3).for_each(|_| _ = watch.poll()));
    assert_eq!(allocated, 0, "in 3 polls");
}
