//! A child process together with all that it starts, where systems differ in how to end them.

use std::io;
use std::process::{Child, Command};

/// Makes what `command` starts the head of a group of its own. A signal from the terminal does not reach it then;
/// whoever started it has to pass it on with [`end`].
pub(crate) fn as_group(command: &mut Command) -> &mut Command {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    command
}

/// Ends a child and, where there are groups, all that it started, and waits for the child's end.
pub(crate) fn end(mut child: Child) -> io::Result<()> {
    #[cfg(unix)]
    rustix::process::kill_process_group(
        rustix::process::Pid::from_child(&child),
        rustix::process::Signal::TERM,
    )?;
    #[cfg(not(unix))]
    child.kill()?;
    child.wait().map(drop)
}
