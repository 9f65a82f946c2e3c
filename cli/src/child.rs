//! A child process together with all processes that it starts. Systems differ in how to end them.

use std::io;
use std::process::{Child, Command};

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
