//! A plugin that starts a thread and forgets it.

use std::sync::mpsc;
use std::thread;

fixtures::fixture!(|number| {
    let (running, is_running) = mpsc::channel();
    let forgotten = thread::Builder::new().name(format!("forgotten-{number}"));
    let forget = move || {
        running.send(()).unwrap();
        loop {
            thread::park();
        }
    };
    forgotten.spawn(forget).unwrap();
    is_running.recv().unwrap();
    number
});
