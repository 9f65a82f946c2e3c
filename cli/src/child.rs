//! A child process together with all processes that it starts. Systems differ in how to end them.

use std::io;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

/// How long a child has to heed the request to end, if it is not waited for without bound: less than the program itself
/// has when it is told to stop.
const GRACE: Duration = Duration::from_millis(400);

/// How often to look whether a child has ended within its grace.
const GRACE_CHECK: Duration = Duration::from_millis(5);

/// Makes the process that `command` starts the head of a group of its own. A signal from the terminal does not reach
/// the group then; whoever started it has to pass the signal on with [`end`].
pub(crate) fn as_group(command: &mut Command) -> &mut Command {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    command
}

/// Ends a child and, where there are groups, all processes that it started, and waits for the child's end. Processes
/// that do not heed the request to end are killed when the child has ended.
pub(crate) fn end(mut child: Child) -> io::Result<()> {
    #[cfg(unix)]
    {
        use rustix::process::{Pid, Signal, kill_process_group};
        let group = Pid::from_child(&child);
        kill_process_group(group, Signal::TERM)?;
        child.wait()?;
        match kill_process_group(group, Signal::KILL) {
            // No process is left, as it should be.
            Err(rustix::io::Errno::SRCH) => Ok(()),
            killed => Ok(killed?),
        }
    }
    #[cfg(not(unix))]
    {
        child.kill()?;
        child.wait().map(drop)
    }
}

/// Ends a child as [`end`] does, and kills it if it does not heed the request soon.
pub(crate) fn end_soon(mut child: Child) -> io::Result<()> {
    request_end(child.id());
    let deadline = Instant::now() + GRACE;
    while child.try_wait()?.is_none() {
        if Instant::now() >= deadline {
            child.kill()?;
            break;
        }
        thread::park_timeout(GRACE_CHECK);
    }
    kill(child.id());
    child.wait().map(drop)
}

/// Asks a group to end, where there are groups. Its head must not have been waited for.
fn request_end(group: u32) {
    #[cfg(unix)]
    send(group, rustix::process::Signal::TERM);
    #[cfg(not(unix))]
    let _ = group;
}

/// Kills what is left of a group, where there are groups, for a program that ends at once.
pub(crate) fn kill(group: u32) {
    #[cfg(unix)]
    send(group, rustix::process::Signal::KILL);
    #[cfg(not(unix))]
    let _ = group;
}

#[cfg(unix)]
fn send(group: u32, signal: rustix::process::Signal) {
    let group = i32::try_from(group).ok();
    if let Some(group) = group.and_then(rustix::process::Pid::from_raw) {
        // A group of which no process is left needs no signal.
        let _ = rustix::process::kill_process_group(group, signal);
    }
}
