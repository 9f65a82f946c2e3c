//! A plugin that keeps text that it was lent.

use std::sync::Mutex;

replug::interface! {
    /// Greets.
    interface Greeter, plugin trait Greet, version 1 {
        /// Greets by name.
        fn greet(name: &str);
    }
}

struct Plugin;

static KEPT: Mutex<&str> = Mutex::new("");

impl Greet for Plugin {
    fn greet(name: &str) {
        *KEPT.lock().unwrap() = name;
    }
}

fn main() {}
