//! The hooks of a plugin at the turning points of its life, and what becomes of its state.

use std::cell::RefCell;

use fixtures::diary::{Diary, note};
use fixtures::{Fixture, INDIGESTIBLE};
use replug::error::Step;
use replug::{Handle, Outcome};
use vocabulary::{Rule, World, holds};

#[test]
fn a_count_goes_on_in_the_next_generation() {
    let mut world = World::with("counter");
    assert_eq!(world.host.act(0), Ok(1));
    assert_eq!(world.host.act(0), Ok(2));
    assert_eq!(world.load("counter").generation, 2);
    assert_eq!(world.host.act(0), Ok(3));
    assert_eq!(world.load("counter").generation, 3);
    assert_eq!(world.host.act(0), Ok(4));
}

#[test]
fn a_newer_build_understands_state_of_an_older_version() {
    let mut world = World::with("counter");
    assert_eq!(world.host.act(0), Ok(1));
    world.load("newer_counter");
    assert_eq!(world.host.act(0), Ok(2));
    world.load("newer_counter");
    assert_eq!(world.host.act(0), Ok(3));
}

#[test]
fn a_generation_that_saves_nothing_hands_nothing_over() {
    let mut world = World::with("stop_panics");
    world.load("counter");
    assert_eq!(world.host.act(0), Ok(1));
}

/// The live fixture, which answers 1 and then 2; the fixture that comes; and the step and the reason why that is kept
/// out.
const KEPT_OUT: &[(&str, &str, Step, &str)] = &[
    (
        "counter",
        "init_refuses",
        Step::Init,
        "cannot initialise `IT`: no licence",
    ),
    (
        "counter",
        "init_panics",
        Step::Init,
        "cannot initialise `IT`: the plugin panicked: init went wrong",
    ),
    (
        "counter",
        "saves_for_nobody",
        Step::Init,
        "cannot initialise `IT`: its `Hooks` have `save` and no `STATE`, so nothing would ask for what it saves; add `const \
         STATE: Option<u32> = Some(1);`, or leave out `save`",
    ),
    (
        "save_panics",
        "pure",
        Step::Save,
        "cannot save the live state for `IT`: the plugin panicked: save went wrong",
    ),
    (
        "counter",
        "restore_panics",
        Step::Restore,
        "cannot restore the live state in `IT`: the plugin panicked: restore went wrong",
    ),
    (
        "newer_counter",
        "counter",
        Step::Restore,
        "cannot restore the live state in `IT`: state of version 2 is not for this build",
    ),
    (
        "counter",
        "pure",
        Step::Restore,
        "cannot restore the live state in `IT`: it has no hooks",
    ),
    (
        "counter",
        "stop_panics",
        Step::Restore,
        "cannot restore the live state in `IT`: it has no use for state of version 1",
    ),
];

#[test]
fn a_hook_that_fails_keeps_the_live_generation_and_its_state() {
    for &(live, new, step, why) in KEPT_OUT {
        let mut world = World::with(live);
        assert_eq!(world.host.act(1), Ok(1), "{live}");
        let kept = world.keep_out(new);
        assert_eq!(kept, (step, why.to_owned()), "{new} after {live}");
        assert_eq!(world.generation(), Some(1), "{new} after {live}");
        assert_eq!(world.host.act(2), Ok(2), "{new} after {live}");
        world.poll_now();
        if holds(Rule::RemovesMapped) {
            assert_eq!(world.scratch.staged_copies(), 1, "{new} after {live}");
        }
    }
}

#[test]
fn after_a_hook_that_failed_the_next_build_gets_the_state() {
    let mut world = World::with("counter");
    assert_eq!(world.host.act(0), Ok(1));
    world.keep_out("restore_panics");
    assert_eq!(world.load("counter").generation, 2);
    assert_eq!(world.host.act(0), Ok(2));
}

thread_local! {
    /// The handle that the bell looks at.
    static LIVE: RefCell<Option<Handle<Fixture>>> = const { RefCell::new(None) };
}

/// A function that plugins call: notes whose functions a call reaches now.
extern "C" fn bell() {
    LIVE.with_borrow(|live| {
        let live = live.as_ref().unwrap().live();
        let reached = live.act(0);
        let reached = reached.map_or("nobody".to_owned(), |number| number.to_string());
        note(&format!("calls reach {reached}"));
    });
}

#[test]
fn hooks_run_in_order_around_the_swap_on_the_thread_of_the_owner() {
    let diary = Diary::open();
    let mut world = World::with("diary_one");
    assert_eq!(diary.read(), ["1: init"]);
    LIVE.set(Some(world.host.handle()));
    assert_eq!(world.host.act(bell as *const () as u64), Ok(1));
    world.load("diary_two");
    assert_eq!(
        diary.read(),
        [
            "2: init",
            "1: save",
            "calls reach 1",
            "2: restore",
            "calls reach 1",
            "1: stop",
            "calls reach 2",
        ]
    );
    drop(world);
    assert_eq!(diary.read(), ["2: stop", "calls reach nobody"]);
}

#[test]
fn what_was_initialised_in_vain_stops_and_the_live_generation_does_not() {
    let diary = Diary::open();
    let mut world = World::with("diary_one");
    assert_eq!(world.host.act(INDIGESTIBLE), Ok(1));
    let (step, _) = world.keep_out("diary_two");
    assert_eq!(step, Step::Restore);
    assert_eq!(
        diary.read(),
        ["1: init", "2: init", "1: save", "2: restore", "2: stop"]
    );
}

#[test]
fn what_could_not_initialise_is_not_stopped() {
    let diary = Diary::open();
    let mut world = World::with("pure");
    let (step, _) = world.keep_out("init_refuses");
    assert_eq!(step, Step::Init);
    assert_eq!(diary.read(), [""; 0]);
}

#[test]
fn the_live_generation_stops_when_its_host_is_dropped() {
    let diary = Diary::open();
    let world = World::with("diary_one");
    drop(world);
    assert_eq!(diary.read(), ["1: init", "1: stop"]);
}

#[test]
fn a_generation_stops_when_the_last_caller_has_noticed_that_there_is_a_newer_one() {
    let diary = Diary::open();
    let mut world = World::with("diary_one");
    let mut caller = world.host.handle().caller();
    world.load("diary_two");
    assert_eq!(
        diary.read(),
        ["1: init", "2: init", "1: save", "2: restore"]
    );
    let early = world.host.poll();
    assert!(early.is_none(), "the caller may still call it: {early:?}");
    let _ = caller.live();
    assert!(matches!(world.host.poll(), Some(Outcome::Retired(_))));
    assert_eq!(diary.read(), ["1: stop"]);
}

#[test]
fn a_stop_that_panics_holds_nothing_up() {
    let mut world = World::with("stop_panics");
    let loaded = world.load("stop_panics");
    assert_eq!(loaded.retired.unwrap().generation, 1);
    assert_eq!(world.host.act(5), Ok(5));
    drop(world);
}

#[test]
fn a_generation_that_is_lent_stops_when_it_is_given_back() {
    let diary = Diary::open();
    let mut world = World::with("diary_one");
    let lent = world.host.handle().live();
    world.load("diary_two");
    let told = diary.read();
    assert!(!told.contains(&"1: stop".to_owned()), "{told:?}");
    drop(lent);
    assert!(matches!(world.host.poll(), Some(Outcome::Retired(_))));
    assert_eq!(diary.read(), ["1: stop"]);
}

#[test]
fn a_generation_that_is_still_lent_stops_with_its_host() {
    let diary = Diary::open();
    let mut world = World::with("diary_one");
    let before = world.host.handle().live();
    world.load("diary_two");
    let live = world.host.handle().live();
    diary.read();
    drop(world);
    let told = diary.read();
    for stop in ["1: stop", "2: stop"] {
        assert!(told.contains(&stop.to_owned()), "{told:?}");
    }
    drop((before, live));
}
