//! Waiting, with a deadline, so that a test fails instead of hanging.

use std::path::Path;
use std::process::{Child, ExitStatus};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use replug::Host;
use replug::watch::{Files as _, OsFiles, Writers};

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

/// Whether the process of this number has not ended.
#[cfg(target_os = "linux")]
pub fn is_there(process: impl std::fmt::Display) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"));
    // One that has ended, and that nobody has waited for yet, is there by its name only.
    stat.is_ok_and(|stat| !stat.contains(") Z "))
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

/// Waits until nobody has a file open for writing any more, where the system tells: a process that another test is starting
/// has for a moment all files open that the test has.
#[track_caller]
pub fn wait_until_closed(file: &Path) {
    let opened = OsFiles.open(file).unwrap();
    wait_until("end of the writing", || {
        OsFiles.writers(&opened) != Writers::Somebody
    });
}

/// Drops a host, and waits for the end of its worker, which is left behind if a disk is slow.
#[track_caller]
pub fn end<T>(host: Host<T>) {
    let watcher = host.watcher().expect("the host has a watcher");
    let counts = watcher.counts();
    drop(host);
    wait_until("end of the worker", || Arc::strong_count(&counts) == 1);
}

/// Waits for the end of what could wait for ever.
///
/// # Panics
///
/// If it has not ended after [`DEADLINE`], or has panicked.
#[track_caller]
pub fn in_time(what: &str, waits: impl FnOnce() + Send + 'static) {
    let (ends, ended) = mpsc::channel();
    let thread = thread::spawn(move || {
        waits();
        ends.send(()).unwrap();
    });
    match ended.recv_timeout(DEADLINE) {
        Err(RecvTimeoutError::Timeout) => panic!("no {what} in time"),
        _ => thread.join().unwrap(),
    }
}
