//! Where a host's updates come from: a queue, and the watcher that fills it, whose silence means something too; and
//! how an owner takes the updates.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};

use crate::watch::pulse::Stall;
use crate::watch::update::Update;
use crate::watch::watcher::Watcher;

/// A queue of updates, and the watcher behind it if the host owns one.
#[derive(Debug)]
pub(super) struct Feed {
    updates: Receiver<Update>,
    watcher: Option<Watcher>,
}

/// One thing that comes out of a feed.
pub(super) enum Fed {
    Update(Box<Update>),
    /// The news of a stall, which the worker cannot tell itself.
    Stall(Stall),
}

impl Feed {
    /// A feed that nothing comes out of.
    pub(super) fn none() -> Feed {
        Feed {
            updates: crossbeam_channel::never(),
            watcher: None,
        }
    }

    pub(super) fn of(watcher: Watcher) -> Feed {
        Feed {
            updates: watcher.updates().clone(),
            watcher: Some(watcher),
        }
    }

    pub(super) fn updates(&self) -> &Receiver<Update> {
        &self.updates
    }

    pub(super) fn watcher(&self) -> Option<&Watcher> {
        self.watcher.as_ref()
    }

    /// The thing that waits already, if there is one.
    pub(super) fn poll(&mut self) -> Option<Fed> {
        match self.updates.try_recv() {
            Ok(update) => Some(Fed::Update(update.into())),
            Err(_) => self.stall(),
        }
    }

    pub(super) fn stall(&mut self) -> Option<Fed> {
        self.watcher.as_mut()?.stall().map(Fed::Stall)
    }

    /// The thing that comes next, if it comes before `deadline`; without a deadline, whenever it comes.
    pub(super) fn wait(&mut self, deadline: Option<Instant>) -> Option<Fed> {
        loop {
            let left = deadline.map_or(Duration::MAX, |at| {
                at.saturating_duration_since(Instant::now())
            });
            // A stuck worker wakes nobody, so no wait is longer than the time between two checks for a stall.
            match self.updates.recv_timeout(left.min(Watcher::STALL_CHECK)) {
                Ok(update) => return Some(Fed::Update(update.into())),
                Err(RecvTimeoutError::Timeout) => match self.stall() {
                    None if left > Watcher::STALL_CHECK => {}
                    stall => return stall,
                },
                Err(RecvTimeoutError::Disconnected) => {
                    tracing::error!(
                        "the worker has ended by a fault in replug; nothing will be reloaded any more"
                    );
                    self.updates = crossbeam_channel::never();
                }
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
            let Some(fed) = self.feed().wait(deadline) else {
                return self.sweep_up();
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
