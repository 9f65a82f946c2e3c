//! The bell: a thread that waits for updates in the place of an owner that lives in an executor, and wakes its task.

use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Select, Sender, unbounded};

use crate::look::process::Process;
use crate::watch::update::Update;
use crate::watch::watcher::Watcher;

/// The bell's name in debuggers and process lists.
const THREAD_NAME: &str = "replug-bell";

/// A thread that waits for updates, and wakes a task when there are some; or after a while, since nobody else notices a
/// worker that hangs, or a retired generation that can go by now.
#[derive(Debug)]
pub(super) struct Bell {
    /// Where the thread learns whom to wake; hung up to end the thread.
    arm: Sender<Waker>,
    /// Whom the thread was told to wake last.
    armed: Option<Waker>,
    /// Whether the thread has woken that task.
    has_rung: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    /// The process that the thread is in.
    process: Process,
}

impl Bell {
    /// Starts the thread. `None` if that cannot be done, which is logged.
    pub(super) fn hang(updates: Receiver<Update>) -> Option<Bell> {
        let (arm, armed) = unbounded();
        let has_rung = Arc::new(AtomicBool::new(false));
        let rings = Arc::clone(&has_rung);
        let thread = thread::Builder::new()
            .name(THREAD_NAME.to_owned())
            .spawn(move || ring_when_due(&updates, &armed, &rings))
            .inspect_err(|error| {
                tracing::error!(%error, "the thread `{THREAD_NAME}` cannot be started: outcomes come only when somebody asks");
            });
        Some(Bell {
            arm,
            armed: None,
            has_rung,
            thread: Some(thread.ok()?),
            process: Process::this(),
        })
    }

    /// Has the thread wake this task, once.
    pub(super) fn arm(&mut self, waker: &Waker) {
        let is_armed = self.armed.as_ref().is_some_and(|it| it.will_wake(waker));
        if is_armed && !self.has_rung.load(Ordering::Acquire) {
            return;
        }
        // Cloned first: that is the executor's, and may panic.
        let armed = waker.clone();
        self.has_rung.store(false, Ordering::Release);
        self.armed = Some(armed);
        // The thread ends when this end is dropped, and not before.
        let _ = self.arm.send(waker.clone());
    }
}

impl Drop for Bell {
    /// Ends the thread. In a process that was forked there is none.
    fn drop(&mut self) {
        let thread = self.thread.take();
        let arm = mem::replace(&mut self.arm, unbounded().0);
        if self.process.is_another() {
            mem::forget((arm, thread));
            return;
        }
        drop(arm);
        // A task can end with the wake that the thread gives it, and drop its host there.
        let others = thread.filter(|it| it.thread().id() != thread::current().id());
        if others.is_some_and(|it| it.join().is_err()) {
            tracing::error!("the thread `{THREAD_NAME}` had ended by a panic");
        }
    }
}

/// Wakes each task that the bell is armed for, once.
fn ring_when_due(updates: &Receiver<Update>, armed: &Receiver<Waker>, has_rung: &AtomicBool) {
    while let Ok(mut waker) = armed.recv() {
        let mut either = Select::new();
        let update = either.recv(updates);
        either.recv(armed);
        while let Ok(ready) = either.ready_timeout(Watcher::STALL_CHECK)
            && ready != update
        {
            match armed.recv() {
                Ok(newer) => waker = newer,
                Err(_) => return,
            }
        }
        has_rung.store(true, Ordering::Release);
        // A wake is the executor's, and may panic; the next one is due all the same.
        if panic::catch_unwind(AssertUnwindSafe(|| waker.wake())).is_err() {
            tracing::error!("the executor has panicked when `{THREAD_NAME}` woke its task");
        }
    }
}
