//! The command beside the builds: the user's own host, in a process group of its own. It watches the libraries itself.

use std::ffi::OsString;
use std::io;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::child::{self, Running};

/// How long the command has to heed the request to end: less than the program itself has when it is told to stop.
const GRACE: Duration = Duration::from_millis(400);

/// The user's command while it runs.
pub(super) struct Beside {
    child: Running,
    /// Whether it was seen to be stopped.
    is_stopped: bool,
}

impl Beside {
    /// Starts the command. It has the program's own streams, but for an input from which keys are taken; and if it
    /// `is_aside`, what it says goes to stderr.
    pub(super) fn start(
        command: &[OsString],
        has_input: bool,
        is_aside: bool,
    ) -> io::Result<Beside> {
        let (program, arguments) = command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let mut command = Command::new(program);
        command.args(arguments);
        if !has_input {
            command.stdin(Stdio::null());
        }
        if is_aside {
            command.stdout(io::stderr());
        }
        let child = child::start(&mut command)?;
        Ok(Beside {
            child,
            is_stopped: false,
        })
    }

    /// The number of its process, which is that of its group.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether the system has stopped it since the last question: it wants something of the terminal, in whose background it is.
    pub(super) fn has_stopped(&mut self) -> bool {
        let is_stopped = child::is_stopped(&self.child);
        let was_stopped = std::mem::replace(&mut self.is_stopped, is_stopped);
        is_stopped && !was_stopped
    }

    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap_or_default()
    }

    /// Ends it, with all that it started.
    pub(super) fn end(self) {
        if let Err(error) = child::end_within(self.child, GRACE) {
            tracing::warn!("cannot end the command: {error}");
        }
    }
}
