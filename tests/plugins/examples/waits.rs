//! A plugin that rings at the doorbell whose address it is given, and answers when it is let in.

use std::io::Read;
use std::net::TcpStream;

use fixtures::{Behave, Fixture, World};
use replug_plugin::Sink;

/// This fixture.
struct This;

impl Behave for This {
    fn add(one: u64, other: u64) -> u64 {
        one + other
    }

    fn greet(doorbell: &str, mut greeting: Sink<'_>) {
        let mut door = TcpStream::connect(doorbell).unwrap();
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
