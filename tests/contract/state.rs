//! The state of its own that a plugin keeps in one line: what goes over to the next generation, and what keeps that out.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use fixtures::diary::Diary;
use replug::error::Step;
use vocabulary::{World, wait_until};

#[test]
fn a_state_goes_on_in_the_next_generation_and_in_one_with_a_new_field_that_has_a_default() {
    let mut world = World::with("keeps");
    assert_eq!(world.host.act(0), Ok(1));
    assert_eq!(world.load("keeps").generation, 2);
    assert_eq!(world.host.act(0), Ok(2));
    assert_eq!(world.load("keeps_more").generation, 3);
    assert_eq!(world.host.act(5), Ok(305));
    // A field that is not known any more is forgotten.
    world.load("keeps");
    assert_eq!(world.host.act(0), Ok(4));
}

#[test]
fn a_state_begins_with_its_default() {
    let mut world = World::with("pure");
    world.load("keeps");
    assert_eq!(world.host.act(0), Ok(1));
}

#[test]
fn a_migration_makes_a_newer_state_of_an_older_one() {
    let mut world = World::with("keeps");
    assert_eq!(world.host.act(0), Ok(1));
    world.load("keeps_newer");
    assert_eq!(world.host.act(7), Ok(8));
    world.load("keeps_newer");
    assert_eq!(world.host.act(2), Ok(10));
}

/// The live fixture, the fixture that comes, and the reason why that is kept out.
const KEPT_OUT: &[(&str, &str, &str)] = &[
    (
        "keeps",
        "keeps_undefaulted",
        "what was saved is no `keeps_undefaulted::Book`: missing field `added` at line 1 column 11; a new field needs a default, \
        as by `#[serde(default)]`, and any other change a new `version` and a `migrate` function",
    ),
    (
        "keeps_newer",
        "keeps",
        "its `keeps::Book` is of version 1, the saved state of version 2, and there is no `migrate` function",
    ),
    (
        "newer_counter",
        "keeps",
        "its `keeps::Book` is of version 1, the saved state of version 2, and there is no `migrate` function",
    ),
    (
        "counter",
        "keeps_newer",
        "a state of version 1 could not be made a `keeps_newer::Book` of version 2: expected value at line 1 column 1",
    ),
];

#[test]
fn a_state_that_does_not_fit_keeps_the_live_generation_and_its_state() {
    for &(live, new, why) in KEPT_OUT {
        let mut world = World::with(live);
        assert_eq!(world.host.act(1), Ok(1), "{live}");
        let kept = world.keep_out(new);
        let why = format!("cannot restore the live state in `IT`: {why}");
        assert_eq!(kept, (Step::Restore, why), "{new} after {live}");
        world.load(live);
        assert_eq!(world.host.act(1), Ok(2), "{new} after {live}");
    }
}

#[test]
fn hooks_of_ones_own_run_beside_a_state() {
    let diary = Diary::open();
    let mut world = World::with("keeps_more");
    assert_eq!(diary.read(), ["init"]);
    world.load("keeps_more");
    assert_eq!(diary.read(), ["init", "stop"]);
}

#[test]
fn a_thread_that_has_the_state_and_asks_again_panics_and_the_state_goes_on() {
    let world = World::with("keeps_newer");
    assert_eq!(world.host.act(3), Ok(3));
    let error = world.host.act(0).unwrap_err().to_string();
    assert!(
        error.contains("this thread has the plugin's state already"),
        "{error}"
    );
    assert_eq!(world.host.act(4), Ok(7));
}

#[test]
fn a_state_is_dropped_when_the_plugin_is_stopped_and_nobody_who_asks_for_it_then_gets_another() {
    let diary = Diary::open();
    let mut world = World::with("keeps_worker");
    assert_eq!(world.host.act(0), Ok(1));
    // What is in the state waits for a thread that asks for the state.
    world.load("keeps_worker");
    assert_eq!(diary.read(), ["the state is gone"]);
    assert_eq!(world.host.act(0), Ok(2));
    drop(world);
    assert_eq!(diary.read(), ["the state is gone"]);
}

#[test]
fn a_state_is_dropped_if_stop_panics() {
    let diary = Diary::open();
    let mut world = World::with("keeps_worker");
    assert_eq!(world.host.act(0), Ok(1));
    assert_eq!(world.host.act(1), Ok(0));
    let retired = world.load("keeps_worker").retired.unwrap();
    let why = retired.stop.unwrap().to_string();
    assert_eq!(why, "the plugin panicked: stop went wrong");
    assert_eq!(diary.read(), ["the state is gone"]);
}

#[test]
fn a_host_that_is_dropped_does_not_wait_for_a_call_that_has_the_state() {
    static RELEASE: Mutex<Option<Receiver<()>>> = Mutex::new(None);
    extern "C" fn wait() -> u64 {
        let release = RELEASE.lock().unwrap().take().unwrap();
        u64::from(release.recv().is_ok())
    }
    let (sender, receiver): (Sender<()>, _) = channel();
    *RELEASE.lock().unwrap() = Some(receiver);
    let world = World::with("keeps_worker");
    let handle = world.host.handle();
    let bell = (wait as *const ()).expose_provenance() as u64;
    let calls = thread::spawn(move || handle.live().act(bell));
    wait_until("the call to have the state", || world.host.act(2) == Ok(1));
    drop(world);
    // Only now may the call end.
    sender.send(()).unwrap();
    assert_eq!(calls.join().unwrap(), Ok(1));
}
