//! A plugin that waits for another thread at a channel.

use std::sync::mpsc;
use std::thread;

fixtures::fixture!(|number| {
    let (sender, receiver) = mpsc::channel();
    let other = thread::spawn(move || sender.send(number));
    let received = receiver.recv().unwrap();
    other.join().unwrap().unwrap();
    received
});
