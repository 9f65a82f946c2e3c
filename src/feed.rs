//! Where a host's updates come from: a queue, and the watcher that fills it, whose silence means something too.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};

use crate::pulse::Stall;
use crate::update::Update;
use crate::watcher::Watcher;

/// A queue of updates, and the watcher behind it if the host owns one.
#[derive(Debug)]
pub(crate) struct Feed {
    updates: Receiver<Update>,
    watcher: Option<Watcher>,
}

/// What comes out of it.
pub(crate) enum Fed {
    Update(Update),
    /// What the worker cannot say itself.
    Stall(Stall),
}

impl Feed {
    /// One that nothing comes out of.
    pub(crate) fn none() -> Feed {
        Feed {
            updates: crossbeam_channel::never(),
            watcher: None,
        }
    }

    pub(crate) fn of(watcher: Watcher) -> Feed {
        Feed {
            updates: watcher.updates().clone(),
            watcher: Some(watcher),
        }
    }

    pub(crate) fn updates(&self) -> &Receiver<Update> {
        &self.updates
    }

    pub(crate) fn watcher(&self) -> Option<&Watcher> {
        self.watcher.as_ref()
    }

    /// What waits already.
    pub(crate) fn poll(&mut self) -> Option<Fed> {
        match self.updates.try_recv() {
            Ok(update) => Some(Fed::Update(update)),
            Err(_) => self.stall(),
        }
    }

    pub(crate) fn stall(&mut self) -> Option<Fed> {
        self.watcher.as_mut()?.stall().map(Fed::Stall)
    }

    /// What comes until `deadline`; without one, what comes next.
    pub(crate) fn wait(&mut self, deadline: Option<Instant>) -> Option<Fed> {
        loop {
            let left = deadline.map_or(Duration::MAX, |at| {
                at.saturating_duration_since(Instant::now())
            });
            // A stuck worker wakes nobody.
            match self.updates.recv_timeout(left.min(Watcher::STALL_CHECK)) {
                Ok(update) => return Some(Fed::Update(update)),
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
