//! The worker thread around a [`Poller`]. The worker polls, waits, and ends when its owner drops the watcher; it
//! never loads anything.

use std::mem;
use std::path::{Path, PathBuf};
use std::sync::Arc;
// Not crossbeam's channel: a wait in one begins and ends with yielding the processor four times, and the wait here is
// that of an idle process.
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use replug_plugin::shown::shown;

use super::poller::Poller;
use super::pulse::{Counts, Pulse, Stall, Vigil};
use super::update::{Report, Update};
use crate::error::Error;
use crate::look::clock::Clock;
use crate::look::digest::Digest;
use crate::look::files::Files;
use crate::look::place::Place;
use crate::look::process::Process;
use crate::look::snapshot::Kind;
use crate::options::Options;
use crate::stage::copies::{Remover, Stage, Staged};
#[cfg(feature = "trial")]
use crate::trials::states::States;

/// The worker's name in debuggers and process lists.
const THREAD_NAME: &str = "replug-watcher";

/// How long a watcher that is dropped waits for its thread: half of the time that a person grants a program that is
/// to end. A thread that takes longer is busy with a slow filesystem, or stuck in a dead one.
const JOIN_GRACE: Duration = Duration::from_millis(500);

/// How long to wait for the filesystem to say what it is: so long that a filesystem that answers at all has answered,
/// and so short that nobody notices. What it says later is news.
const SURVEY_GRACE: Duration = Duration::from_millis(100);

/// A thread that watches a path, and the queue of the updates that it found.
///
/// A process that is forked does not have the thread: a watcher there [is forked](Watcher::is_forked), and brings nothing.
///
/// Dropping the watcher ends the thread. A thread that is stuck in a dead mount is left behind, with a warning in the
/// log.
///
/// # Examples
///
/// ```no_run
/// use replug::Options;
/// use replug::watch::Watcher;
///
/// let watcher = Watcher::new(Options::new("target/debug/libplugin01.so"))?;
/// for update in watcher.updates() {
///     println!("{}: {:?}", update.artifact.display(), update.news);
/// }
/// # Ok::<(), replug::Error>(())
/// ```
#[derive(Debug)]
pub struct Watcher {
    // Dropped top to bottom: hanging up `orders` ends the worker's wait, and only then can the worker be joined.
    orders: Sender<Order>,
    worker: JoinOnDrop,
    updates: Receiver<Update<Staged>>,
    path: Arc<Path>,
    place: Place,
    kind: Option<Kind>,
    remover: Remover,
    counts: Arc<Counts>,
    pulse: Arc<Pulse>,
    vigil: Vigil,
    keeps: bool,
    /// Where trials look for the state of a live generation, if that is wanted.
    #[cfg(feature = "trial")]
    states: Option<States>,
    /// The process that the worker is in.
    process: Process,
}

/// An order for the worker.
#[derive(Debug)]
enum Order {
    /// To poll, and to answer when a poll has ended that began later.
    PollNow(Sender<()>),
    /// To forget the decision about an artifact.
    Forget(PathBuf),
    /// To make another copy of an artifact.
    StageAgain(PathBuf),
    /// To take down what became of a build.
    Became(Report),
    /// To go back to a build of an artifact.
    Back(PathBuf, Option<Digest>),
    /// To let builds in again.
    Release(Option<Digest>),
    /// To count a call that has failed.
    CallFailed(PathBuf, Digest),
}

impl Watcher {
    /// Watches a path on this machine's filesystem.
    ///
    /// # Errors
    ///
    /// If there is no place for staged copies, no thread can be started, the path is relative and the working directory
    /// is gone, or builds are to be tried and this program takes no part in that.
    pub fn new(options: Options) -> Result<Watcher, Error> {
        Watcher::spawn(Poller::new(options)?)
    }

    /// Moves `poller` to a thread of its own and polls it there.
    ///
    /// # Errors
    ///
    /// If no thread can be started.
    pub fn spawn<F, S, C>(mut poller: Poller<F, S, C>) -> Result<Watcher, Error>
    where
        F: Files + Send + 'static,
        S: Stage<Staged = Staged> + Send + 'static,
        C: Clock + Send + 'static,
    {
        let (orders, received) = mpsc::channel();
        let updates = poller.updates().clone();
        let pulse = poller.pulse();
        let mounted = poller.place().clone();
        let remover = poller.stage().remover();
        // Without room for a message: what is sent was received, or is refused because nobody waits any longer.
        let (surveyor, surveyed) = mpsc::sync_channel(0);
        let counts = poller.counts();
        let keeps = poller.keeps();
        let path: Arc<Path> = poller.path().into();
        #[cfg(feature = "trial")]
        let states = poller.states().cloned();
        let worker = JoinOnDrop::spawn(Arc::clone(&path), {
            let mounted = mounted.clone();
            move || {
                let kind = poller.survey();
                let place = poller.place().clone();
                if surveyor.send((place, kind)).is_err() {
                    poller.say_place_unless(&mounted);
                }
                work(poller, &received);
            }
        })
        .map_err(|source| {
            let path = path.to_path_buf();
            Error::Spawn { path, source }
        })?;
        // On a filesystem that hangs the answer never comes; the owner must not hang with the worker.
        let surveyed = surveyed.recv_timeout(SURVEY_GRACE);
        let (place, kind) = surveyed.unwrap_or((mounted, None));
        Ok(Watcher {
            orders,
            worker,
            updates,
            path,
            place,
            kind,
            remover,
            counts,
            pulse,
            vigil: Vigil::new(Instant::now()),
            keeps,
            #[cfg(feature = "trial")]
            states,
            process: Process::this(),
        })
    }

    /// The queue in which updates arrive. The queue never fills: of two updates about the same side of an artifact
    /// only the later one waits.
    pub fn updates(&self) -> &Receiver<Update> {
        &self.updates
    }

    /// The watched path; an absolute one, whatever the options said.
    pub fn path(&self) -> &Arc<Path> {
        &self.path
    }

    /// The place that the watched path was found to be at when the watch began; what the system's table of mounts
    /// tells, if the filesystem did not answer at once. If that turns out to be wrong, there is
    /// [news](crate::watch::News::Placed).
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The kind of thing that was at the watched path when the watch began; `None` if nothing was, or the filesystem did
    /// not answer at once.
    pub fn kind(&self) -> Option<Kind> {
        self.kind
    }

    /// The directory in which staged copies are made now; `None` if they are kept in memory.
    pub fn stage(&self) -> Option<PathBuf> {
        self.remover.path()
    }

    /// The means to remove all staged copies, for a program that ends while the worker may still be at work.
    pub fn remover(&self) -> &Remover {
        &self.remover
    }

    /// Where trials look for the state of a live generation, if that is wanted.
    #[cfg(feature = "trial")]
    pub(crate) fn states(&self) -> Option<&States> {
        self.states.as_ref()
    }

    /// How often to ask for a [`stall`](Watcher::stall): often enough to learn of a stall within five seconds.
    pub const STALL_CHECK: Duration = Duration::from_secs(2);

    /// Whether the worker has got stuck in the filesystem since the last question, or has come free again.
    ///
    /// A thread that hangs in a dead mount cannot say so itself. [`Host::poll`](crate::Host::poll) and
    /// [`Host::wait`](crate::Host::wait) ask; a host that does neither asks here, now and then.
    pub fn stall(&mut self) -> Option<Stall> {
        match self.is_forked() {
            // The silence of a worker that is not in this process means nothing.
            true => None,
            false => self.vigil.check(Instant::now(), &self.pulse),
        }
    }

    /// Whether this process was forked from the one that the worker is in. Then nothing comes from this watcher any more,
    /// and dropping it does nothing: thread and staged copies are the parent's.
    pub fn is_forked(&self) -> bool {
        self.process.is_another()
    }

    /// Waits until a poll has ended that began after this call, and for at most `timeout`. Says whether such a poll
    /// ended; its updates are then in the queue. Steps that failed lately are tried again in this poll.
    pub fn poll_now(&self, timeout: Duration) -> bool {
        if self.is_forked() {
            return false;
        }
        let (answer, answered) = mpsc::channel();
        self.orders.send(Order::PollNow(answer)).is_ok() && answered.recv_timeout(timeout).is_ok()
    }

    /// Forgets the decision about an artifact, for an owner who has let go of it: should the artifact be published again,
    /// it is ready again, whatever its bytes.
    pub fn forget(&self, artifact: &Path) {
        // A worker that has ended by a fault publishes nothing either.
        let _ = self.orders.send(Order::Forget(artifact.to_owned()));
    }

    /// Makes another copy of an artifact though its file has not changed, for an owner whose copy was taken away before it
    /// was loaded. A [`Host`](crate::Host) with a watcher of its own does so by itself.
    pub fn stage_again(&self, artifact: &Path) {
        // A worker that has ended by a fault stages nothing either.
        let _ = self.orders.send(Order::StageAgain(artifact.to_owned()));
    }

    /// Whether the builds are kept in a store.
    pub(crate) fn keeps(&self) -> bool {
        self.keeps
    }

    // A worker that has ended by a fault keeps nothing, which was said.

    /// Tells the worker what became of a build.
    pub(crate) fn became(&self, report: Report) {
        let _ = self.orders.send(Order::Became(report));
    }

    /// Goes back to the build of an artifact before the live one, or to that of a digest.
    pub(crate) fn go_back(&self, artifact: &Path, to: Option<Digest>) {
        let _ = self.orders.send(Order::Back(artifact.to_owned(), to));
    }

    /// Lets builds in again that were left.
    pub(crate) fn release(&self, digest: Option<Digest>) {
        let _ = self.orders.send(Order::Release(digest));
    }

    /// Has a failed call counted.
    pub(crate) fn call_failed(&self, artifact: &Path, digest: Digest) {
        let order = Order::CallFailed(artifact.to_owned(), digest);
        let _ = self.orders.send(order);
    }

    /// How many polls have been made.
    pub fn polls(&self) -> u64 {
        self.counts.polls()
    }

    /// The counters of polls and digests, for readers who outlive the watcher.
    pub fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }
}

impl Drop for Watcher {
    /// Lets go of what is the parent's, in a process that was forked: the channels may be locked by a thread that is not
    /// in this process, and what waits in them are copies on the parent's disk.
    fn drop(&mut self) {
        if self.is_forked() {
            mem::forget(mem::replace(&mut self.orders, mpsc::channel().0));
            mem::forget(mem::replace(&mut self.updates, crossbeam_channel::never()));
            mem::forget(self.worker.thread.take());
        }
    }
}

/// Polls until the owner hangs up.
fn work<F: Files, S: Stage, C: Clock>(mut poller: Poller<F, S, C>, orders: &mpsc::Receiver<Order>) {
    let mut asked: Option<Sender<()>> = None;
    loop {
        let next = poller.poll(poller.now());
        if let Some(answer) = asked.take() {
            // Whoever asked may have given up waiting.
            let _ = answer.send(());
        }
        match orders.recv_timeout(next.saturating_duration_since(poller.now())) {
            Ok(Order::PollNow(answer)) => {
                poller.end_pauses();
                asked = Some(answer);
            }
            Ok(Order::Forget(artifact)) => poller.forget(&artifact),
            Ok(Order::StageAgain(artifact)) => poller.stage_again(&artifact),
            Ok(Order::Became(report)) => poller.became(report),
            Ok(Order::Back(artifact, to)) => poller.go_back(&artifact, to),
            Ok(Order::Release(digest)) => poller.release(digest),
            Ok(Order::CallFailed(artifact, digest)) => poller.call_failed(&artifact, digest),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// A thread that is waited for, within bounds, when its owner goes.
#[derive(Debug)]
struct JoinOnDrop {
    /// The watched path, for the log.
    watched: Arc<Path>,
    thread: Option<JoinHandle<()>>,
    /// A channel that the thread hangs up when it ends; nothing is ever sent.
    ended: mpsc::Receiver<()>,
}

impl JoinOnDrop {
    fn spawn(
        watched: Arc<Path>,
        work: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<JoinOnDrop> {
        let (running, ended) = mpsc::channel();
        let thread = thread::Builder::new()
            .name(THREAD_NAME.to_owned())
            .spawn(move || {
                let _running = running;
                work();
            })?;
        Ok(JoinOnDrop {
            watched,
            thread: Some(thread),
            ended,
        })
    }
}

impl Drop for JoinOnDrop {
    fn drop(&mut self) {
        let Some(thread) = self.thread.take() else {
            return;
        };
        let artifact = shown(&*self.watched);
        if let Err(RecvTimeoutError::Timeout) = self.ended.recv_timeout(JOIN_GRACE) {
            tracing::warn!(
                %artifact,
                "the thread `{THREAD_NAME}` is busy with the filesystem and is left behind"
            );
            return;
        }
        if thread.join().is_err() {
            tracing::error!(%artifact, "the thread `{THREAD_NAME}` had ended by a panic");
        }
    }
}
