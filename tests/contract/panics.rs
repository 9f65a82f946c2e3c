//! Panics of a plugin, which reach the host as values.

use std::thread;

use replug::CallError;
use vocabulary::World;

fn panicked(message: &str) -> CallError {
    CallError::Panicked(message.to_owned())
}

#[test]
fn a_panic_comes_back_with_its_message_and_the_generation_goes_on() {
    let world = World::with("panics");
    let error = world.host.act(0).unwrap_err();
    assert_eq!(error, panicked("0 is too little"));
    assert_eq!(error.to_string(), "the plugin panicked: 0 is too little");
    assert_eq!(world.host.act(1), Ok(1));
    assert_eq!(world.generation(), Some(1));
}

#[test]
fn a_panic_without_a_message_is_a_value_too_and_so_is_one_that_panics_again() {
    let world = World::with("odd_panics");
    for number in [0, 1] {
        let error = world.host.act(number).unwrap_err();
        assert_eq!(error, panicked("without a message"), "{number}");
    }
    assert_eq!(world.host.act(2), Ok(2));
}

#[test]
fn a_thousand_panics_leave_no_memory_behind() {
    let world = World::with("ledger");
    world.host.act(0).unwrap_err();
    let held = world.host.act(1).unwrap();
    for _ in 0..1000 {
        let error = world.host.act(0).unwrap_err();
        assert_eq!(error, panicked("0 is too little"));
    }
    assert_eq!(world.host.act(1), Ok(held));
}

#[test]
fn a_panic_on_another_thread_comes_back_there() {
    let world = World::with("panics");
    let handle = world.host.handle();
    let caller = thread::spawn(move || {
        let mut caller = handle.caller();
        [
            handle.live().act(0),
            caller.live().act(0),
            handle.live().act(1),
        ]
    });
    let answers = caller.join().unwrap();
    let too_little = Err(panicked("0 is too little"));
    assert_eq!(answers, [too_little.clone(), too_little, Ok(1)]);
    assert_eq!(world.host.act(2), Ok(2));
}

#[test]
fn what_panicked_hands_its_place_over_like_any_other() {
    let mut world = World::with("panics");
    world.host.act(0).unwrap_err();
    assert_eq!(world.load("panics").generation, 2);
    assert_eq!(world.host.act(1), Ok(1));
}
