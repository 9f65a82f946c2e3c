//! The helper's side of a trial: it reads what it is asked, takes its limits, says how far it has come, and ends with the
//! process that asked.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::process;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant};

use super::verdict::TrialPart;
use super::words::{Request, Word};

/// How often a helper looks whether the process that asked is still there. A plugin that spins does not stop this thread.
const LOOKS: Duration = Duration::from_millis(100);

/// The time until the first look, for which a trial waits.
const FIRST_LOOK: Duration = Duration::from_micros(100);

/// How long after its time a helper ends itself, if nobody has killed it by then.
const GRACE: Duration = Duration::from_secs(1);

/// A trial that this process was asked for.
pub(crate) struct Asked {
    pub(crate) request: Request,
    /// The host's ear, which nothing that a plugin starts inherits.
    words: File,
}

impl Asked {
    /// Reads the request from stdin, and takes stdin and stdout away from whatever is loaded.
    ///
    /// # Errors
    ///
    /// If there is no request, or the limits cannot be taken.
    pub(crate) fn begin() -> io::Result<Asked> {
        let mut bytes = Vec::new();
        io::stdin().read_to_end(&mut bytes)?;
        let request = Request::read(&bytes);
        let request = request.ok_or_else(|| io::Error::other("stdin is no request for a trial"))?;
        let words = system::take_streams()?;
        let (asker, time) = (request.asker, request.time);
        let (looks, looked) = mpsc::channel();
        thread::Builder::new()
            .name("replug-trial".to_owned())
            .spawn(move || end_with(asker, time + GRACE, looks))?;
        // A thread that waits for the first time registers thread-locals, for which it needs the lock of the loader; and that
        // is held by whoever loads, for as long as a constructor takes.
        let _ = looked.recv();
        system::limit(&request)?;
        let mut asked = Asked { request, words };
        asked.say(&Word::Begins(TrialPart::Start));
        Ok(asked)
    }

    /// Says how far the trial has come.
    pub(crate) fn say(&mut self, word: &Word) {
        let line = word.line(&self.request.nonce);
        // A host that does not listen any more kills this process next.
        let _ = self.words.write_all(line.as_bytes());
    }

    /// Says the last word, and waits for the host to kill this process: what runs at the end of a process would be the
    /// plugin's, and is none of the host's concern.
    pub(crate) fn end(mut self, word: &Word) -> ! {
        self.say(word);
        loop {
            thread::park();
        }
    }
}

/// Ends this process, and all that it started, once the process that asked is gone or the time is over. Says when it has waited
/// for the first time.
fn end_with(asker: u32, time: Duration, looks: Sender<()>) {
    let deadline = Instant::now() + time;
    // Nothing is ever sent: a wait for nothing but the time.
    let (_kept, never) = mpsc::channel::<()>();
    let (mut next, mut looks) = (FIRST_LOOK, Some(looks));
    while system::is_child_of(asker) && Instant::now() < deadline {
        let _ = never.recv_timeout(next);
        (next, looks) = (LOOKS, None);
    }
    drop(looks);
    system::end_all();
    process::abort();
}

#[cfg(unix)]
mod system {
    use std::fs::{File, OpenOptions};
    use std::io;
    use std::os::fd::AsFd as _;

    use rustix::process::{
        Resource, Rlimit, Signal, getpid, getppid, getrlimit, kill_process_group, setrlimit,
    };
    use rustix::stdio::{dup2_stdin, dup2_stdout};

    use super::Request;

    /// The largest core file, in bytes. To a program that collects cores Linux hands them whatever the limit is, unless it is
    /// just this.
    const CORE: u64 = if cfg!(target_os = "linux") { 1 } else { 0 };

    /// Takes the host's ear out of the reach of what is loaded: what a plugin prints are last words.
    pub(super) fn take_streams() -> io::Result<File> {
        let words = io::stdout().as_fd().try_clone_to_owned()?;
        dup2_stdout(io::stderr().as_fd())?;
        let null = OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/null")?;
        dup2_stdin(null.as_fd())?;
        Ok(words.into())
    }

    pub(super) fn limit(request: &Request) -> io::Result<()> {
        limit_to(Resource::Core, CORE)?;
        limit_to(Resource::Nofile, request.descriptors)?;
        limit_to(Resource::As, request.memory)
    }

    /// Lowers a limit for good; one that is lower already stays.
    fn limit_to(resource: Resource, wanted: u64) -> io::Result<()> {
        if wanted == u64::MAX {
            return Ok(());
        }
        let present = getrlimit(resource);
        let lowered = |limit: Option<u64>| Some(limit.map_or(wanted, |limit| limit.min(wanted)));
        let limit = Rlimit {
            current: lowered(present.current),
            maximum: lowered(present.maximum),
        };
        Ok(setrlimit(resource, limit)?)
    }

    pub(super) fn is_child_of(asker: u32) -> bool {
        getppid().is_some_and(|parent| u32::try_from(parent.as_raw_nonzero().get()) == Ok(asker))
    }

    pub(super) fn end_all() {
        // One that was started by hand is the head of no group.
        let _ = kill_process_group(getpid(), Signal::KILL);
    }
}

#[cfg(not(unix))]
mod system {
    use std::fs::File;
    use std::io;
    use std::os::windows::io::AsHandle as _;

    use super::Request;

    /// A duplicate: what a plugin prints comes to the host's ear as well, where it is no word.
    pub(super) fn take_streams() -> io::Result<File> {
        Ok(io::stdout().as_handle().try_clone_to_owned()?.into())
    }

    /// There are no such limits.
    pub(super) fn limit(_request: &Request) -> io::Result<()> {
        Ok(())
    }

    /// Nobody tells; the time alone ends a helper whose host is gone.
    pub(super) fn is_child_of(_asker: u32) -> bool {
        true
    }

    pub(super) fn end_all() {}
}
