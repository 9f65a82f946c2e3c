//! A plugin that does everything that makes a copy of std leave something behind.

use std::cell::RefCell;
use std::sync::mpsc;
use std::thread;

thread_local! {
    static SEEN: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

fixtures::fixture!(|number| {
    let this = thread::current();
    println!("{:?} is given {number}", this.name());
    SEEN.with_borrow_mut(|seen| seen.push(number));
    let (sender, receiver) = mpsc::channel();
    let other = thread::spawn(move || {
        SEEN.with_borrow_mut(|seen| seen.push(number));
        sender.send(number)
    });
    let received = receiver.recv().unwrap();
    other.join().unwrap().unwrap();
    received
});
