//! Calls through a declared table.

use replug::{CallError, Sink};
use vocabulary::World;

#[test]
fn a_declared_function_is_called_like_a_method() {
    let world = World::with("pure");
    assert_eq!(world.host.add(2, 3), Ok(5));
    assert_eq!(world.host.act(1), Ok(2));
    let mut greeting = Vec::new();
    world.host.greet("world", Sink::new(&mut greeting)).unwrap();
    assert_eq!(greeting, b"hello, world");
}

#[test]
fn a_call_before_the_first_generation_says_so() {
    let world = World::new();
    assert_eq!(world.host.add(2, 3), Err(CallError::Absent));
}

#[test]
fn state_of_the_host_survives_a_reload_by_itself() {
    let mut world = World::with("pure");
    let mut state = fixtures::World::default();
    world.host.step(&mut state, 0.5).unwrap();
    assert_eq!(world.load("pure").generation, 2);
    world.host.step(&mut state, 0.25).unwrap();
    assert_eq!((state.frames, state.seconds), (2, 0.75));
}
