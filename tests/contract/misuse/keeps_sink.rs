//! A plugin that keeps a sink for later.

use std::sync::Mutex;

use replug::Sink;

replug::interface! {
    /// Greets.
    interface Greeter, plugin trait Greet, version 1 {
        /// Writes a greeting.
        fn greet(greeting: Sink<'_>);
    }
}

struct Plugin;

thread_local! {
    static KEPT: Mutex<Option<Sink<'static>>> = const { Mutex::new(None) };
}

impl Greet for Plugin {
    fn greet(greeting: Sink<'_>) {
        KEPT.with(|kept| *kept.lock().unwrap() = Some(greeting));
    }
}

fn main() {}
