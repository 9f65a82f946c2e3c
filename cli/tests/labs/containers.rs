//! A lab for containers, and what they put between a build and a program: bind mounts and overlays, in a mount
//! namespace of the program's own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use vocabulary::{Artifact, Program, Scratch, library, version};

use crate::mounts::{Mounted, as_seen_by, with_mounts};
use crate::shared::{CHANGES, FRESH, time_to_answer};

/// Watches `libplugin01.so` in `at`, where `mounted` is mounted for the program alone.
fn watch(scratch: &Scratch, at: &Path, mounted: Mounted<'_>) -> Program {
    let mut command = Program::command(scratch);
    command
        .args(["--interval-ms", "250", "--every-ms", "100"])
        .arg(at.join("libplugin01.so"));
    Program::start(with_mounts(&command, &[mounted]))
}

/// New directories of these names.
fn made<const COUNT: usize>(scratch: &Scratch, names: [&str; COUNT]) -> [PathBuf; COUNT] {
    let paths = names.map(|name| scratch.join(name));
    paths.iter().for_each(|path| fs::create_dir(path).unwrap());
    paths
}

/// Makes all sorts of changes at `artifact`, and sees each of them loaded.
#[track_caller]
fn assert_seen(program: &mut Program, artifact: &Artifact, first: u32) {
    for (number, (change, publish)) in (first..).zip(CHANGES) {
        let publish = || publish(artifact, &library(number));
        let time = time_to_answer(program, number, publish);
        assert!(time < FRESH, "{change}: {time:?}");
    }
}

#[test]
fn what_is_built_outside_is_seen_through_a_bind_mount_and_so_is_the_lock_of_the_build() {
    let scratch = Scratch::new();
    let [outside, inside] = made(&scratch, ["outside", "inside"]);
    let artifact = Artifact::at(outside.join("libplugin01.so"));
    let mut program = watch(&scratch, &inside, Mounted::bound(&outside, &inside));
    let started = program.wait_for_event("started");
    assert_eq!(started.text("locality"), "local");
    program.wait_for_waiting("missing");
    assert_seen(&mut program, &artifact, 1);

    let lock = File::create(outside.join(".cargo-lock")).unwrap();
    lock.lock().unwrap();
    artifact.link(&library(9));
    program.wait_for_waiting("gated");
    program.go_on_for(Duration::from_secs(1));
    assert_eq!(program.loaded().len(), 4, "the build goes on");
    drop(lock);
    program.wait_for_answer(&version(9));
    let ended = program.stop_cleanly(&scratch);
    assert_eq!(ended.said("missing").len(), 0);
}

#[test]
fn what_is_built_in_an_overlay_is_seen_there() {
    let scratch = Scratch::new();
    let [lower, upper, work, merged] = made(&scratch, ["lower", "upper", "work", "merged"]);
    // The file came with the image, and the first write copies it up.
    Artifact::at(lower.join("libplugin01.so")).overwrite(&library(1));
    let mounted = Mounted::overlay(&lower, &upper, &work, &merged);
    let mut program = watch(&scratch, &merged, mounted);
    let started = program.wait_for_event("started");
    assert_eq!(started.text("filesystem"), "overlay");
    assert_eq!(started.text("locality"), "local");
    program.wait_for_answer(&version(1));
    let merged = as_seen_by(program.id(), &merged);
    let artifact = Artifact::at(merged.join("libplugin01.so"));
    let in_place = || artifact.overwrite(&library(2));
    time_to_answer(&mut program, 2, in_place);
    assert_seen(&mut program, &artifact, 3);
    let ended = program.stop_cleanly(&scratch);
    assert_eq!(ended.said("loaded").len(), 6);
    assert_eq!(ended.said("missing").len(), 0);
}
