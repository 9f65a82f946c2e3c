//! Starts a thread and forgets it.

use std::thread;

fixtures::fixture!(|number| {
    let name = format!("forgotten-{number}");
    let forgotten = thread::Builder::new().name(name);
    forgotten
        .spawn(|| {
            loop {
                thread::park();
            }
        })
        .unwrap();
    number
});
