//! What a session waits for, all at once.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crossbeam_channel::{Select, never};
use replug::Digest;
use replug::watch::{Update, Watcher};

use super::super::building::{Building, Said, Told};
use super::super::keys::Key;
use super::super::watch::Seen;
use super::Session;
use crate::run::{Failure, WorkerEnded};
use crate::stop::Stop;

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
    Seen(Seen),
    Said(Said),
    Digested(Vec<(PathBuf, Option<Digest>)>),
    Update(usize, Update),
    Time,
}

impl Session<'_> {
    /// Waits for what comes next. What was built is not taken up before the end of the build: then what is loaded is
    /// what cargo left there.
    pub(super) fn wait(&self, stop: &Stop) -> Result<Woken, Failure> {
        let nothing = never();
        let said = self.building.as_ref().map_or(&nothing, Building::said);
        let is_open = self.building.is_none() && self.done.is_none() && !self.is_held;
        let mut select = Select::new_biased();
        select.recv(stop.requested());
        select.recv(self.keys.pressed());
        select.recv(self.watch.seen());
        select.recv(said);
        select.recv(&self.digested);
        if is_open {
            for plugin in &self.plugins {
                select.recv(plugin.session.plugins.updates());
            }
        }
        let Ok(ready) = select.select_deadline(self.deadline()) else {
            return Ok(Woken::Time);
        };
        Ok(match ready.index() {
            0 => {
                let _ = ready.recv(stop.requested());
                Woken::Stop
            }
            1 => ready
                .recv(self.keys.pressed())
                .map_or(Woken::Time, Woken::Key),
            2 => Woken::Seen(ready.recv(self.watch.seen()).map_err(|_| SourcesEnded)?),
            // A thread that ended without a word has nothing to tell, as a build without artifacts.
            3 => Woken::Said(
                ready
                    .recv(said)
                    .unwrap_or_else(|_| Said::Ended(Told::default())),
            ),
            4 => Woken::Digested(ready.recv(&self.digested).unwrap_or_default()),
            number => {
                let number = number - 5;
                let updates = self.plugins[number].session.plugins.updates();
                Woken::Update(number, ready.recv(updates).map_err(|_| WorkerEnded)?)
            }
        })
    }

    fn deadline(&self) -> Instant {
        let now = Instant::now();
        let has_clock = self.building.is_some() && self.output.is_terminal();
        let tick = match has_clock || self.beside.is_some() {
            true => TICK,
            false => Watcher::STALL_CHECK,
        };
        let call = (!self.plugins.is_empty()).then_some(self.next_call);
        let due = [call, self.rounds.due()].into_iter().flatten();
        due.fold(now + tick, Instant::min)
    }
}
