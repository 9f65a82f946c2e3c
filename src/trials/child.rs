//! A helper as a process: this program, started once more, with what it is given and nothing else; and its end.

use std::env;
use std::fs::File;
use std::io;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};

use super::Trial;
use super::part;

/// Starts this program once more.
pub(super) fn start(trial: &Trial, request: File) -> io::Result<Helper> {
    let mut command = Command::new(system::this_program()?);
    system::set_apart(&mut command);
    command
        .args(&trial.arguments)
        .env_clear()
        .env(part::VARIABLE, trial.kind)
        .stdin(Stdio::from(request))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let kept = system::NEEDED_VARIABLES.iter().map(Into::into);
    for name in kept.chain(trial.environment.iter().cloned()) {
        if let Some(value) = env::var_os(&name) {
            command.env(name, value);
        }
    }
    command.spawn().map(Helper)
}

/// The signal of which a process died.
#[cfg(unix)]
pub(super) fn signal(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[cfg(not(unix))]
pub(super) fn signal(_status: ExitStatus) -> Option<i32> {
    None
}

/// A helper that was started. Dropping it kills it, with all that is in its group, and waits for its end.
#[derive(Debug)]
pub(super) struct Helper(Child);

impl Helper {
    /// The ends of its stdout and its stderr; the first time only.
    pub(super) fn streams(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (self.0.stdout.take(), self.0.stderr.take())
    }

    /// Whether it has ended by itself.
    pub(super) fn has_ended(&mut self) -> bool {
        system::has_ended(&mut self.0)
    }

    /// Ends the helper and all that it has started.
    pub(super) fn end(&mut self) -> io::Result<ExitStatus> {
        // Waited for last: its number is another's after that.
        system::kill_group(&self.0);
        // It may have ended by itself.
        let _ = self.0.kill();
        self.0.wait()
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            tracing::debug!(%error, "a helper that tried a build cannot be waited for");
        }
    }
}

#[cfg(unix)]
mod system {
    use std::env;
    use std::io;
    use std::os::unix::process::CommandExt as _;
    use std::path::PathBuf;
    use std::process::{Child, Command};

    use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

    pub(super) const NEEDED_VARIABLES: [&str; 0] = [];

    /// The path of this very program. On Linux that is not its name, under which there may be a newer build by now.
    pub(super) fn this_program() -> io::Result<PathBuf> {
        match cfg!(target_os = "linux") {
            true => Ok("/proc/self/exe".into()),
            false => env::current_exe(),
        }
    }

    /// A group of its own: what a terminal sends to the host's is not meant for it, and it is ended with all that it starts.
    pub(super) fn set_apart(command: &mut Command) {
        command.process_group(0);
        if let Some(name) = env::args_os().next() {
            command.arg0(name);
        }
    }

    /// Whether a child has ended, which leaves its number its own.
    pub(super) fn has_ended(child: &mut Child) -> bool {
        let only_look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let looked = waitid(WaitId::Pid(Pid::from_child(child)), only_look);
        matches!(looked, Ok(Some(_)))
    }

    pub(super) fn kill_group(child: &Child) {
        // A group of which no process is left needs no signal.
        let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
    }
}

#[cfg(not(unix))]
mod system {
    use std::env;
    use std::io;
    use std::path::PathBuf;
    use std::process::{Child, Command};

    /// Without it Windows starts little.
    pub(super) const NEEDED_VARIABLES: [&str; 1] = ["SystemRoot"];

    pub(super) fn this_program() -> io::Result<PathBuf> {
        env::current_exe()
    }

    pub(super) fn set_apart(_command: &mut Command) {}

    pub(super) fn has_ended(child: &mut Child) -> bool {
        matches!(child.try_wait(), Ok(Some(_)))
    }

    /// What a helper has started goes on.
    pub(super) fn kill_group(_child: &Child) {}
}
