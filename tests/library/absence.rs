//! Absences: what was removed, what was only unmounted, and what nobody can tell.

use std::cell::{Cell, RefCell};
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use vocabulary::{Artifact, Asked, ByHand, Scratch, Spy, failure, library, library_name};

use crate::way::Mount;

/// Removes what is watched, unmounts its filesystem before that can be said, and mounts it again just before a question of a
/// poll. Returns what is said then, if a poll asks so many questions.
fn news_if_mounted_before_question(number: usize, is_directory: bool) -> Option<Vec<&'static str>> {
    let scratch = Scratch::new();
    let directory = scratch.join("plugins");
    let path = directory.join(library_name("x"));
    let publish = |path: &Path| {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        Artifact::at(path).link(&library(1));
    };
    publish(&path);
    let asked = Rc::new(Cell::new(0));
    let late = Rc::<RefCell<Option<(Arc<AtomicU64>, PathBuf)>>>::default();
    let (count, returns) = (Rc::clone(&asked), Rc::clone(&late));
    let files = Spy::on_this_machine(move |_| {
        if count.replace(count.get() + 1) == number
            && let Some((mounted, path)) = returns.take()
        {
            mounted.store(0, Ordering::Relaxed);
            publish(&path);
        }
    });
    let mounted = files.mounted.clone();
    let watched = if is_directory { &directory } else { &path };
    let mut watch = ByHand::watch(&scratch, watched, files);
    assert_eq!(watch.poll_until_settled(), 1);
    fs::remove_dir_all(&directory).unwrap();
    watch.poll();
    mounted.store(1, Ordering::Relaxed);
    assert_eq!(watch.news_of_a_while(), ["degraded"]);
    asked.set(0);
    *late.borrow_mut() = Some((mounted, path));
    watch.pass(Duration::from_secs(3));
    watch.poll();
    late.borrow().is_none().then(|| watch.news_of_a_while())
}

#[test]
fn what_comes_back_with_its_mount_in_the_middle_of_a_poll_was_not_removed() {
    for is_directory in [false, true] {
        let mut count = 0;
        while let Some(said) = news_if_mounted_before_question(count, is_directory) {
            // The return takes the place of what nobody has heard.
            let is_wrong = said.iter().any(|it| ["missing", "returned"].contains(it));
            assert!(!is_wrong, "before question {count}: {said:?}");
            count += 1;
        }
        assert!(count > 1, "{count} questions in a poll");
    }
}

#[test]
fn a_directory_that_was_seen_but_never_listed_is_unmounted_and_not_removed() {
    let scratch = Scratch::new();
    let (mount, files) = Mount::new(&scratch, |_| {});
    let faults = files.faults.clone();
    let mut watch = ByHand::watch(&scratch, &mount.directory, files);
    faults.begin(|asked| {
        let fails = matches!(asked, Asked::Names(_) | Asked::List(_) | Asked::Route(_));
        fails.then_some(failure::BROKEN)
    });
    assert_eq!(watch.news_of_a_while(), ["degraded"]);
    mount.unmount();
    faults.end();
    let said = watch.news_of_a_while();
    assert!(!said.contains(&"missing"), "{said:?}");
}

/// Unmounts what is watched just before a question of the first poll. Returns what is said then, if it asks so many.
fn news_if_unmounted_before_question(number: usize) -> Option<Vec<&'static str>> {
    let scratch = Scratch::new();
    let late = Rc::<RefCell<Option<Mount>>>::default();
    let (asked, leaves) = (Cell::new(0), Rc::clone(&late));
    let (mount, files) = Mount::new(&scratch, move |_| {
        if asked.replace(asked.get() + 1) == number
            && let Some(mount) = leaves.take()
        {
            mount.unmount();
        }
    });
    let path = mount.directory.clone();
    let mut watch = ByHand::watch(&scratch, &path, files);
    *late.borrow_mut() = Some(mount);
    watch.poll();
    late.borrow().is_none().then(|| watch.news_of_a_while())
}

#[test]
fn a_directory_that_is_unmounted_in_the_middle_of_the_first_poll_was_not_removed() {
    let mut count = 0;
    while let Some(said) = news_if_unmounted_before_question(count) {
        assert!(
            !said.contains(&"missing"),
            "before question {count}: {said:?}"
        );
        count += 1;
    }
    assert!(count > 10, "{count} questions in a poll");
}

/// Unmounts a directory with two libraries just before a question of a later poll. Returns what is said then, if a poll asks
/// so many.
fn news_if_unmounted_later(number: usize, is_higher: bool) -> Option<Vec<&'static str>> {
    let scratch = Scratch::new();
    let late = Rc::<RefCell<Option<Mount>>>::default();
    let (asked, leaves) = (Rc::new(Cell::new(0)), Rc::clone(&late));
    let count = Rc::clone(&asked);
    let (mount, files) = Mount::new(&scratch, move |_| {
        if count.replace(count.get() + 1) == number
            && let Some(mount) = leaves.take()
        {
            mount.unmount();
        }
    });
    let watched = match is_higher {
        true => mount.root.join("target"),
        false => mount.directory.clone(),
    };
    for name in [library_name("x"), library_name("y")] {
        Artifact::at(watched.join(name)).link(&library(1));
    }
    let mut watch = ByHand::watch(&scratch, &watched, files);
    assert_eq!(watch.poll_until_settled(), 2);
    asked.set(0);
    *late.borrow_mut() = Some(mount);
    watch.poll();
    late.borrow().is_none().then(|| watch.news_of_a_while())
}

#[test]
fn a_directory_that_is_unmounted_in_the_middle_of_a_poll_is_lost_as_one() {
    for is_higher in [false, true] {
        let mut count = 0;
        while let Some(said) = news_if_unmounted_later(count, is_higher) {
            assert_eq!(said, ["degraded"], "before question {count}");
            count += 1;
        }
        assert!(count > 3, "{count} questions in a poll");
    }
}

#[test]
fn what_a_mount_covers_is_not_missing_with_a_directory_of_the_covering_filesystem() {
    let scratch = Scratch::new();
    let (mount, files) = Mount::new(&scratch, |_| {});
    mount.artifact.link(&library(1));
    let mut watch = ByHand::watch(&scratch, &mount.directory, files);
    assert_eq!(watch.poll_until_settled(), 1);
    let above = Artifact::at(mount.directory.join(library_name("y")));
    mount.nfs.cover(&mount.root.join("target"));
    mount.artifact.remove();
    above.link(&library(2));
    assert_eq!(watch.news_of_a_while(), ["placed", "degraded"]);
    fs::remove_dir_all(&mount.directory).unwrap();
    assert_eq!(watch.news_of_a_while(), ["missing"]);
    fs::create_dir(&mount.directory).unwrap();
    above.link(&library(3));
    assert_eq!(watch.news_of_a_while(), ["returned"]);
    mount.nfs.uncover();
    mount.artifact.link(&library(1));
    assert_eq!(watch.news_of_a_while(), ["placed", "recovered"]);
}

#[test]
fn what_was_removed_is_not_unmounted_when_an_empty_filesystem_takes_its_place() {
    let scratch = Scratch::new();
    let directory = scratch.join("plugins");
    fs::create_dir(&directory).unwrap();
    Artifact::at(directory.join(library_name("x"))).link(&library(1));
    let files = Spy::on_this_machine(|_| {});
    let mounted = files.mounted.clone();
    let mut watch = ByHand::watch(&scratch, &directory, files);
    assert_eq!(watch.poll_until_settled(), 1);
    fs::remove_dir_all(&directory).unwrap();
    assert_eq!(watch.news_of_a_while(), ["missing"]);
    mounted.store(1, Ordering::Relaxed);
    fs::create_dir(&directory).unwrap();
    assert_eq!(watch.news_of_a_while(), ["returned", "missing"]);
}

#[test]
fn an_absence_is_counted_anew_when_nobody_could_look_at_the_directory_meanwhile() {
    let scratch = Scratch::new();
    let directory = scratch.join("plugins");
    fs::create_dir(&directory).unwrap();
    let artifact = Artifact::at(directory.join(library_name("x")));
    artifact.link(&library(1));
    let files = Spy::on_this_machine(|_| {});
    let faults = files.faults.clone();
    let mut watch = ByHand::watch(&scratch, &directory, files);
    assert_eq!(watch.poll_until_settled(), 1);
    artifact.remove();
    watch.poll();
    let watched = directory.clone();
    faults.begin(move |asked| (*asked == Asked::Look(watched.clone())).then_some(failure::BROKEN));
    assert_eq!(watch.news_of_a_while(), ["degraded"]);
    // Meanwhile it was there again, and a moment ago the next build has begun.
    artifact.link(&library(2));
    artifact.remove();
    faults.end();
    watch.pass(Duration::from_secs(3));
    watch.poll();
    artifact.link(&library(3));
    let said = watch.news_of_a_while();
    assert_eq!(said, ["recovered"]);
}

/// A directory that is removed and made again between the look at it and the listing.
#[test]
fn a_directory_that_is_made_again_in_the_middle_of_a_poll_is_no_trouble_unless_that_lasts() {
    for (lasts, said) in [(false, &[][..]), (true, &["degraded", "recovered"])] {
        let scratch = Scratch::new();
        let (mount, files) = Mount::new(&scratch, |_| {});
        mount.artifact.link(&library(1));
        let faults = files.faults.clone();
        let mut watch = ByHand::watch(&scratch, &mount.directory, files);
        assert_eq!(watch.poll_until_settled(), 1);
        let directory = mount.directory.clone();
        faults.begin(move |asked| {
            (*asked == Asked::List(directory.clone())).then_some(failure::ABSENT)
        });
        Artifact::at(mount.directory.join(library_name("y"))).link(&library(2));
        let mut news = Vec::new();
        if lasts {
            news.extend(watch.news_of_a_while());
        } else {
            watch.pass(Duration::from_secs(3));
            watch.poll();
        }
        faults.end();
        news.extend(watch.news_of_a_while());
        assert_eq!(news, said, "{lasts}");
    }
}
