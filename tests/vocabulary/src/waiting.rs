//! Waiting, with a deadline, so that a test fails instead of hanging.

use std::process::{Child, ExitStatus};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How long a test waits for an event that must come. Far longer than it takes, so that a busy machine fails no test.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Lets time pass without watching anything: for writers that take their time.
pub fn pause(duration: Duration) {
    let (_sender, receiver) = mpsc::channel::<()>();
    let _ = receiver.recv_timeout(duration);
}

/// Waits until `holds`, and fails after [`DEADLINE`]: there was no `what` in time.
#[track_caller]
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !holds() {
        assert!(Instant::now() < deadline, "no {what} in time");
        pause(Duration::from_millis(5));
    }
}

/// Waits for the end of a process.
#[track_caller]
pub fn wait_for_exit(child: &mut Child) -> ExitStatus {
    let mut status = None;
    wait_until("end of the process", || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    status.unwrap()
}
