//! Processes that are forked from one that watches. They are a test binary of their own, because a forked process is a
//! copy of its parent's one thread. Written for Linux, where replug is proven.

#![cfg(target_os = "linux")]
#![allow(unsafe_code)]

use std::fs::{self, TryLockError};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use replug::outcome::Mapped;
use replug::watch::Watcher;
use replug::{Host, Options, Outcome, Text, Warning};
use vocabulary::{
    Artifact, DEADLINE, Scratch, World, library, plugin_function, version, wait_until,
};

/// A host whose first generation is live, and the staged copy of it.
fn serving(scratch: &Scratch, artifact: &Artifact) -> (Host<Text>, PathBuf) {
    artifact.link(&library(1));
    let options = Options::new(artifact.path())
        .stage_dir(scratch.stage())
        .interval(Duration::from_millis(5))
        .settle(Duration::from_millis(20));
    let mut host = Host::<Text>::watch(plugin_function(), options).unwrap();
    host.wait_for_generation(1, Instant::now() + DEADLINE)
        .unwrap();
    let staged = host.live().unwrap().staged().to_owned();
    (host, staged)
}

/// A process that was forked from this one.
struct Fork(libc::pid_t);

impl Fork {
    /// Forks, and does `work` in the new process, which ends with its answer.
    fn doing(work: impl FnOnce() -> bool) -> Fork {
        // SAFETY: the new process has this thread only, and asks no other for anything.
        let number = unsafe { libc::fork() };
        assert!(number >= 0, "there is no new process");
        if number == 0 {
            let is_well = work();
            // SAFETY: the process ends without a word, and runs nothing that its parent has registered.
            unsafe { libc::_exit(i32::from(!is_well)) };
        }
        Fork(number)
    }

    /// Waits for its end, and says whether all was well.
    fn ends_well(self) -> bool {
        let mut status = 0;
        // SAFETY: the status is written to a number that is there for as long as the call.
        let waited = unsafe { libc::waitpid(self.0, &mut status, 0) };
        assert_eq!(waited, self.0);
        libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
    }
}

/// Whether the stage directory that a copy is in has an owner who holds its lock.
fn is_owned(staged: &Path) -> bool {
    let owner = staged.with_file_name("owner");
    let owner = fs::File::open(owner).unwrap();
    matches!(owner.try_lock(), Err(TryLockError::WouldBlock))
}

#[test]
fn a_forked_process_is_told_so_once_and_leaves_everything_to_its_parent() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    let (host, staged) = serving(&scratch, &artifact);
    let mut host = Some(host);
    let fork = Fork::doing(|| {
        let mut host = host.take().unwrap();
        let told = host.poll();
        let is_told = matches!(told, Some(Outcome::Warned(Warning::Forked)));
        let again = [host.poll(), host.wait(Duration::ZERO), host.stall()];
        let is_told_again = again.iter().any(Option::is_some);
        let is_live = host
            .call(c"you")
            .is_ok_and(|answer| answer.contains(&version(1)));
        let is_forked = host.watcher().is_some_and(Watcher::is_forked);
        drop(host);
        is_told && !is_told_again && is_live && is_forked
    });
    assert!(fork.ends_well(), "the new process was told something else");
    assert!(staged.exists(), "the new process removed its parent's copy");
    assert!(
        is_owned(&staged),
        "the new process let go of its parent's lock"
    );
}

#[test]
fn a_parent_goes_on_after_its_child_has_dropped_everything() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    let (host, staged) = serving(&scratch, &artifact);
    let mut host = Some(host);
    let fork = Fork::doing(|| {
        drop(host.take());
        true
    });
    assert!(fork.ends_well());
    assert!(staged.exists() && is_owned(&staged));
    let mut host = host.unwrap();
    artifact.link(&library(2));
    host.wait_for_generation(2, Instant::now() + DEADLINE)
        .unwrap();
    assert!(host.call(c"you").unwrap().contains(&version(2)));
    drop(host);
    scratch.assert_nothing_staged();
}

#[test]
fn a_child_stops_nothing_that_its_parent_has_retired() {
    let mut world = World::with("pure");
    let handle = world.host.handle();
    let mut caller = handle.caller();
    caller.live().act(1).unwrap();
    let retired = world.load("pure").retired.unwrap();
    assert_eq!(retired.mapped, Some(Mapped::Lent));
    let mut caller = Some(caller);
    let fork = Fork::doing(|| {
        drop(caller.take());
        world.host.sweep().is_none()
    });
    assert!(fork.ends_well());
    drop(caller);
    assert!(matches!(world.host.sweep(), Some(Outcome::Retired(_))));
}

#[test]
fn a_child_goes_on_calling_after_its_parent_has_removed_the_copy() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    let (mut host, staged) = serving(&scratch, &artifact);
    let fork = Fork::doing(|| {
        wait_until("the parent's end", || !staged.exists());
        host.poll();
        host.call(c"you")
            .is_ok_and(|answer| answer.contains(&version(1)))
    });
    drop(host);
    scratch.assert_nothing_staged();
    assert!(fork.ends_well());
}

#[test]
fn a_program_that_is_started_inherits_no_descriptor_of_what_is_watched_or_staged() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    let (_host, _staged) = serving(&scratch, &artifact);
    for _ in 0..20 {
        let listed = Command::new("ls")
            .args(["-l", "/proc/self/fd"])
            .output()
            .unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        assert!(!listed.contains("replug"), "{listed}");
    }
}
