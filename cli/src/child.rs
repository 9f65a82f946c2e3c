//! A child process together with all processes that it starts. Systems differ in how to end them.

use std::io;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

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

/// How often a child is looked at that is waited for.
const LOOKS: Duration = Duration::from_millis(10);

/// How long the processes of a child have to end when they are asked to.
#[cfg(unix)]
const HEED: Duration = Duration::from_millis(100);

/// Waits for the child's end, for so long at most.
pub(crate) fn wait_for(child: &mut Child, patience: Duration) -> io::Result<Option<ExitStatus>> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        // A wait for nothing but the time.
        let _ = crossbeam_channel::after(LOOKS).recv();
    }
}

/// Ends a child as [`end`] does, and kills it if it does not heed that soon.
pub(crate) fn end_now(mut child: Child) -> io::Result<()> {
    #[cfg(unix)]
    {
        use rustix::process::{Pid, Signal, kill_process_group};
        let group = Pid::from_child(&child);
        kill_process_group(group, Signal::TERM)?;
        if wait_for(&mut child, HEED)?.is_none() {
            kill_process_group(group, Signal::KILL)?;
        }
    }
    #[cfg(not(unix))]
    child.kill()?;
    child.wait().map(drop)
}
