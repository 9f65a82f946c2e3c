//! A lab for staged copies in places that are full, or from which no code can be mapped.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::Duration;

use vocabulary::{Program, Scratch, copies_in, library, program, version, wait_until};

use crate::mounts::{Mounted, as_seen_by, with_mounts};

/// Time for some repeated attempts.
const SOME_ATTEMPTS: Duration = Duration::from_millis(800);

#[test]
fn a_full_disk_keeps_the_live_generation_and_room_on_it_lets_the_next_one_in() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    let size = library(1).len();
    artifact.replace_with(&library(1));
    let mut command = Program::command(&scratch);
    command
        .args(["--interval-ms", "20", "--every-ms", "20"])
        .arg(artifact.path());
    // Room for two copies, as every swap takes, and for a little more.
    let stage = scratch.stage();
    let tmpfs = Mounted::tmpfs(&stage, format!("size={}", 2 * size + 256 * 1024));
    let mut program = Program::start(with_mounts(&command, &[tmpfs]));
    program.wait_for_answer(&version(1));
    let stage = as_seen_by(program.id(), &scratch.stage());
    let filler = stage.join("filler");
    fs::write(&filler, vec![0; size]).expect("the disk has room for this");

    artifact.replace_with(&library(2));
    let line = program.wait_for_event("kept");
    assert_eq!(line.text("step"), "stage");
    assert_eq!(line.number("generation"), 1);
    assert!(line.text("reason").contains("cannot stage"), "{line:?}");
    assert!(line.text("reason").contains("No space left"), "{line:?}");
    program.go_on_for(SOME_ATTEMPTS);
    assert_eq!(program.said("kept").len(), 1, "said once");
    wait_until("end of the half copy", || copies_in(&stage) == 1);
    program.wait_for_answer(&version(1));

    fs::remove_file(&filler).unwrap();
    program.wait_for_answer(&version(2));
    // The open directory outlives the process and its mounts, so that we see whatever was left behind.
    let left = File::open(&stage).unwrap();
    let ended = program.stop();
    ended.assert_quiet_success();
    assert_eq!(ended.said("loaded").len(), 2);
    assert_eq!(names_in(&left), [] as [String; 0]);
}

#[test]
fn a_stage_directory_that_cannot_map_code_is_passed_over_for_the_next() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    let temporary = scratch.join("tmp");
    fs::create_dir(&temporary).unwrap();
    let mut command = Program::command(&scratch);
    command
        .args(["--interval-ms", "20", "--every-ms", "20"])
        .env("TMPDIR", &temporary)
        .env_remove("XDG_RUNTIME_DIR")
        .arg(artifact.path());
    let mut program = Program::start(with_mounts(&command, &[noexec(&scratch.stage())]));
    program.wait_for_event("started");
    let left = File::open(as_seen_by(program.id(), &scratch.stage())).unwrap();
    for number in 1..=2 {
        artifact.replace_with(&library(number));
        let staged = program.wait_for_generation(number.into());
        let staged = Path::new(staged.text("staged"));
        assert!(staged.starts_with(&temporary), "{}", staged.display());
        program.wait_for_answer(&version(number));
    }
    let ended = program.stop();
    ended.assert_failed(0, &["cannot map code from", "trying the next place"]);
    assert_eq!(names_in(&left), [] as [String; 0]);
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0);
}

#[test]
fn where_no_directory_can_map_code_copies_live_in_memory_and_each_is_the_new_one() {
    live_in_memory(&[]);
}

#[test]
fn a_copy_in_memory_is_tried_like_any_other() {
    live_in_memory(&["--trial"]);
}

/// Loads some builds with these options where no directory can map code.
fn live_in_memory(options: &[&str]) {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    let temporary = scratch.join("tmp");
    fs::create_dir(&temporary).unwrap();
    let usual = [
        temporary.as_path(),
        Path::new("/var/tmp"),
        Path::new("/dev/shm"),
    ];
    let program = program();
    for hidden in &usual[1..] {
        for needed in [program.as_path(), scratch.path()] {
            assert!(
                !needed.starts_with(hidden),
                "this lab mounts over {}, so {} must be elsewhere",
                hidden.display(),
                needed.display()
            );
        }
    }
    let mut command = Program::command(&scratch);
    command
        .args(["--interval-ms", "20", "--every-ms", "20"])
        .env("TMPDIR", &temporary)
        .env_remove("XDG_RUNTIME_DIR")
        .args(options)
        .arg(artifact.path());
    let stage = scratch.stage();
    let mut mounts = vec![noexec(&stage)];
    mounts.extend(usual.map(noexec));
    let mut program = Program::start(with_mounts(&command, &mounts));
    for number in 1..=5 {
        artifact.replace_with(&library(number));
        let loaded = program.wait_for_generation(number.into());
        assert!(
            loaded.text("staged").starts_with("/proc/self/fd/"),
            "{loaded:?}"
        );
        program.wait_for_answer(&version(number));
    }
    let ended = program.stop();
    ended.assert_failed(0, &["kept in memory"]);
    assert_eq!(ended.said("kept").len(), 0);
}

fn noexec(at: &Path) -> Mounted<'_> {
    Mounted::tmpfs(at, "noexec".to_owned())
}

/// The names in an open directory, wherever it may be mounted by now.
fn names_in(directory: &File) -> Vec<String> {
    let path = format!("/proc/self/fd/{}", directory.as_raw_fd());
    let entries = fs::read_dir(path).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect()
}
