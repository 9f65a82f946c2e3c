//! A child process together with all processes that it starts. Systems differ in how to end them.

use std::io;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

#[cfg(unix)]
use rustix::process::{Pid, Signal, kill_process_group};

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

/// Whether the system has stopped the child, and nobody has let it go on.
pub(crate) fn is_stopped(child: &Child) -> bool {
    #[cfg(unix)]
    {
        use rustix::process::{WaitId, WaitIdOptions, waitid};
        // The state is left there, for whoever waits for the end.
        let asked = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let state = waitid(WaitId::Pid(Pid::from_child(child)), asked);
        state.is_ok_and(|state| state.is_some_and(|it| it.stopped()))
    }
    #[cfg(not(unix))]
    {
        let _ = child;
        false
    }
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
pub(crate) fn end_within(mut child: Child, patience: Duration) -> io::Result<()> {
    #[cfg(unix)]
    {
        // A group of which no process is left needs no signal.
        let _ = kill_process_group(Pid::from_child(&child), Signal::TERM);
        // Waited for only when all that it started is killed: its number is another's after that.
        let deadline = Instant::now() + patience;
        while !has_ended(&child) && Instant::now() < deadline {
            // A wait for nothing but the time.
            let _ = crossbeam_channel::after(LOOKS).recv();
        }
        kill(child.id());
    }
    #[cfg(not(unix))]
    if wait_for(&mut child, patience)?.is_none() {
        child.kill()?;
    }
    child.wait().map(drop)
}

/// Whether a child has ended, which leaves its number its own.
#[cfg(unix)]
fn has_ended(child: &Child) -> bool {
    use rustix::process::{WaitId, WaitIdOptions, waitid};
    let only_look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    // Who cannot be asked about is waited for as long as may be.
    matches!(
        waitid(WaitId::Pid(Pid::from_child(child)), only_look),
        Ok(Some(_))
    )
}

/// Kills what is left of a group, where there are groups. Its head must not have been waited for.
pub(crate) fn kill(group: u32) {
    #[cfg(unix)]
    if let Some(group) = i32::try_from(group).ok().and_then(Pid::from_raw) {
        // They may have ended by themselves.
        let _ = kill_process_group(group, Signal::KILL);
    }
    #[cfg(not(unix))]
    let _ = group;
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
