//! The things that all artifacts of a poller share: files, stage and clock, the queue, the answers of one poll so far,
//! and the readings that the poll may still make. Nothing is decided here.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::pulse::Pulse;
use super::update::Outbox;
use crate::decide::settle::Rules;
use crate::decide::trouble::Trouble;
use crate::look::clock::Clock;
use crate::look::files::{Files, Filesystem, Locality};
use crate::look::gate::Gates;
use crate::look::names::Names;
use crate::look::place::{self, Place};
use crate::options::Options;
use crate::stage::copies::Stage;

/// The most readings of one poll. After them the worker sees whether it is to stop, and the other artifacts are
/// looked at.
const READINGS: u32 = 64;

/// Everything that the artifacts of a poller share.
pub(super) struct Shared<F: Files, S: Stage, C: Clock> {
    /// The path that is watched, and the device that it was last seen on: on another one, everything is to be found
    /// out anew.
    pub(super) root: Arc<Path>,
    device: Option<u64>,
    is_surveyed: bool,
    pub(super) rules: Rules,
    pub(super) files: F,
    pub(super) stage: S,
    pub(super) clock: C,
    pub(super) outbox: Outbox<S::Staged>,
    pub(super) digests: u64,
    /// The answers of gates and directories in this poll, and how many readings the poll may still make.
    pub(super) gates: Gates,
    pub(super) names: Names,
    pub(super) readings_left: u32,
    /// Whether this poll has found a change that is being followed, and a trouble that was said.
    pub(super) is_busy: bool,
    pub(super) is_degraded: bool,
    /// When the present look at a remote filesystem began. Local looks are not timed: that would cost as much as the
    /// look.
    look_begun: Option<Instant>,
    pub(super) pulse: Arc<Pulse>,
}

impl<F: Files, S: Stage, C: Clock> Shared<F, S, C> {
    pub(super) fn new(options: Options, files: F, stage: S, clock: C) -> Shared<F, S, C> {
        Shared {
            root: options.path.as_path().into(),
            device: None,
            is_surveyed: false,
            rules: Rules {
                place: Place::on(Filesystem::unknown(), &options),
                options,
            },
            files,
            stage,
            clock,
            outbox: Outbox::new(),
            digests: 0,
            gates: Gates::default(),
            names: Names::default(),
            readings_left: READINGS,
            is_busy: false,
            is_degraded: false,
            look_begun: None,
            pulse: Arc::default(),
        }
    }

    /// Who can change the files.
    pub(super) fn locality(&self) -> Locality {
        self.rules.place.locality
    }

    /// Finds out which filesystem the path is on, and how files are looked at there.
    pub(super) fn survey(&mut self) {
        self.pulse.begin();
        if self.device.is_none() {
            // The look comes before the question: should a filesystem be mounted in between, the next look finds
            // another device.
            let root = self.files.look(&self.root);
            self.device = root.ok().map(|root| root.device);
        }
        let filesystem = place::filesystem(&self.files, &self.root);
        self.rules.place = Place::on(filesystem, &self.rules.options);
        self.is_surveyed = true;
        let place = &self.rules.place;
        tracing::debug!(path = %self.root.display(), ?place, "surveyed");
    }

    /// Whether this is another device than the one that the path was last seen on.
    pub(super) fn is_elsewhere(&self, device: u64) -> bool {
        self.device.is_some_and(|before| before != device)
    }

    /// Surveys again if the device is another than before: then the path is on another filesystem. A path that was
    /// not there counted as part of the nearest directory above it.
    pub(super) fn notice_device(&mut self, device: u64) {
        if self.device.replace(device) != Some(device) {
            self.survey();
        }
    }

    /// Another poll begins.
    pub(super) fn begin(&mut self) {
        if !self.is_surveyed {
            self.survey();
        }
        (self.is_busy, self.is_degraded) = (false, false);
        self.pulse.begin();
        self.gates.forget();
        self.names.forget();
        self.readings_left = READINGS;
    }

    /// A look begins.
    pub(super) fn begin_look(&mut self) {
        self.pulse.beat();
        let is_remote = self.rules.place.is_remote();
        self.look_begun = is_remote.then(|| self.clock.now());
    }

    /// When to look again at a path that could not be looked at.
    pub(super) fn next_look(&self, trouble: &mut Trouble) -> Instant {
        let now = self.clock.now();
        let took = self.look_begun.map_or(Duration::ZERO, |begun| now - begun);
        trouble.next_look(now, took, self.rules.options.interval)
    }

    /// Whether the remaining work has to wait for the next poll.
    pub(super) fn is_out_of_readings(&self) -> bool {
        self.readings_left == 0
    }

    /// A directory was asked for its names in this poll.
    pub(super) fn has_listed(&mut self, directory: &Path) {
        self.names.ask(directory);
    }

    /// Asks for the names in a directory, once in a poll, so that a look at one of the files in it is fresh. A
    /// directory that cannot be listed says nothing against the looks.
    pub(super) fn ask_for_names(&mut self, directory: &Path) {
        if !self.names.ask(directory) {
            return;
        }
        // A look at the directory makes the filesystem's client notice that the names it remembers are old.
        let names = self.files.look(directory);
        let names = names.and_then(|_| self.files.names(directory, &mut |_| {}));
        if let Err(error) = names {
            tracing::debug!(directory = %directory.display(), %error, "its names cannot be asked for");
        }
    }
}
