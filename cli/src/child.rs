//! A child process together with all processes that it starts. Systems differ in how to end them.

use std::io;
use std::ops::{Deref, DerefMut};
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A child, at the head of a group of its own. A signal from the terminal does not reach the group; whoever started it has
/// to pass the signal on with [`end`].
#[derive(Debug)]
pub(crate) struct Running(Child);

/// Starts a child as the head of a group.
pub(crate) fn start(command: &mut Command) -> io::Result<Running> {
    system::as_group(command);
    let running = Running(command.spawn()?);
    system::take(&running);
    Ok(running)
}

impl Deref for Running {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.0
    }
}

impl DerefMut for Running {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

#[cfg(windows)]
impl Drop for Running {
    fn drop(&mut self) {
        system::forget(self.0.id());
    }
}

/// Ends a child and all processes that it started, and waits for the child's end. Processes that do not heed the request
/// to end are killed when the child has ended.
pub(crate) fn end(mut child: Running) -> io::Result<()> {
    system::end(&mut child)
}

/// Whether the system has stopped the child, and nobody has let it go on.
pub(crate) fn is_stopped(child: &Running) -> bool {
    system::is_stopped(child)
}

/// How often a child is looked at that is waited for.
const LOOKS: Duration = Duration::from_millis(10);

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

/// Ends a child as [`end`] does, and kills it if it does not heed that within `patience`.
pub(crate) fn end_within(mut child: Running, patience: Duration) -> io::Result<()> {
    system::ask_to_end(&child);
    // Waited for only when all that it started is killed: its number is another's after that.
    let deadline = Instant::now() + patience;
    while !system::has_ended(&mut child) && Instant::now() < deadline {
        // A wait for nothing but the time.
        let _ = crossbeam_channel::after(LOOKS).recv();
    }
    kill(child.id());
    child.wait().map(drop)
}

/// Kills what is left of a group. Its head must not have been waited for.
pub(crate) fn kill(group: u32) {
    system::kill(group);
}

#[cfg(unix)]
mod system {
    use std::io;
    use std::os::unix::process::CommandExt as _;
    use std::process::Command;

    use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

    use super::Running;

    pub(super) fn as_group(command: &mut Command) {
        command.process_group(0);
    }

    /// Does nothing: a group is known by the number of its head.
    pub(super) fn take(_child: &Running) {}

    pub(super) fn end(child: &mut Running) -> io::Result<()> {
        let group = Pid::from_child(child);
        kill_process_group(group, Signal::TERM)?;
        child.wait()?;
        match kill_process_group(group, Signal::KILL) {
            // No process is left, as it should be.
            Err(rustix::io::Errno::SRCH) => Ok(()),
            killed => Ok(killed?),
        }
    }

    pub(super) fn ask_to_end(child: &Running) {
        // A group of which no process is left needs no signal.
        let _ = kill_process_group(Pid::from_child(child), Signal::TERM);
    }

    /// Whether a child has ended, which leaves its number its own.
    pub(super) fn has_ended(child: &mut Running) -> bool {
        let only_look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        // Who cannot be asked about is waited for as long as may be.
        matches!(
            waitid(WaitId::Pid(Pid::from_child(child)), only_look),
            Ok(Some(_))
        )
    }

    pub(super) fn is_stopped(child: &Running) -> bool {
        // The state is left there, for whoever waits for the end.
        let only_look = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let state = waitid(WaitId::Pid(Pid::from_child(child)), only_look);
        state.is_ok_and(|state| state.is_some_and(|it| it.stopped()))
    }

    pub(super) fn kill(group: u32) {
        if let Some(group) = i32::try_from(group).ok().and_then(Pid::from_raw) {
            // They may have ended by themselves.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

#[cfg(windows)]
mod system {
    use std::collections::HashMap;
    use std::io;
    use std::os::windows::process::CommandExt as _;
    use std::process::Command;
    use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

    use windows_sys::Win32::System::Threading::CREATE_NEW_PROCESS_GROUP;

    use super::Running;
    use crate::windows::{self, Job};

    /// The jobs of the children that run, by the numbers of their processes.
    static JOBS: LazyLock<Mutex<HashMap<u32, Job>>> = LazyLock::new(Mutex::default);

    fn jobs() -> MutexGuard<'static, HashMap<u32, Job>> {
        JOBS.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn as_group(command: &mut Command) {
        command.creation_flags(CREATE_NEW_PROCESS_GROUP);
    }

    /// Puts a child that was just started into a job.
    pub(super) fn take(child: &Running) {
        match Job::of(child) {
            Ok(job) => drop(jobs().insert(child.id(), job)),
            Err(error) => tracing::debug!(%error, "what a child starts cannot be ended with it"),
        }
    }

    /// Lets go of the job of a child, whose number may be another's next.
    pub(super) fn forget(child: u32) {
        jobs().remove(&child);
    }

    pub(super) fn end(child: &mut Running) -> io::Result<()> {
        kill(child.id());
        // One that is in no job.
        child.kill()?;
        child.wait().map(drop)
    }

    pub(super) fn ask_to_end(child: &Running) {
        // Without a console there is nobody to ask.
        if let Err(error) = windows::ask_to_end(child.id()) {
            tracing::debug!(%error, "a child cannot be asked to end");
        }
    }

    pub(super) fn has_ended(child: &mut Running) -> bool {
        matches!(child.try_wait(), Ok(Some(_)))
    }

    /// No terminal stops anybody here.
    pub(super) fn is_stopped(_child: &Running) -> bool {
        false
    }

    pub(super) fn kill(group: u32) {
        let ended = jobs().get(&group).map_or(Ok(()), Job::end);
        if let Err(error) = ended {
            tracing::debug!(%error, "a child cannot be ended");
        }
    }
}

/// The processes of a child that runs, if one does, for another thread to end them while the child's own is stuck.
#[derive(Debug, Clone, Default)]
pub(crate) struct Group(Arc<Mutex<Option<u32>>>);

impl Group {
    fn lock(&self) -> MutexGuard<'_, Option<u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes down that this child runs, the head of a group.
    pub(crate) fn is(&self, child: &Child) {
        *self.lock() = Some(child.id());
    }

    /// Takes down that no child runs of which another thread need know.
    pub(crate) fn clear(&self) {
        *self.lock() = None;
    }

    /// Sees whether the child has ended. Its number is another's after that, so nobody may use it meanwhile.
    pub(crate) fn look(&self, child: &mut Child) -> io::Result<Option<ExitStatus>> {
        let mut number = self.lock();
        let ended = child.try_wait();
        if !matches!(ended, Ok(None)) {
            *number = None;
        }
        ended
    }

    /// Kills the processes.
    pub(crate) fn kill(&self) {
        self.lock().iter().for_each(|group| kill(*group));
    }
}

#[cfg(all(test, windows))]
mod tests {
    use std::env;
    use std::fs;
    use std::path::Path;

    use super::*;

    /// The name of the variable that makes this program a compiler, which writes to this file for as long as it lives.
    const HEART: &str = "REPLUG_TEST_HEART";

    const LONG: Duration = Duration::from_secs(30);

    fn pause(pause: Duration) {
        let _ = crossbeam_channel::after(pause).recv();
    }

    /// No test of its own: the compiler of the next one.
    #[test]
    fn heart() {
        let Some(file) = env::var_os(HEART) else {
            return;
        };
        let deadline = Instant::now() + LONG;
        let mut beats = 0_u32;
        while Instant::now() < deadline {
            beats += 1;
            fs::write(&file, beats.to_string()).unwrap();
            pause(LOOKS);
        }
    }

    fn beats(file: &Path) -> Option<u32> {
        fs::read_to_string(file).ok()?.parse().ok()
    }

    #[test]
    fn a_child_that_is_ended_ends_with_all_that_it_started() {
        type End = fn(Running) -> io::Result<()>;
        let within: End = |child| end_within(child, Duration::from_millis(50));
        for end in [end as End, within] {
            let scratch = tempfile::tempdir().unwrap();
            let heart = scratch.path().join("heart");
            // A cargo that starts a compiler, and waits for it.
            let cargo = scratch.path().join("cargo.bat");
            let compiler = env::current_exe().unwrap();
            let line = format!("@\"{}\" child::tests::heart\r\n", compiler.display());
            fs::write(&cargo, line).unwrap();
            let running = start(Command::new(&cargo).env(HEART, &heart)).unwrap();
            let deadline = Instant::now() + LONG;
            while beats(&heart).is_none() {
                assert!(Instant::now() < deadline, "the compiler runs");
                pause(LOOKS);
            }
            end(running).unwrap();
            let last = fs::read(&heart).unwrap();
            pause(LOOKS * 30);
            assert_eq!(fs::read(&heart).unwrap(), last, "the compiler has ended");
        }
    }
}
