//! The gate: while a cargo build holds its lock, nothing is loaded; and asking leaves no trace.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, Instant};

use vocabulary::{Artifact, DEADLINE, Program, Scratch, library, pause, version};

/// The file that a build of cargo 1.96 and later locks exclusively.
const ARTIFACT_LOCK: &str = ".cargo-artifact-lock";

/// The file that a build of an earlier cargo locks exclusively, and a build of a later cargo shared.
const CARGO_LOCK: &str = ".cargo-lock";

/// The file that `cargo check` locks, too.
const BUILD_LOCK: &str = ".cargo-build-lock";

/// How long a shut gate is seen to hold.
const A_WHILE: Duration = Duration::from_millis(500);

#[test]
fn an_exclusive_lock_holds_a_reload_back_until_it_is_released() {
    for name in [ARTIFACT_LOCK, CARGO_LOCK] {
        let mut built = Built::start(&[]);
        let lock = built.lock(name);
        built.artifact.link(&library(2));
        built.is_held_back();
        lock.unlock().unwrap();
        built.goes_over();
    }
}

#[test]
fn an_exclusive_lock_holds_the_first_load_back_too() {
    let scratch = Scratch::new();
    let lock = lock_file(&scratch.join(CARGO_LOCK));
    lock.lock().unwrap();
    scratch.artifact().link(&library(1));
    let mut program = Program::watch(&scratch, scratch.artifact().path(), &[]);
    program.wait_for_waiting("gated");
    program.go_on_for(A_WHILE);
    assert_eq!(program.loaded(), [] as [&str; 0]);
    drop(lock);
    program.wait_for_bytes(&library(1));
    program.stop_cleanly(&scratch);
}

#[test]
fn a_build_by_a_later_cargo_holds_back_although_the_older_lock_is_only_shared() {
    let mut built = Built::start(&[]);
    let shared = lock_file(&built.scratch.join(CARGO_LOCK));
    shared.lock_shared().unwrap();
    let lock = built.lock(ARTIFACT_LOCK);
    built.artifact.link(&library(2));
    built.is_held_back();
    lock.unlock().unwrap();
    built.goes_over();
}

#[test]
fn locks_that_no_build_holds_exclusively_hold_nothing_back() {
    let mut built = Built::start(&[]);
    let shared = lock_file(&built.scratch.join(CARGO_LOCK));
    shared.lock_shared().unwrap();
    // A check by a later cargo.
    let check = built.lock(BUILD_LOCK);
    built.artifact.link(&library(2));
    built.program.wait_for_answer(&version(2));
    built.was_never_gated();
    drop((shared, check));
}

#[test]
fn the_lock_of_an_artifact_among_its_dependencies_is_in_the_directory_above() {
    let scratch = Scratch::new();
    let deps = scratch.join("deps");
    fs::create_dir(&deps).unwrap();
    let artifact = Artifact::at(deps.join("libplugin01.so"));
    let mut built = Built::watching(scratch, artifact, &[]);
    let lock = built.lock(ARTIFACT_LOCK);
    built.artifact.link(&library(2));
    built.is_held_back();
    lock.unlock().unwrap();
    built.goes_over();
}

#[test]
fn the_lock_of_an_artifact_that_is_a_link_is_where_the_link_leads() {
    let scratch = Scratch::new();
    let target = scratch.join("target");
    std::fs::create_dir(&target).unwrap();
    Artifact::at(target.join("libplugin01.so")).link(&library(1));
    let lock = lock_file(&target.join(".cargo-lock"));
    lock.lock().unwrap();
    std::os::unix::fs::symlink("target/libplugin01.so", scratch.artifact().path()).unwrap();
    let mut program = Program::watch(&scratch, scratch.artifact().path(), &[]);
    program.wait_for_waiting("gated");
    program.go_on_for(Duration::from_millis(300));
    assert_eq!(program.said("loaded").len(), 0);
    lock.unlock().unwrap();
    program.wait_for_generation(1);
    program.stop();
    scratch.assert_nothing_staged();
}

#[test]
fn libraries_in_a_watched_directory_are_held_back_too() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.link(&library(1));
    let mut program = Program::watch(&scratch, scratch.path(), &[]);
    program.wait_for_bytes(&library(1));
    let mut built = Built {
        scratch,
        artifact,
        program,
    };
    let lock = built.lock(CARGO_LOCK);
    built.artifact.link(&library(2));
    built.is_held_back();
    lock.unlock().unwrap();
    built.goes_over();
}

#[test]
fn a_gate_that_shuts_while_a_file_is_written_holds_it_back() {
    let mut built = Built::start(&[]);
    let open = built.artifact.overwrite_and_keep_open(&library(2));
    built.program.wait_for_waiting("written");
    let lock = built.lock(ARTIFACT_LOCK);
    built.is_held_back();
    drop(open);
    // By now the file would have been read.
    built.program.go_on_for(Duration::from_secs(1));
    assert_eq!(built.program.loaded().len(), 1);
    lock.unlock().unwrap();
    built.goes_over();
}

#[test]
fn a_gate_that_was_shut_and_opens_takes_the_place_of_settling() {
    let an_hour = "3600000";
    let mut built = Built::start(&["--settle-ms", an_hour]);
    let lock = built.lock(ARTIFACT_LOCK);
    built.artifact.overwrite(&library(2));
    built.is_held_back();
    lock.unlock().unwrap();
    built.goes_over();
}

#[test]
fn a_gate_that_stays_shut_for_too_long_opens_by_itself() {
    let mut built = Built::start(&["--gate-max-ms", "300"]);
    let lock = built.lock(CARGO_LOCK);
    built.artifact.link(&library(2));
    built.program.wait_for_waiting("gated");
    let loaded = built.program.wait_for_bytes(&library(2));
    assert!(
        loaded.number("latency_ms") >= 300,
        "it waits, and then nobody writes to it any more: {loaded:?}"
    );
    built.program.stop_cleanly(&built.scratch);
    drop(lock);
}

#[test]
fn a_gate_that_is_off_is_not_asked() {
    let mut built = Built::start(&["--gate", "off"]);
    let locks = [built.lock(ARTIFACT_LOCK), built.lock(CARGO_LOCK)];
    built.artifact.link(&library(2));
    built.program.wait_for_answer(&version(2));
    built.was_never_gated();
    drop(locks);
}

#[test]
fn a_gate_that_is_required_waits_until_a_lock_exists_and_is_open() {
    let scratch = Scratch::new();
    scratch.artifact().link(&library(1));
    let options = &["--gate", "require"];
    let mut program = Program::watch(&scratch, scratch.artifact().path(), options);
    program.wait_for_waiting("gated");
    program.go_on_for(A_WHILE);
    assert_eq!(program.loaded(), [] as [&str; 0]);
    let lock = scratch.join(".lock");
    let held = lock_file(&lock);
    held.lock().unwrap();
    fs::rename(lock, scratch.join(CARGO_LOCK)).unwrap();
    program.go_on_for(A_WHILE);
    assert_eq!(program.loaded(), [] as [&str; 0]);
    held.unlock().unwrap();
    program.wait_for_bytes(&library(1));
    program.stop_cleanly(&scratch);
}

#[test]
fn asking_makes_no_file() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.restore(&library(1));
    let before = names_in(scratch.path());
    let mut program = Program::watch(&scratch, artifact.path(), &[]);
    program.wait_for_bytes(&library(1));
    artifact.restore(&library(2));
    program.wait_for_bytes(&library(2));
    assert_eq!(names_in(scratch.path()), before);
    program.stop_cleanly(&scratch);
}

#[test]
fn asking_leaves_no_lock() {
    let mut built = Built::start(&[]);
    let lock = built.lock(CARGO_LOCK);
    let asked = lock_file(&built.scratch.join(ARTIFACT_LOCK));
    built.artifact.link(&library(2));
    // From now on both locks are asked in every poll.
    built.is_held_back();
    for _ in 0..50 {
        lock_in_time(&asked);
        asked.unlock().unwrap();
    }
    lock.unlock().unwrap();
    built.program.wait_for_bytes(&library(2));
    built.program.go_on_for(A_WHILE);
    for lock in [lock, asked] {
        lock.try_lock()
            .expect("nobody asks once nothing is suspect any more");
    }
    built.program.stop_cleanly(&built.scratch);
}

/// A program that answers from `library(1)`, in a directory where the test plays cargo.
struct Built {
    scratch: Scratch,
    artifact: Artifact,
    program: Program,
}

impl Built {
    fn start(options: &[&str]) -> Built {
        let scratch = Scratch::new();
        let artifact = scratch.artifact();
        Built::watching(scratch, artifact, options)
    }

    fn watching(scratch: Scratch, artifact: Artifact, options: &[&str]) -> Built {
        artifact.restore(&library(1));
        let mut program = Program::watch(&scratch, artifact.path(), options);
        program.wait_for_answer(&version(1));
        Built {
            scratch,
            artifact,
            program,
        }
    }

    /// Holds a lock file exclusively, as a build does.
    fn lock(&self, name: &str) -> File {
        let lock = lock_file(&self.scratch.join(name));
        lock.lock().unwrap();
        lock
    }

    #[track_caller]
    fn is_held_back(&mut self) {
        self.program.wait_for_waiting("gated");
        self.program.go_on_for(A_WHILE);
        assert_eq!(self.program.loaded().len(), 1, "{:#?}", self.program.said);
    }

    #[track_caller]
    fn was_never_gated(self) {
        let said = self.program.stop_cleanly(&self.scratch).said;
        let waiting = said.iter().filter(|line| line.event() == "waiting");
        let reasons: Vec<_> = waiting.map(|line| line.text("reason")).collect();
        assert!(!reasons.contains(&"gated"), "{reasons:?}");
    }

    #[track_caller]
    fn goes_over(mut self) {
        self.program.wait_for_bytes(&library(2));
        self.program.wait_for_answer(&version(2));
        assert_eq!(self.program.loaded().len(), 2);
        self.program.stop_cleanly(&self.scratch);
    }
}

/// A lock file. Like cargo's it stays when it is unlocked.
fn lock_file(path: &Path) -> File {
    File::create(path).unwrap()
}

/// Locks a file that may be probed just now. A build waits for a probe's end, which takes some microseconds.
#[track_caller]
fn lock_in_time(lock: &File) {
    let deadline = Instant::now() + DEADLINE;
    while lock.try_lock().is_err() {
        assert!(Instant::now() < deadline, "somebody keeps the lock");
        pause(Duration::from_millis(1));
    }
}

fn names_in(directory: &Path) -> Vec<OsString> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names
}
