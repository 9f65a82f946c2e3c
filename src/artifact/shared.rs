//! What all artifacts of a poller share: files and clock, the queue, what one poll has asked so far, and how much it may
//! still read. It decides nothing.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::files::{Clock, Files, Locality};
use crate::gate::{GatePolicy, Gates};
use crate::names::Names;
use crate::options::Options;
use crate::pulse::Pulse;
use crate::settle::Rules;
use crate::trouble::Trouble;
use crate::update::Outbox;

/// How many readings one poll makes before it lets the worker see whether it is to stop, and the others be looked at.
const READINGS: u32 = 64;

/// What all artifacts of a poller share.
pub(crate) struct Shared<F: Files, C: Clock> {
    pub(crate) options: Options,
    pub(crate) files: F,
    pub(crate) clock: C,
    pub(crate) outbox: Outbox<F::Staged>,
    pub(crate) digests: u64,
    /// Where the artifacts are, whether looks at them can lag there, and whether the gate is asked.
    pub(crate) locality: Locality,
    pub(crate) looks_can_lag: bool,
    pub(crate) gate: GatePolicy,
    /// What gates and directories have answered in this poll, and how many readings it may still make.
    pub(super) gates: Gates,
    pub(super) names: Names,
    pub(super) readings_left: u32,
    /// When the present look at a remote filesystem began. Local ones are not timed: that would cost as much as they do.
    look_begun: Option<Instant>,
    pub(crate) pulse: Arc<Pulse>,
}

impl<F: Files, C: Clock> Shared<F, C> {
    pub(crate) fn new(options: Options, files: F, clock: C) -> Shared<F, C> {
        Shared {
            locality: options.fs.decide(Locality::Remote),
            looks_can_lag: false,
            gate: options.gate,
            options,
            files,
            clock,
            outbox: Outbox::new(),
            digests: 0,
            gates: Gates::default(),
            names: Names::default(),
            readings_left: READINGS,
            look_begun: None,
            pulse: Arc::default(),
        }
    }

    /// Another poll begins.
    pub(crate) fn begin(&mut self) {
        self.pulse.begin();
        self.gates.forget();
        self.names.forget();
        self.readings_left = READINGS;
    }

    /// A look begins.
    pub(crate) fn begin_look(&mut self) {
        self.pulse.beat();
        let is_remote = self.locality == Locality::Remote;
        self.look_begun = is_remote.then(|| self.clock.now());
    }

    /// When to look again at what could not be looked at.
    pub(crate) fn look_again(&self, trouble: &mut Trouble) -> Instant {
        let now = self.clock.now();
        let took = self.look_begun.map_or(Duration::ZERO, |begun| now - begun);
        trouble.look_again(now, took, self.options.interval)
    }

    /// Whether the rest has to wait for the next poll.
    pub(crate) fn is_out_of_readings(&self) -> bool {
        self.readings_left == 0
    }

    /// A directory was asked for its names in this poll.
    pub(crate) fn has_listed(&mut self, directory: &Path) {
        self.names.ask(directory);
    }

    /// Asks for the names in a directory, once in a poll, so that a look at one of them is fresh. That it cannot be listed
    /// says nothing against the looks.
    pub(super) fn ask_for_names(&mut self, directory: &Path) {
        if !self.names.ask(directory) {
            return;
        }
        // A look at the directory makes its client notice that what it keeps of the names is old.
        let names = self.files.look(directory);
        let names = names.and_then(|_| self.files.names(directory, &mut |_| {}));
        if let Err(error) = names {
            tracing::debug!(directory = %directory.display(), %error, "its names cannot be asked for");
        }
    }

    pub(super) fn rules(&self) -> Rules {
        let Options {
            settle,
            gate_max,
            audit,
            ..
        } = self.options;
        Rules {
            settle,
            gate: self.gate,
            gate_max,
            audit,
            locality: self.locality,
            looks_can_lag: self.looks_can_lag,
        }
    }
}
