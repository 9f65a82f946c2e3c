//! What a session waits for, all at once.

use std::time::{Duration, Instant};

use crossbeam_channel::{Select, TryRecvError, never};
use replug::watch::{Update, Watcher};

use super::super::building::{Building, Made, Said, Told};
use super::super::eyes::Saved;
use super::super::keys::Key;
use super::Session;
use crate::run::{Failure, WorkerEnded};

/// How often to see whether the command beside has ended, and to show how long a build takes.
const TICK: Duration = Duration::from_millis(100);

/// The failure of the thread that watches the sources.
#[derive(Debug, thiserror::Error)]
#[error("cannot watch the sources any longer: their thread ended by a fault in replug")]
struct SourcesEnded;

/// What a session was woken by.
pub(super) enum Woken {
    Stop,
    Key(Key),
    Saved(Saved),
    Said(Said),
    Digested(Made),
    Rested,
    Update(usize, Update),
    Time,
}

impl Session<'_> {
    /// Waits for what comes next. What was built is not taken up before the end of the build, nor while a build ahead may
    /// have put something else there: then what is loaded is what cargo left there.
    pub(super) fn wait(&self) -> Result<Woken, Failure> {
        let nothing = never();
        let said = self.building.as_ref().map_or(&nothing, Building::said);
        let is_open = self.is_open();
        let mut select = Select::new_biased();
        select.recv(self.stop.requested());
        select.recv(self.keys.pressed());
        select.recv(self.watch.saved());
        select.recv(said);
        select.recv(&self.digested);
        select.recv(&self.rested);
        if is_open {
            for plugin in &self.plugins {
                select.recv(plugin.session.plugins.updates());
            }
        }
        let Ok(ready) = select.ready_deadline(self.deadline()) else {
            return Ok(Woken::Time);
        };
        let woken = match ready {
            0 => Ok(Woken::Stop),
            1 => self.keys.pressed().try_recv().map(Woken::Key),
            2 => match self.watch.saved().try_recv() {
                Err(TryRecvError::Disconnected) => return Err(SourcesEnded.into()),
                saved => saved.map(Woken::Saved),
            },
            3 => match said.try_recv() {
                // A thread that ended without a word has nothing to tell, as a build without artifacts.
                Err(TryRecvError::Disconnected) => Ok(Woken::Said(Said::Ended(Told::default()))),
                said => said.map(Woken::Said),
            },
            4 => match self.digested.try_recv() {
                Err(TryRecvError::Disconnected) => Ok(Woken::Digested(Vec::new())),
                digested => digested.map(Woken::Digested),
            },
            5 => match self.rested.try_recv() {
                // Hung up where the save that was told instead asked for no build: what the build has written itself.
                Ok(()) | Err(TryRecvError::Disconnected) => Ok(Woken::Rested),
                Err(TryRecvError::Empty) => Ok(Woken::Time),
            },
            // A build may have begun ahead since the wait began, and ended.
            _ if !self.is_open() => return Ok(Woken::Time),
            number => {
                let number = number - 6;
                match self.plugins[number].session.plugins.updates().try_recv() {
                    Err(TryRecvError::Disconnected) => return Err(WorkerEnded.into()),
                    update => update.map(|update| Woken::Update(number, update)),
                }
            }
        };
        // What was ready has nothing after all.
        Ok(woken.unwrap_or(Woken::Time))
    }

    /// Whether what is in place is what the last build has left there, and is to be loaded. A build that has failed may have
    /// left some of it: all of it goes live together, once it is mended. One that counts for nothing has left what nobody loads.
    fn is_open(&self) -> bool {
        let is_over = self.building.is_none() && self.done.is_none() && !self.has_failed;
        is_over && !self.rounds.is_void() && !self.is_held && self.ahead.is_none()
    }

    fn deadline(&self) -> Instant {
        let now = Instant::now();
        let has_clock = self.building.is_some() && self.output.is_terminal();
        let tick = match has_clock || self.beside.is_some() {
            true => TICK,
            false => Watcher::STALL_CHECK,
        };
        let call = (!self.plugins.is_empty()).then_some(self.next_call);
        let rest = self.rest.as_ref().map(|rest| rest.due);
        let due = [call, self.rounds.due(), rest];
        let due = due.into_iter().flatten();
        due.fold(now + tick, Instant::min)
    }
}
