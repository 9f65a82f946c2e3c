//! The calls of Windows for which std has no words: a job, which is a process with all that it starts, and the end of a
//! console.

#![allow(unsafe_code)]

use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::process::Child;
use std::sync::OnceLock;
use std::thread;

use windows_sys::Win32::System::Console::{
    CTRL_BREAK_EVENT, CTRL_CLOSE_EVENT, CTRL_LOGOFF_EVENT, CTRL_SHUTDOWN_EVENT,
    GenerateConsoleCtrlEvent, SetConsoleCtrlHandler,
};
use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, TerminateJobObject,
};

/// A process with all that it starts.
#[derive(Debug)]
pub(crate) struct Job(OwnedHandle);

impl Job {
    /// The job of a child that was just started. What the child had started before it came into the job is not in it: that
    /// takes less time than a program needs to begin.
    pub(crate) fn of(child: &Child) -> io::Result<Job> {
        // SAFETY: a job without a name and with the usual rights takes no pointers.
        let made = unsafe { CreateJobObjectW(std::ptr::null(), std::ptr::null()) };
        if made.is_null() {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the handle was just made, and nobody else has it.
        let job = Job(unsafe { OwnedHandle::from_raw_handle(made) });
        // SAFETY: both handles are open.
        let done = unsafe { AssignProcessToJobObject(made, child.as_raw_handle()) };
        succeeded(done).map(|()| job)
    }

    /// Ends all processes of the job.
    pub(crate) fn end(&self) -> io::Result<()> {
        /// The status of whoever is ended, as of one that Ctrl-C ends.
        const ENDED: u32 = 1;
        // SAFETY: the handle is open.
        succeeded(unsafe { TerminateJobObject(self.0.as_raw_handle(), ENDED) })
    }
}

/// Asks the processes of a group on this console to end.
pub(crate) fn ask_to_end(group: u32) -> io::Result<()> {
    // SAFETY: the call takes two numbers.
    succeeded(unsafe { GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, group) })
}

type End = Box<dyn Fn() + Send + Sync>;

/// The end of the program, for when its console is closed.
static END: OnceLock<End> = OnceLock::new();

/// Ends the program in this way when its console is closed, or its user logs off. Windows gives it some seconds for that,
/// and ends it as soon as the answer is that all is done; `ctrlc` gives that answer at once. Whoever is asked last is
/// asked first, so this is to be called after `ctrlc` was set up.
pub(crate) fn when_console_closes(end: impl Fn() + Send + Sync + 'static) -> io::Result<()> {
    // A second end is the same end.
    let _ = END.set(Box::new(end));
    // SAFETY: the function is there for as long as the program is.
    succeeded(unsafe { SetConsoleCtrlHandler(Some(closes), 1) })
}

extern "system" fn closes(event: u32) -> i32 {
    let is_end = [CTRL_CLOSE_EVENT, CTRL_LOGOFF_EVENT, CTRL_SHUTDOWN_EVENT].contains(&event);
    match END.get() {
        Some(end) if is_end => {
            end();
            // The program ends by itself now. An answer would end it before.
            loop {
                thread::park();
            }
        }
        _ => 0,
    }
}

/// The error of the last call, if that said that it failed.
fn succeeded(done: i32) -> io::Result<()> {
    match done {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_console_that_is_closed_is_answered_only_by_the_end_of_the_program() {
        let (say, said) = crossbeam_channel::unbounded();
        when_console_closes(move || say.send(()).unwrap()).unwrap();
        assert_eq!(closes(CTRL_BREAK_EVENT), 0, "that is for others to answer");
        assert!(said.is_empty());
        let answer = thread::spawn(|| closes(CTRL_CLOSE_EVENT));
        said.recv_timeout(Duration::from_secs(10)).unwrap();
        assert!(!answer.is_finished());
    }
}
