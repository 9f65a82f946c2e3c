//! Where a host's updates come from: a queue, and the watcher that fills it, whose silence means something too; and
//! how an owner takes the updates.

use std::mem;
use std::path::Path;
use std::sync::Arc;
#[cfg(feature = "stream")]
use std::task::Waker;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, TryRecvError};
use replug_plugin::shown::shown;

#[cfg(feature = "stream")]
use super::bell::Bell;
use super::outcome::Outcome;
use crate::error::chain;
use crate::store::StoreError;
#[cfg(feature = "trial")]
use crate::trials::states::States;
use crate::watch::pulse::Stall;
use crate::watch::update::{Became, Report, Update};
use crate::watch::watcher::Watcher;

/// A queue of updates, and the watcher behind it if the host owns one.
#[derive(Debug)]
pub(super) struct Feed {
    updates: Receiver<Update>,
    watcher: Option<Watcher>,
    /// Whether it was told that this process is a forked one.
    is_fork_told: bool,
    /// What wakes the owner's task, once the owner has asked as a stream.
    #[cfg(feature = "stream")]
    bell: Option<Bell>,
}

impl Drop for Feed {
    /// In a process that was forked, lets go of the queue as it is.
    fn drop(&mut self) {
        let _ = self.fork();
    }
}

/// One thing that comes out of a feed.
pub(super) enum Fed {
    Update(Box<Update>),
    /// The news of a stall, which the worker cannot tell itself.
    Stall(Stall),
    /// The news that the worker is in another process, from which this one was forked.
    Forked,
}

impl Feed {
    /// A feed that nothing comes out of.
    pub(super) fn none() -> Feed {
        Feed {
            updates: crossbeam_channel::never(),
            watcher: None,
            is_fork_told: false,
            #[cfg(feature = "stream")]
            bell: None,
        }
    }

    pub(super) fn of(watcher: Watcher) -> Feed {
        Feed {
            updates: watcher.updates().clone(),
            watcher: Some(watcher),
            is_fork_told: false,
            #[cfg(feature = "stream")]
            bell: None,
        }
    }

    pub(super) fn updates(&self) -> &Receiver<Update> {
        &self.updates
    }

    pub(super) fn watcher(&self) -> Option<&Watcher> {
        self.watcher.as_ref()
    }

    /// Tells the worker what became of a build, if that is to be kept in a store.
    pub(super) fn report(&self, artifact: &Arc<Path>, outcome: &Outcome) {
        let Some(watcher) = self.watcher.as_ref().filter(|it| it.keeps()) else {
            return;
        };
        let (digest, became) = match outcome {
            Outcome::Loaded(loaded) => (loaded.digest, Became::Live(loaded.generation)),
            Outcome::Kept(kept) => {
                let Some(digest) = kept.digest else { return };
                let step = kept.error.step().to_string();
                let reason = chain(&kept.error);
                (digest, Became::Kept { step, reason })
            }
            _ => return,
        };
        watcher.became(Report {
            artifact: Arc::clone(artifact),
            digest,
            became,
        });
    }

    /// The watcher, if it keeps a store.
    pub(super) fn keeper(&self) -> Result<&Watcher, StoreError> {
        let watcher = self.watcher.as_ref().filter(|it| it.keeps());
        watcher.ok_or(StoreError::NoStore)
    }

    /// Where a trial looks for the state of the live generation, if that is wanted.
    #[cfg(feature = "trial")]
    pub(super) fn states(&self) -> Option<States> {
        self.watcher.as_ref()?.states().cloned()
    }

    /// Asks the worker, if there is one, for another copy of an artifact.
    pub(super) fn stage_again(&self, artifact: &Path) {
        if let Some(watcher) = &self.watcher {
            watcher.stage_again(artifact);
        }
    }

    /// The thing that waits already, if there is one.
    pub(super) fn poll(&mut self) -> Option<Fed> {
        if let Some(forked) = self.fork() {
            return Some(forked);
        }
        match self.updates.try_recv() {
            Ok(update) => Some(Fed::Update(update.into())),
            Err(TryRecvError::Empty) => self.stall(),
            Err(TryRecvError::Disconnected) => {
                self.hang_up();
                None
            }
        }
    }

    /// Wakes a task, once, when there may be something to take.
    #[cfg(feature = "stream")]
    pub(super) fn arm(&mut self, waker: &Waker) {
        if self.bell.is_none() {
            self.bell = Bell::hang(self.updates.clone());
        }
        self.bell.iter_mut().for_each(|bell| bell.arm(waker));
    }

    /// Says that the worker has ended, which is said once: nothing comes out of the feed from then on.
    fn hang_up(&mut self) {
        let watcher = self.watcher.as_ref();
        tracing::error!(
            artifact = watcher.map(|it| tracing::field::display(shown(&**it.path()))),
            "the worker has ended by a fault in replug; nothing will be reloaded any more"
        );
        self.updates = crossbeam_channel::never();
        #[cfg(feature = "stream")]
        drop(self.bell.take());
    }

    pub(super) fn stall(&mut self) -> Option<Fed> {
        self.fork()
            .or_else(|| self.watcher.as_mut()?.stall().map(Fed::Stall))
    }

    /// Whether this process was forked from that of the worker: told once, and nothing comes out of the feed from then on.
    fn fork(&mut self) -> Option<Fed> {
        let is_forked = self.watcher.as_ref().is_some_and(Watcher::is_forked);
        if !is_forked || mem::replace(&mut self.is_fork_told, true) {
            return None;
        }
        // What waits in the queue are copies on the parent's disk, which the parent loads and removes. The queue may be
        // locked by a thread that is not in this process.
        let updates = mem::replace(&mut self.updates, crossbeam_channel::never());
        mem::forget(updates);
        Some(Fed::Forked)
    }

    /// Whether a [`wait`](Feed::wait) that begins now ends at the deadline, and not before.
    pub(super) fn waits_until(deadline: Option<Instant>) -> bool {
        deadline.is_some_and(|at| at <= Instant::now() + Watcher::STALL_CHECK)
    }

    /// The thing that comes next, if it comes before `deadline` and within [`STALL_CHECK`](Watcher::STALL_CHECK). Nobody
    /// waits for longer without a look of their own: a worker that is stuck wakes nobody, nor does a caller that lets go of a
    /// retired generation.
    pub(super) fn wait(&mut self, deadline: Option<Instant>) -> Option<Fed> {
        if let Some(forked) = self.fork() {
            return Some(forked);
        }
        let left = deadline.map_or(Duration::MAX, |at| {
            at.saturating_duration_since(Instant::now())
        });
        match self.updates.recv_timeout(left.min(Watcher::STALL_CHECK)) {
            Ok(update) => Some(Fed::Update(update.into())),
            Err(RecvTimeoutError::Timeout) => self.stall(),
            Err(RecvTimeoutError::Disconnected) => {
                self.hang_up();
                None
            }
        }
    }
}

/// An owner of plugins, who takes the updates of its feed: one host, or a set of hosts.
pub(super) trait Owner {
    /// The news that the owner tells of an update.
    type Told;

    /// The feed of the owner.
    fn feed(&mut self) -> &mut Feed;

    /// Acts on an update, or on the silence of the worker. `None` if there is nothing to tell.
    fn take(&mut self, fed: Fed) -> Option<Self::Told>;

    /// Goes on with retired generations.
    fn sweep_up(&mut self) -> Option<Self::Told>;

    /// Takes the updates that wait already, until there is something to tell.
    fn take_waiting(&mut self) -> Option<Self::Told> {
        loop {
            let Some(fed) = self.feed().poll() else {
                return self.sweep_up();
            };
            if let Some(told) = self.take(fed) {
                return Some(told);
            }
        }
    }

    /// Takes the updates of the next `timeout` at most, until there is something to tell.
    fn take_until(&mut self, timeout: Duration) -> Option<Self::Told> {
        let deadline = Instant::now().checked_add(timeout);
        loop {
            let is_last = Feed::waits_until(deadline);
            let Some(fed) = self.feed().wait(deadline) else {
                let told = self.sweep_up();
                if told.is_some() || is_last {
                    return told;
                }
                continue;
            };
            if let Some(told) = self.take(fed) {
                return Some(told);
            }
        }
    }

    /// Asks whether the worker has got stuck, or has come free again.
    fn take_stall(&mut self) -> Option<Self::Told> {
        let stall = self.feed().stall()?;
        self.take(stall)
    }
}
