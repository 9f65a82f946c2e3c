//! Waiting for a generation, in the way in which tests of plugins do.

use std::time::{Duration, Instant};

use fixtures::Fixture;
use replug::watch::Watcher;
use replug::{Host, Outcome};
use vocabulary::{DEADLINE, Rule, World, holds, make_link, specimen};

/// A host whose watcher polls when it is asked to, and at no other time.
fn asked_only() -> World {
    let seldom = 100 * DEADLINE;
    World::watched_by(|options| Host::<Fixture>::watch(options.interval(seldom)).unwrap())
}

#[test]
fn a_generation_that_comes_is_waited_for() {
    let mut world = World::new();
    world.artifact.link(&specimen("pure", 1));
    let deadline = Instant::now() + DEADLINE;
    world.host.wait_for_generation(1, deadline).unwrap();
    assert_eq!(world.generation(), Some(1));
    world.artifact.link(&specimen("pure", 2));
    world.host.wait_for_generation(2, deadline).unwrap();
    assert_eq!(world.generation(), Some(2));
    assert_eq!(world.host.act(1), Ok(2));
}

#[test]
fn a_generation_that_is_live_already_is_not_waited_for() {
    let mut world = World::with("pure");
    world.load("pure");
    let past = Instant::now();
    for number in [0, 1, 2] {
        world.host.wait_for_generation(number, past).unwrap();
    }
}

#[test]
fn what_does_not_come_in_time_is_told_with_what_is_live() {
    let mut world = asked_only();
    let soon = || Instant::now() + Duration::from_millis(20);
    let error = world.host.wait_for_generation(1, soon()).unwrap_err();
    assert_eq!(
        world.told(&error),
        "generation 1 did not become live in time; none is"
    );
    world.load("pure");
    let error = world.host.wait_for_generation(3, soon()).unwrap_err();
    assert_eq!(
        world.told(&error),
        "generation 3 did not become live in time; generation 1 is"
    );
}

#[test]
fn a_wait_is_as_long_as_it_was_asked_to_be_however_often_the_host_looks_by_itself() {
    let mut world = asked_only();
    let later = || Instant::now() + Watcher::STALL_CHECK * 3 / 2;
    let end = later();
    world.host.wait_for_generation(1, end).unwrap_err();
    assert!(end <= Instant::now());
    let end = later();
    let timeout = end.saturating_duration_since(Instant::now());
    assert!(world.host.wait(timeout).is_none());
    assert!(end <= Instant::now());
}

#[test]
fn what_was_kept_out_meanwhile_is_the_cause() {
    let mut world = asked_only().and("pure");
    let now = Instant::now();
    world.put(&specimen("init_refuses", 0));
    let error = world.host.wait_for_generation(2, now).unwrap_err();
    assert_eq!(
        world.told(&error),
        "generation 2 did not become live in time; generation 1 is: cannot initialise `IT`: no licence"
    );
    let unwrapped = format!("{error:?}");
    assert!(unwrapped.ends_with(": no licence"), "{unwrapped}");
    world.put(&specimen("other_version", 0));
    let error = world.host.wait_for_generation(2, now).unwrap_err();
    assert_eq!(
        world.told(&error),
        "generation 2 did not become live in time; generation 1 is: cannot shake hands with `IT`: \
        it implements `Fixture version 2`, this host calls `Fixture version 1`"
    );
}

#[test]
fn what_was_kept_out_before_the_live_generation_came_is_no_cause() {
    if !holds(Rule::MakesLinks) {
        return;
    }
    let mut world = asked_only().and("pure");
    world.artifact.remove();
    make_link("/dev/null", world.artifact.path()).unwrap();
    assert!(world.host.watcher().unwrap().poll_now(DEADLINE));
    world.put(&specimen("pure", 2));
    let now = Instant::now();
    let error = world.host.wait_for_generation(3, now).unwrap_err();
    assert_eq!(
        world.told(&error),
        "generation 3 did not become live in time; generation 2 is"
    );
}

#[test]
fn a_poll_that_was_asked_for_has_seen_what_was_there() {
    let mut world = asked_only();
    for generation in 1..=5 {
        world.artifact.link(&specimen("pure", generation));
        let watcher = world.host.watcher().unwrap();
        let before = watcher.polls();
        assert!(watcher.poll_now(DEADLINE));
        assert!(watcher.polls() > before);
        let news: Vec<_> = std::iter::from_fn(|| world.host.poll()).collect();
        let Some(Outcome::Loaded(loaded)) = news.last() else {
            panic!("not loaded: {news:?}");
        };
        assert_eq!(loaded.generation, u64::from(generation));
    }
}
