//! Hosts with a store, in the test's own process: the way back by the methods of a host, and what is asked of a build that
//! comes back.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use replug::error::Step;
use replug::store::{StoreError, history};
use replug::{Host, HostSet, Options, Text};
use vocabulary::{
    Artifact, DEADLINE, Scratch, library, library_name, plugin_function, version, wait_until,
};

use crate::decided::{digest, next};

/// A host of a library, with a store, and no probation: whose signals these are is not this test's to change.
struct Ground {
    scratch: Scratch,
    artifact: Artifact,
}

impl Ground {
    fn new() -> Ground {
        let scratch = Scratch::new();
        let artifact = scratch.artifact();
        Ground { scratch, artifact }
    }

    fn store(&self) -> PathBuf {
        self.scratch.join("store")
    }

    fn options(&self, path: &Path) -> Options {
        Options::new(path)
            .stage_dir(self.scratch.stage())
            .interval(Duration::from_millis(10))
            .store(self.store())
            .probation(Duration::ZERO)
    }

    fn host(&self, options: impl FnOnce(Options) -> Options) -> Host<Text> {
        let options = options(self.options(self.artifact.path()));
        Host::<Text>::watch(plugin_function(), options).unwrap()
    }

    fn publish(&self, number: u32) {
        self.artifact.replace_with(&library(number));
    }
}

/// A host that has gone from build 1 to build 2.
fn at_two(ground: &Ground, options: impl FnOnce(Options) -> Options) -> Host<Text> {
    ground.publish(1);
    let mut host = ground.host(options);
    assert_eq!(next(&mut host), Ok(digest(1)));
    ground.publish(2);
    assert_eq!(next(&mut host), Ok(digest(2)));
    host
}

#[test]
fn a_host_goes_back_and_to_a_chosen_build_and_lets_one_in_again() {
    let ground = Ground::new();
    let mut host = at_two(&ground, |options| options);
    host.back().unwrap();
    assert_eq!(next(&mut host), Ok(digest(1)));
    assert!(host.call(c"you").unwrap().contains(&version(1)));
    host.back_to(digest(2)).unwrap();
    assert_eq!(next(&mut host), Ok(digest(2)));
    host.back().unwrap();
    let (step, words) = next(&mut host).unwrap_err();
    assert_eq!(step, Step::Store);
    assert!(words.contains("no build before this one"), "{words}");
    host.back_to(digest(3)).unwrap();
    let (_, words) = next(&mut host).unwrap_err();
    assert!(words.contains("no build in the store"), "{words}");
    host.release(Some(digest(1))).unwrap();
    host.back().unwrap();
    assert_eq!(next(&mut host), Ok(digest(1)));
    host.release(None).unwrap();
    assert_eq!(next(&mut host), Ok(digest(2)), "it is at the path");
}

#[test]
fn a_host_without_a_store_says_so() {
    let scratch = Scratch::new();
    let host = Host::<Text>::watch(plugin_function(), scratch.options()).unwrap();
    for answer in [host.back(), host.back_to(digest(1)), host.release(None)] {
        assert!(matches!(answer, Err(StoreError::NoStore)), "{answer:?}");
    }
    assert!(host.call_failed().is_err());
}

#[test]
fn a_build_comes_back_only_if_it_may_still_run() {
    let ground = Ground::new();
    let list = ground.scratch.join("allowed");
    let allow = |numbers: &[u32]| {
        let lines = numbers
            .iter()
            .map(|number| format!("{}\n", digest(*number)));
        fs::write(&list, lines.collect::<String>()).unwrap();
    };
    allow(&[1, 2]);
    let mut host = at_two(&ground, |options| options.allow(&list));
    allow(&[2]);
    host.back().unwrap();
    let (step, words) = next(&mut host).unwrap_err();
    assert_eq!(step, Step::Trust);
    assert!(words.contains("is not in the list"), "{words}");
    assert!(
        host.call(c"you").unwrap().contains(&version(2)),
        "2 goes on"
    );
    allow(&[1]);
    host.back().unwrap();
    assert_eq!(next(&mut host), Ok(digest(1)));
}

#[test]
fn a_build_of_which_more_calls_fail_than_the_host_names_is_left_and_no_sooner() {
    let ground = Ground::new();
    let mut host = at_two(&ground, |options| {
        // A probation that no machine is too slow for.
        let hour = Duration::from_secs(3600);
        options.probation(hour).probation_failures(2)
    });
    for _ in 0..2 {
        host.call_failed().unwrap();
    }
    let watcher = host.watcher().unwrap();
    assert!(watcher.poll_now(DEADLINE));
    assert!(host.poll().is_none());
    host.call_failed().unwrap();
    assert_eq!(next(&mut host), Ok(digest(1)));
    wait_until("it is written down", || {
        let history = history(&ground.store()).unwrap();
        let past = history.builds().into_iter();
        let mut left = past.filter(|past| past.digest() == digest(2));
        left.any(|past| past.left().is_some_and(|why| why.contains("more than 2")))
    });
}

#[test]
fn of_many_plugins_each_goes_back_by_itself() {
    let ground = Ground::new();
    let directory = ground.scratch.join("plugins");
    fs::create_dir(&directory).unwrap();
    let path = |name: &str| directory.join(library_name(name));
    let publish = |name: &str, number| Artifact::at(path(name)).replace_with(&library(number));
    publish("a", 1);
    publish("b", 2);
    let options = ground.options(&directory);
    let mut set = HostSet::<Text>::watch(plugin_function(), options).unwrap();
    let wait_for = |set: &mut HostSet<Text>, name: &str, number| {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let live = set.get(name).and_then(|it| Some(it.live()?.digest()));
            if live == Some(digest(number)) {
                break;
            }
            assert!(Instant::now() < deadline, "{name} is {live:?}");
            set.wait(Duration::from_millis(50));
        }
    };
    wait_for(&mut set, "a", 1);
    wait_for(&mut set, "b", 2);
    publish("a", 3);
    publish("b", 4);
    wait_for(&mut set, "a", 3);
    wait_for(&mut set, "b", 4);
    set.back("a", None).unwrap();
    wait_for(&mut set, "a", 1);
    wait_for(&mut set, "b", 4);
    set.back("b", Some(digest(2))).unwrap();
    wait_for(&mut set, "b", 2);
    set.release(Some(digest(3))).unwrap();
    wait_for(&mut set, "a", 3);
    let history = history(&ground.store()).unwrap();
    assert_eq!(history.builds().len(), 4);
}

#[test]
fn a_store_keeps_as_many_copies_as_it_is_told_and_the_best_of_them() {
    let ground = Ground::new();
    ground.publish(0);
    let mut host = ground.host(|options| options.store_copies(3));
    assert_eq!(next(&mut host), Ok(digest(0)));
    for number in 1..8 {
        ground.publish(number);
        assert_eq!(next(&mut host), Ok(digest(number)));
    }
    wait_until("the last copies are there", || {
        let names = fs::read_dir(ground.store().join("copies")).unwrap();
        let names: Vec<_> = names
            .map(|it| it.unwrap().file_name().into_string().unwrap())
            .collect();
        let has = |number| names.contains(&digest(number).to_string());
        names.len() == 3 && [5, 6, 7].into_iter().all(has)
    });
}
