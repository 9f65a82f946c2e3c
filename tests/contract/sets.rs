//! A directory of plugins that share a declaration.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fixtures::Fixture;
use fixtures::diary::Diary;
use replug::error::Step;
use replug::outcome::{Kept, Mapped};
use replug::{HostSet, Options, Outcome, Unload, chain};
use vocabulary::{Artifact, DEADLINE, Rule, Scratch, holds, in_time, library_name, specimen};

/// A set, and the directory that it watches.
struct Shelf {
    set: HostSet<Fixture>,
    directory: PathBuf,
    builds: u32,
    _scratch: Scratch,
}

impl Shelf {
    /// A set whose directory holds these fixtures from the start, in this order of arrival.
    fn with(fixtures: &[(&str, &str)]) -> Shelf {
        Shelf::made_by(fixtures, |options| {
            HostSet::<Fixture>::watch(options).unwrap()
        })
    }

    /// A shelf whose set is made of the usual options by `watch`.
    fn made_by(
        fixtures: &[(&str, &str)],
        watch: impl FnOnce(Options) -> HostSet<Fixture>,
    ) -> Shelf {
        let scratch = Scratch::new();
        let directory = scratch.join("plugins");
        fs::create_dir(&directory).unwrap();
        for (name, fixture) in fixtures {
            artifact(&directory, name).restore(&specimen(fixture, 0));
        }
        let options = Options::new(&directory)
            .stage_dir(scratch.stage())
            .interval(Duration::from_millis(2))
            .settle(Duration::from_millis(10));
        Shelf {
            set: watch(options),
            directory,
            builds: 0,
            _scratch: scratch,
        }
    }

    /// Puts another build of a fixture in place under a name.
    fn put(&mut self, name: &str, fixture: &str) {
        self.builds += 1;
        self.artifact(name)
            .replace_with(&specimen(fixture, self.builds));
    }

    fn artifact(&self, name: &str) -> Artifact {
        artifact(&self.directory, name)
    }

    /// Waits for the next outcome that is worth a test's attention, and names its plugin.
    #[track_caller]
    fn next(&mut self) -> (String, Outcome) {
        let deadline = Instant::now() + DEADLINE;
        while let Some(left) = deadline.checked_duration_since(Instant::now()) {
            match self.set.wait(left) {
                Some((_, Outcome::Waiting(_))) | None => {}
                Some((artifact, outcome)) => {
                    return (replug::watch::plugin_name(&artifact), outcome);
                }
            }
        }
        panic!("nothing happened in time");
    }

    /// Waits for the next plugin that is loaded, and says its name and generation.
    #[track_caller]
    fn next_loaded(&mut self) -> (String, u64) {
        match self.next() {
            (name, Outcome::Loaded(loaded)) => (name, loaded.generation),
            other => panic!("not loaded: {other:?}"),
        }
    }

    #[track_caller]
    fn act(&self, name: &str) -> u64 {
        self.set.get(name).unwrap().act(1).unwrap()
    }

    fn names(&self) -> Vec<String> {
        self.set.iter().map(|member| member.name()).collect()
    }
}

fn artifact(directory: &Path, name: &str) -> Artifact {
    Artifact::at(directory.join(library_name(name)))
}

fn loaded(name: &str, generation: u64) -> (String, u64) {
    (name.to_owned(), generation)
}

#[test]
fn plugins_appear_and_change_each_for_itself() {
    let mut shelf = Shelf::with(&[]);
    assert!(shelf.set.get("a").is_none());
    shelf.put("a", "counter");
    assert_eq!(shelf.next_loaded(), loaded("a", 1));
    assert_eq!(shelf.act("a"), 1);
    shelf.put("b", "counter");
    assert_eq!(shelf.next_loaded(), loaded("b", 1));
    assert_eq!((shelf.act("a"), shelf.act("b")), (2, 1));
    shelf.put("a", "counter");
    assert_eq!(shelf.next_loaded(), loaded("a", 2));
    assert_eq!((shelf.act("a"), shelf.act("b")), (3, 2));
}

#[test]
fn what_vanishes_is_missing_and_can_still_be_called_until_it_returns() {
    let mut shelf = Shelf::with(&[("a", "counter"), ("b", "pure")]);
    assert_eq!(shelf.next_loaded(), loaded("a", 1));
    assert_eq!(shelf.next_loaded(), loaded("b", 1));
    assert_eq!(shelf.act("a"), 1);
    shelf.artifact("a").remove();
    let (name, outcome) = shelf.next();
    assert!(matches!(outcome, Outcome::Missing), "{outcome:?}");
    assert_eq!(name, "a");
    assert!(shelf.set.get("a").unwrap().is_missing());
    assert!(!shelf.set.get("b").unwrap().is_missing());
    assert_eq!(shelf.act("a"), 2);
    shelf.put("a", "counter");
    let (name, outcome) = shelf.next();
    assert!(matches!(outcome, Outcome::Returned), "{outcome:?}");
    assert_eq!(name, "a");
    assert!(!shelf.set.get("a").unwrap().is_missing());
    assert_eq!(shelf.next_loaded(), loaded("a", 2));
    assert_eq!(shelf.act("a"), 3);
}

#[test]
fn one_that_is_kept_out_changes_nothing_for_the_others() {
    let mut shelf = Shelf::with(&[("a", "pure"), ("b", "pure")]);
    assert_eq!(shelf.next_loaded(), loaded("a", 1));
    assert_eq!(shelf.next_loaded(), loaded("b", 1));
    for (fixture, step) in [
        ("other_version", Step::Handshake),
        ("init_refuses", Step::Init),
    ] {
        shelf.put("a", fixture);
        let (name, outcome) = shelf.next();
        let Outcome::Kept(Kept { error, .. }) = outcome else {
            panic!("not kept out: {outcome:?}");
        };
        assert_eq!((name.as_str(), error.step()), ("a", step));
        let artifact = shelf.artifact("a");
        assert!(chain(&error).contains(artifact.path().to_str().unwrap()));
        assert_eq!((shelf.act("a"), shelf.act("b")), (2, 2));
    }
    shelf.put("b", "pure");
    assert_eq!(shelf.next_loaded(), loaded("b", 2));
    shelf.put("a", "pure");
    assert_eq!(shelf.next_loaded(), loaded("a", 2));
}

#[test]
fn those_that_are_there_at_the_start_are_loaded_by_name() {
    let names = ["d", "b", "e", "a", "c"];
    let mut shelf = Shelf::with(&names.map(|name| (name, "pure")));
    let loaded: Vec<_> = names.iter().map(|_| shelf.next_loaded().0).collect();
    assert_eq!(loaded, ["a", "b", "c", "d", "e"]);
    assert_eq!(shelf.names(), loaded);
}

#[test]
fn a_plugin_is_found_by_its_name_and_knows_its_library() {
    let mut shelf = Shelf::with(&[("lively", "pure"), ("other", "counter")]);
    shelf.next_loaded();
    shelf.next_loaded();
    let lively = shelf.set.get("lively").unwrap();
    assert_eq!(lively.name(), "lively");
    assert_eq!(lively.artifact(), shelf.artifact("lively").path());
    assert_eq!(lively.live().unwrap().generation(), 1);
    assert_eq!(lively.act(1), Ok(2));
    assert!(shelf.set.get("liblively").is_none());
}

#[test]
fn all_of_them_stop_when_the_set_is_dropped() {
    let diary = Diary::open();
    let mut shelf = Shelf::with(&[("a", "diary_two"), ("b", "diary_one")]);
    shelf.next_loaded();
    shelf.next_loaded();
    assert_eq!(diary.read(), ["2: init", "1: init"]);
    drop(shelf);
    assert_eq!(diary.read(), ["2: stop", "1: stop"]);
}

#[test]
fn a_member_that_is_removed_is_retired_and_taken_up_again_when_it_is_published_again() {
    let mut shelf = Shelf::with(&[("a", "pure"), ("b", "pure")]);
    assert_eq!(shelf.next_loaded(), loaded("a", 1));
    assert_eq!(shelf.next_loaded(), loaded("b", 1));
    let handle = shelf.set.get("a").unwrap().handle();
    assert!(shelf.set.remove("nobody").is_none());
    let retired = shelf.set.remove("a").expect("it was live");
    assert_eq!(retired.generation, 1);
    assert!(shelf.set.remove("a").is_none());
    assert_eq!(shelf.names(), ["b"]);
    assert!(handle.live().act(1).is_err());
    // The very same bytes, after they were gone.
    let bytes = fs::read(shelf.artifact("a").path()).unwrap();
    shelf.artifact("a").remove();
    let (name, outcome) = shelf.next();
    assert!(matches!(outcome, Outcome::Missing), "{outcome:?}");
    assert_eq!(name, "a");
    shelf.artifact("a").replace_with(&bytes);
    let (_, outcome) = shelf.next();
    assert!(matches!(outcome, Outcome::Returned), "{outcome:?}");
    assert_eq!(shelf.next_loaded(), loaded("a", 1));
    assert_eq!(shelf.names(), ["a", "b"]);
}

#[test]
fn a_member_that_is_removed_while_it_is_lent_stops_and_goes_when_it_is_not_lent_any_more() {
    if !holds(Rule::Unmaps) {
        return;
    }
    in_time("end of what was lent", || {
        let diary = Diary::open();
        let mut shelf = Shelf::made_by(&[("a", "diary_one")], |options| {
            let set = HostSet::<Fixture>::watch(options).unwrap();
            set.unloading(Unload::WhenProven)
        });
        assert_eq!(shelf.next_loaded(), loaded("a", 1));
        assert_eq!(diary.read(), ["1: init"]);
        let handle = shelf.set.get("a").unwrap().handle();
        let mut caller = handle.caller();
        caller.live().act(0).unwrap();
        let retired = shelf.set.remove("a").expect("it was live");
        assert_eq!(retired.mapped, Some(Mapped::Lent));
        assert!(shelf.set.poll().is_none());
        assert_eq!(diary.read(), [""; 0], "a call could be in progress");
        assert!(
            caller.live().act(0).is_err(),
            "it notices that none is live"
        );
        // The caller wakes nobody when it lets go.
        let retired = loop {
            if let Some((_, Outcome::Retired(retired))) = shelf.set.wait(Duration::MAX) {
                break retired;
            }
        };
        assert_eq!(retired.mapped, None);
        assert_eq!(diary.read(), ["1: stop"]);
    });
}

#[test]
fn a_member_hands_out_handles_that_follow_its_reloads() {
    let mut shelf = Shelf::with(&[("a", "diary_one")]);
    assert_eq!(shelf.next_loaded(), loaded("a", 1));
    let handle = shelf.set.get("a").unwrap().handle();
    let called = std::thread::scope(|scope| scope.spawn(|| handle.live().act(0)).join());
    assert_eq!(called.unwrap(), Ok(1));
    shelf.put("a", "diary_two");
    assert_eq!(shelf.next_loaded(), loaded("a", 2));
    assert_eq!(handle.live().act(0), Ok(2));
}

#[test]
fn a_set_that_unloads_unmaps_what_its_members_retire() {
    if !holds(Rule::Unmaps) {
        return;
    }
    let watch = |options| HostSet::<Fixture>::watch(options).unwrap();
    let unloads = |options| watch(options).unloading(Unload::WhenProven);
    for (watch, unmaps) in [
        (&unloads as &dyn Fn(Options) -> HostSet<Fixture>, true),
        (&watch, false),
    ] {
        let mut shelf = Shelf::made_by(&[("a", "pure")], watch);
        assert_eq!(shelf.next_loaded(), loaded("a", 1));
        shelf.put("a", "pure");
        let (_, Outcome::Loaded(second)) = shelf.next() else {
            panic!("the second build is not loaded");
        };
        assert_eq!(second.retired.unwrap().mapped.is_none(), unmaps);
    }
}
