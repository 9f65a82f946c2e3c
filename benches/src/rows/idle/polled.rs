//! The tools that poll, told to do it by hand, so that no wait is counted.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use replug::Options;
use replug::watch::{News, Poller};
use rustix::fs::{Mode, OFlags};

use crate::count::{self, Thread};
use crate::look::{look, look_from};
use crate::tools::notify;

/// A tool that polls when it is told to.
pub struct Idle {
    way: Box<dyn Polls>,
    /// The thread that does it.
    pub thread: Thread,
}

/// Polls so many times.
pub trait Polls {
    fn poll(&mut self, times: usize);
}

impl Polls for Idle {
    fn poll(&mut self, times: usize) {
        self.way.poll(times);
    }
}

impl Idle {
    /// How many instructions so many polls took.
    pub fn instructions(&mut self, times: usize) -> u64 {
        let before = count::instructions(self.thread);
        self.way.poll(times);
        count::instructions(self.thread) - before
    }
}

/// Starts one on the `artifacts` in a directory; if there is one, on that.
pub fn start(tool: &str, directory: &Path, library: &Path, artifacts: usize) -> Idle {
    let (name, of) = tool.split_once(", ").unwrap_or((tool, ""));
    let is_one = artifacts == 1 && of != "directory";
    let path = if is_one { library } else { directory };
    let contents = of == "contents";
    match name {
        "limit" => here(limit(directory, artifacts)),
        "replug" => here(replug(path, artifacts)),
        "notify 8" => {
            let watcher = notify::watch8(path, None, contents, |_| {});
            queued(move || watcher.poll().expect("its thread is there"))
        }
        "notify 9" => {
            let watcher = notify::watch9(path, None, contents, |_| {});
            queued(move || watcher.poll().expect("its thread is there"))
        }
        _ => panic!("nobody is called {name}"),
    }
}

/// Polls on the thread that asks for it.
fn here(mut poll: impl FnMut() + 'static) -> Idle {
    let poll = move |times| (0..times).for_each(|_| poll());
    let thread = count::this_thread();
    Idle {
        way: Box::new(Here(poll)),
        thread,
    }
}

struct Here<F>(F);

impl<F: FnMut(usize)> Polls for Here<F> {
    fn poll(&mut self, times: usize) {
        (self.0)(times);
    }
}

/// One look at each, from their directory if they are several, and nothing else.
fn limit(directory: &Path, artifacts: usize) -> Box<dyn FnMut()> {
    let name = |number: usize| PathBuf::from(format!("lib{number}.so"));
    if artifacts == 1 {
        let path = directory.join(name(0));
        return Box::new(move || look(&path));
    }
    let directory = directory.to_owned();
    let names: Vec<PathBuf> = (0..artifacts).map(name).collect();
    Box::new(move || {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let open = rustix::fs::open(&directory, flags, Mode::empty()).expect("it is there");
        names.iter().for_each(|name| look_from(&open, name));
    })
}

/// By then what was read has been confirmed, or is due to be.
const CONFIRMED: Duration = Duration::from_secs(3);

/// A poller that has taken up all artifacts and rests.
fn replug(path: &Path, artifacts: usize) -> impl FnMut() + use<> {
    let mut poller = Poller::new(Options::new(path)).expect("a place to stage");
    let mut seen = 0;
    while seen < artifacts {
        thread::sleep(poller.poll(poller.now()) - poller.now());
        let updates = poller.updates().try_iter();
        seen += updates
            .filter(|update| matches!(update.news, News::Ready(_) | News::Kept { .. }))
            .count();
    }
    // What was read too soon after it was written is read once more, so many at a time.
    let mut digests = 0;
    while poller.digests() > digests {
        digests = poller.digests();
        thread::sleep(CONFIRMED);
        while poller.poll(poller.now()) <= poller.now() {}
    }
    move || {
        poller.poll(poller.now());
        assert_eq!(poller.digests(), digests, "an idle poll reads nothing");
    }
}

/// Polls on a thread of its own, for each message in its queue. So many messages at a time are so many polls without a
/// wait in between.
fn queued(ask: impl FnMut() + 'static) -> Idle {
    const NAME: &str = "notify-rs poll loop";
    let thread = loop {
        // A thread names itself when it first runs.
        match count::thread_called(NAME) {
            Some(thread) => break thread,
            None => thread::sleep(Duration::from_millis(1)),
        }
    };
    let queued = Queued { ask, thread };
    queued.wait();
    Idle {
        way: Box::new(queued),
        thread,
    }
}

struct Queued<F> {
    ask: F,
    thread: Thread,
}

impl<F> Queued<F> {
    /// Waits until it has nothing more to do.
    fn wait(&self) {
        let mut before = 0;
        loop {
            let now = count::instructions(self.thread);
            if now == before {
                return;
            }
            before = now;
            thread::sleep(Duration::from_millis(50));
        }
    }
}

impl<F: FnMut()> Polls for Queued<F> {
    fn poll(&mut self, times: usize) {
        count::uncounted(|| (0..times).for_each(|_| (self.ask)()));
        self.wait();
    }
}
