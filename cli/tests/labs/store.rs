//! A lab for stores on disks that are full, or from which only can be read.

use std::fs;
use std::time::Duration;

use replug::Digest;
use vocabulary::{Program, Scratch, library, version, wait_until};

use crate::mounts::{Mounted, as_seen_by, with_mounts};

#[test]
fn a_full_disk_is_said_once_and_room_on_it_lets_the_next_build_be_kept() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    let store = scratch.join("store");
    fs::create_dir(&store).unwrap();
    let size = library(1).len();
    artifact.replace_with(&library(1));
    let mut command = Program::command(&scratch);
    command
        .args(["--interval-ms", "20", "--every-ms", "20", "--store"])
        .arg(&store)
        .arg(artifact.path());
    // Room for one copy and the journal, and not for two.
    let options = format!("size={},mode=0700", size + size / 2);
    let tmpfs = Mounted::tmpfs(&store, options);
    let mut program = Program::start(with_mounts(&command, &[tmpfs]));
    program.wait_for_answer(&version(1));
    let inside = as_seen_by(program.id(), &store);
    let copy = |number| {
        let digest = Digest::of(&library(number)).to_string();
        inside.join("copies").join(digest)
    };
    wait_until("the first copy", || copy(1).exists());

    for number in 2..=4 {
        artifact.replace_with(&library(number));
        program.wait_for_answer(&version(number));
    }
    program.go_on_for(Duration::from_millis(300));
    let said = program.said("warning");
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].text("reason").contains("No space left"), "{said:?}");
    assert!(!copy(2).exists() && copy(1).exists());

    // To the last byte: not even a line can be written.
    let filler = inside.join("filler");
    let _ = fs::write(&filler, vec![0; 2 * size]);
    artifact.replace_with(&library(5));
    program.wait_for_answer(&version(5));
    fs::remove_file(&filler).unwrap();
    fs::remove_file(copy(1)).unwrap();
    artifact.replace_with(&library(6));
    program.wait_for_answer(&version(6));
    wait_until("the copy of the next build", || copy(6).exists());
    // What happened meanwhile is written down after all.
    let journal = fs::read_to_string(inside.join("journal")).unwrap();
    let five = Digest::of(&library(5)).to_string();
    let is_live = |line: &str| line.contains("\tlive\t") && line.contains(&five);
    assert!(journal.lines().any(is_live), "{journal}");
    program.stop().assert_quiet_success();
}
