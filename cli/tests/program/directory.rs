//! A watched directory: what is in it comes and goes, and so does the directory.

use std::cell::Cell;
use std::fs;
use std::os::unix::fs::symlink;
use std::rc::Rc;
use std::time::{Duration, Instant};

use replug::Options;
use replug::watch::{News, Poller};
use vocabulary::{Artifact, Asked, ByHand, Package, Program, Scratch, Spy, library, version};

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
fn a_library_whose_directory_is_made_again_while_it_is_written_is_loaded() {
    let scratch = Scratch::new();
    let directory = scratch.join("plugins");
    let artifact = Artifact::at(directory.join("libx.so"));
    fs::create_dir(&directory).unwrap();
    let _open = artifact.overwrite_and_keep_open(&library(1));
    let mut program = Program::watch(&scratch, &directory, &[]);
    program.wait_for_waiting("written");
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

/// The directory is open for the length of a poll. If it is replaced meanwhile, the next poll sees that.
#[cfg(target_os = "linux")]
#[test]
fn a_directory_that_is_swapped_while_it_is_looked_at_loses_nothing() {
    const LIBRARIES: u32 = 12;
    let scratch = Scratch::new();
    let (old, _) = scratch.directory_of("v1", 1..=LIBRARIES);
    scratch.directory_of("v2", LIBRARIES + 1..=2 * LIBRARIES);
    let watched = scratch.join("plugins");
    symlink("v1", &watched).unwrap();
    let new = scratch.join("new");
    symlink("v2", &new).unwrap();
    let is_due = Rc::new(Cell::new(false));
    let files = Spy::on_this_machine({
        let (is_due, watched) = (Rc::clone(&is_due), watched.clone());
        move |asked| {
            if matches!(asked, Asked::LookFrom(_)) && is_due.take() {
                fs::rename(&new, &watched).unwrap();
                fs::remove_dir_all(&old).unwrap();
            }
        }
    });
    let mut watch = ByHand::watch(&scratch, &watched, files);
    assert_eq!(watch.poll_until_settled(), LIBRARIES as usize);
    is_due.set(true);
    watch.poll_for(Duration::from_secs(5));
    assert!(!is_due.get(), "it was swapped");
    let mut ready = 0;
    for update in watch.poller.updates().try_iter() {
        match update.news {
            News::Ready(_) => ready += 1,
            News::Waiting(_) => {}
            news => panic!("{}: {news:?}", update.artifact.display()),
        }
    }
    assert_eq!(ready, LIBRARIES);
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
    // The poller's `Debug` is the only place that tells.
    let told = format!("{poller:?}");
    assert!(
        told.contains("artifacts: 0") || told.contains("artifacts: 1"),
        "{told}"
    );
}

#[test]
fn a_library_that_is_removed_while_it_is_written_is_no_longer_waited_for() {
    let scratch = Scratch::new();
    let directory = scratch.join("plugins");
    fs::create_dir(&directory).unwrap();
    let artifact = Artifact::at(directory.join("libx.so"));
    let _open = artifact.overwrite_and_keep_open(&library(1));
    let mut program = Program::watch(&scratch, &directory, &[]);
    program.wait_for_waiting("written");
    artifact.remove();
    let waiting = program.wait_for_waiting("missing");
    assert_eq!(waiting.text("plugin"), "x");
    program.stop_cleanly(&scratch);
}

#[test]
fn libraries_whose_directory_becomes_a_file_are_missing() {
    let scratch = Scratch::new();
    let (directory, _) = scratch.directory_of("plugins", 1..=1);
    let mut program = Program::watch(&scratch, &directory, &[]);
    program.wait_for_answer(&version(1));
    fs::rename(&directory, scratch.join("aside")).unwrap();
    Artifact::at(&directory).link(&library(2));
    program.wait_for_answer(&version(2));
    let missing = program.said("missing");
    assert!(
        missing.iter().any(|line| line.text("plugin") == "00"),
        "{missing:?}"
    );
    program.stop_cleanly(&scratch);
}

#[test]
fn a_directory_of_files_that_are_nearly_named_like_libraries_says_what_it_looks_for_and_saw() {
    let scratch = Scratch::new();
    let directory = scratch.join("plugins");
    fs::create_dir(&directory).unwrap();
    for name in ["plugin.so", "mod_hello.so", "libx.so.1", "notes.txt"] {
        fs::write(directory.join(name), library(1)).unwrap();
    }
    let mut program = Program::watch(&scratch, &directory, &[]);
    let warning = program.wait_for_event("warning");
    assert_eq!(warning.text("about"), "names");
    for part in ["`lib*.so`", "`libx.so.1`, `mod_hello.so`, `plugin.so`"] {
        assert!(warning.text("reason").contains(part), "{warning:?}");
    }
    // Something else is new in the directory, and that is not said again.
    fs::write(directory.join("more.txt"), "").unwrap();
    program.go_on_for(Duration::from_millis(300));
    Artifact::at(directory.join("libx.so")).link(&library(2));
    program.wait_for_answer(&version(2));
    let ended = program.stop_cleanly(&scratch);
    assert_eq!(ended.said("warning").len(), 1);
}

#[test]
fn a_library_with_a_version_in_its_name_is_watched_by_its_own_path() {
    let scratch = Scratch::new();
    let artifact = Artifact::at(scratch.join("libx.so.1"));
    artifact.link(&library(1));
    let mut program = Program::watch(&scratch, artifact.path(), &[]);
    assert_eq!(program.wait_for_generation(1).text("plugin"), "x");
    artifact.link(&library(2));
    program.wait_for_answer(&version(2));
    program.stop_cleanly(&scratch);
}

#[test]
fn a_build_of_cargo_is_loaded_once_however_deep_its_directory_is_searched() {
    let scratch = Scratch::new();
    let package = Package::plugin(&scratch, "one");
    package.build(&[]);
    let directory = package.library().parent().unwrap().to_owned();
    let mut program = Program::watch(&scratch, &directory, &["--depth", "3"]);
    program.wait_for_answer("one");
    package.edit("two");
    package.build(&[]);
    program.wait_for_answer("two");
    let ended = program.stop_cleanly(&scratch);
    assert_eq!(ended.said("loaded").len(), 2);
    assert_eq!(ended.said("kept").len(), 0);
}
