//! The cost of a poll while nothing changes: looks, and nothing else.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

use vocabulary::{Asked, ByHand, Scratch, Spy, library};

/// Settles on `path`, with as many artifacts as `ready` says, and checks that each poll from then on asks exactly
/// this, in this order.
#[track_caller]
fn assert_idle_poll_asks(scratch: &Scratch, path: &Path, ready: usize, expected: &[Asked]) {
    let asked = Rc::<RefCell<Vec<Asked>>>::default();
    let heard = Rc::clone(&asked);
    let files = Spy::on_this_machine(move |asked| heard.borrow_mut().push(asked));
    let mut watch = ByHand::watch(scratch, path, files);
    assert_eq!(watch.poll_until_settled(), ready);
    for _ in 0..3 {
        asked.borrow_mut().clear();
        watch.poll();
        assert_eq!(*asked.borrow(), expected);
    }
}

fn look(path: &Path) -> Asked {
    Asked::Look(path.to_owned())
}

#[test]
fn an_idle_poll_of_a_library_is_one_look() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.overwrite(&library(1));
    assert_idle_poll_asks(&scratch, artifact.path(), 1, &[look(artifact.path())]);
}

#[test]
fn an_idle_poll_of_a_directory_is_one_look_at_it_and_one_at_each_library() {
    let scratch = Scratch::new();
    let (directory, paths) = scratch.directory_of("plugins", 1..=3);
    let mut expected = vec![look(&directory), Asked::OpenDirectory(directory.clone(), 3)];
    expected.extend(paths.iter().map(|path| look(path)));
    assert_idle_poll_asks(&scratch, &directory, 3, &expected);
}

#[cfg(target_os = "linux")]
#[test]
fn an_idle_poll_of_many_libraries_opens_their_directory_and_looks_from_there() {
    let scratch = Scratch::new();
    let (directory, paths) = scratch.directory_of("plugins", 1..=12);
    let mut expected = vec![
        look(&directory),
        Asked::OpenDirectory(directory.clone(), 12),
    ];
    expected.extend(paths.into_iter().map(Asked::LookFrom));
    assert_idle_poll_asks(&scratch, &directory, 12, &expected);
}

#[test]
fn an_idle_poll_of_nothing_is_one_look() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    assert_idle_poll_asks(&scratch, artifact.path(), 0, &[look(artifact.path())]);
}

#[test]
fn an_idle_poll_of_a_file_that_was_kept_out_is_one_look() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.overwrite(b"no library at all");
    assert_idle_poll_asks(&scratch, artifact.path(), 0, &[look(artifact.path())]);
}

#[test]
fn a_touched_file_is_read_once_and_then_only_looked_at() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.overwrite(&library(1));
    let asked = Rc::<RefCell<Vec<Asked>>>::default();
    let heard = Rc::clone(&asked);
    let files = Spy::on_this_machine(move |asked| heard.borrow_mut().push(asked));
    let mut watch = ByHand::watch(&scratch, artifact.path(), files);
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
    assert_eq!(*asked.borrow(), [look(artifact.path())]);
}
