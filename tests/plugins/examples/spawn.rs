//! A plugin that starts a thread and waits for it.

use std::thread;

fixtures::fixture!(|number| thread::spawn(move || number + 1).join().unwrap());
