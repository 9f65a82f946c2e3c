//! A plugin that rings at the doorbell whose path it is given, and answers when it is let in.

use std::io::Read;
use std::os::unix::net::UnixStream;

use fixtures::{Behave, Fixture, World};
use replug_plugin::Sink;

/// This fixture.
struct This;

impl Behave for This {
    fn add(one: u64, other: u64) -> u64 {
        one + other
    }

    fn greet(doorbell: &str, mut greeting: Sink<'_>) {
        let mut door = UnixStream::connect(doorbell).unwrap();
        // The door opens when the other side hangs up.
        let _ = door.read(&mut [0]);
        greeting.write(b"at last");
    }

    fn step(_: &mut World, _: f64) {}

    fn act(number: u64) -> u64 {
        number
    }
}

replug_plugin::export!(This: Fixture);
