//! A watched directory: what is in it comes and goes, and so does the directory.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use replug::{Options, Poller};

use crate::vocabulary::{Artifact, Program, Scratch, library, version};

#[test]
fn a_link_whose_target_is_built_later_is_loaded_then() {
    let scratch = Scratch::new();
    let (directory, target) = (
        scratch.join("plugins"),
        Artifact::at(scratch.join("built.so")),
    );
    fs::create_dir(&directory).unwrap();
    symlink(target.path(), directory.join("libx.so")).unwrap();
    let mut program = Program::watch(&scratch, &directory, &[]);
    program.wait_for_event("started");
    program.go_on_for(Duration::from_millis(200));
    assert_eq!(program.said("loaded").len(), 0);
    target.link(&library(1));
    program.wait_for_answer(&version(1));
    program.stop();
    scratch.assert_nothing_staged();
}

#[test]
fn a_library_whose_directory_is_made_again_while_it_settles_is_loaded() {
    let scratch = Scratch::new();
    let directory = scratch.join("plugins");
    let artifact = Artifact::at(directory.join("libx.so"));
    fs::create_dir(&directory).unwrap();
    artifact.overwrite(&library(1));
    let mut program = Program::watch(&scratch, &directory, &["--settle-ms", "1000"]);
    program.wait_for_event("waiting");
    fs::remove_dir_all(&directory).unwrap();
    program.go_on_for(Duration::from_millis(100));
    fs::create_dir(&directory).unwrap();
    artifact.overwrite(&library(2));
    program.wait_for_answer(&version(2));
    program.stop();
    scratch.assert_nothing_staged();
}

#[test]
fn a_directory_that_vanishes_while_its_listing_is_in_doubt_is_not_polled_all_the_time() {
    let scratch = Scratch::new();
    let directory = scratch.join("plugins");
    fs::create_dir(&directory).unwrap();
    let options = Options::new(&directory).stage_dir(scratch.stage());
    let mut poller = Poller::new(options).unwrap();
    let start = Instant::now();
    let confirmation = poller.poll(start);
    assert!(
        confirmation < start + Options::INTERVAL,
        "{:?}",
        confirmation - start
    );
    fs::remove_dir(&directory).unwrap();
    let later = start + Options::INTERVAL * 10;
    assert_eq!(poller.poll(later), later + Options::INTERVAL);
}

#[test]
fn copies_that_are_staged_below_a_watched_directory_are_not_loaded_as_well() {
    let scratch = Scratch::new();
    Artifact::at(scratch.join("libx.so")).link(&library(1));
    let mut program = Program::watch(&scratch, scratch.path(), &["--depth", "4"]);
    program.wait_for_answer(&version(1));
    program.go_on_for(Duration::from_millis(500));
    let ended = program.stop();
    assert_eq!(ended.said("loaded").len(), 1);
    scratch.assert_nothing_staged();
}

#[test]
fn names_that_come_and_go_are_forgotten() {
    let scratch = Scratch::new();
    let directory = scratch.join("plugins");
    fs::create_dir(&directory).unwrap();
    let options = Options::new(&directory).stage_dir(scratch.stage());
    let mut poller = Poller::new(options).unwrap();
    let mut now = Instant::now();
    for number in 0..100 {
        let path = directory.join(format!("lib{number}.so"));
        fs::write(&path, "").unwrap();
        now += Options::INTERVAL;
        poller.poll(now);
        fs::remove_file(&path).unwrap();
        for _ in 0..2 {
            now += Options::INTERVAL;
            poller.poll(now);
        }
    }
    // Its `Debug` is the only place that tells.
    let told = format!("{poller:?}");
    assert!(
        told.contains("artifacts: 0") || told.contains("artifacts: 1"),
        "{told}"
    );
}
