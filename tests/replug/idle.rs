//! What a poll costs while nothing changes: looks, and nothing else.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::vocabulary::{Asked, ByHand, Scratch, Spy, library, os_files};

/// Settles on `path`, which has so many artifacts ready, and checks that each poll from then on looks at these
/// paths in this order and asks nothing else.
#[track_caller]
fn assert_idle_poll_only_looks_at(scratch: &Scratch, path: &Path, ready: usize, at: &[&Path]) {
    let asked = Rc::<RefCell<Vec<Asked>>>::default();
    let heard = Rc::clone(&asked);
    let files = Spy::on(os_files(scratch), move |asked| {
        heard.borrow_mut().push(asked)
    });
    let mut watch = ByHand::watch(path, files);
    assert_eq!(watch.poll_until_settled(), ready);
    let looks: Vec<Asked> = at
        .iter()
        .map(|&path| Asked::Look(path.to_owned()))
        .collect();
    for _ in 0..3 {
        asked.borrow_mut().clear();
        watch.poll();
        assert_eq!(*asked.borrow(), looks);
    }
}

#[test]
fn an_idle_poll_of_a_library_is_one_look() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.overwrite(&library(1));
    assert_idle_poll_only_looks_at(&scratch, artifact.path(), 1, &[artifact.path()]);
}

#[test]
fn an_idle_poll_of_a_directory_is_one_look_at_it_and_one_at_each_library() {
    let scratch = Scratch::new();
    let directory = scratch.join("plugins");
    fs::create_dir(&directory).unwrap();
    let paths = [1, 2, 3].map(|number| directory.join(format!("lib{number}.so")));
    for (path, number) in paths.iter().zip(1..) {
        fs::write(path, library(number)).unwrap();
    }
    let looks = [&directory, &paths[0], &paths[1], &paths[2]];
    assert_idle_poll_only_looks_at(&scratch, &directory, 3, &looks.map(PathBuf::as_path));
}

#[test]
fn an_idle_poll_of_nothing_is_one_look() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    assert_idle_poll_only_looks_at(&scratch, artifact.path(), 0, &[artifact.path()]);
}

#[test]
fn an_idle_poll_of_a_file_that_was_kept_out_is_one_look() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.overwrite(b"no library at all");
    assert_idle_poll_only_looks_at(&scratch, artifact.path(), 0, &[artifact.path()]);
}

#[test]
fn a_touched_file_is_read_once_and_then_only_looked_at() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.overwrite(&library(1));
    let asked = Rc::<RefCell<Vec<Asked>>>::default();
    let heard = Rc::clone(&asked);
    let files = Spy::on(os_files(&scratch), move |asked| {
        heard.borrow_mut().push(asked)
    });
    let mut watch = ByHand::watch(artifact.path(), files);
    assert_eq!(watch.poll_until_settled(), 1);
    artifact.touch();
    asked.borrow_mut().clear();
    assert_eq!(
        watch.poll_until_settled(),
        0,
        "the bytes are what they were"
    );
    assert!(
        asked
            .borrow()
            .contains(&Asked::Open(artifact.path().to_owned())),
        "only reading can tell"
    );
    asked.borrow_mut().clear();
    watch.poll();
    assert_eq!(*asked.borrow(), [Asked::Look(artifact.path().to_owned())]);
}
