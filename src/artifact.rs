//! One artifact, followed: carries out what its [`Tracker`] orders, in the order of the pipeline, and says each
//! thing once. It decides nothing about when to read or what to believe.

mod doubt;

use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::change::{Tracker, Verdict, Waiting, Whereabouts};
use crate::digest::{self, Terms, Unread};
use crate::error::{Error, chain};
use crate::files::{Clock, Files, Locality};
use crate::gate::{GatePolicy, Gates};
use crate::handshake::Mismatch;
use crate::hops::{Hops, directory_of};
use crate::locality;
use crate::names::Names;
use crate::options::Options;
use crate::pulse::{Beating, Pulse};
use crate::settle::{Order, Reading, Rules};
use crate::snapshot::{Kind, Snapshot};
use crate::trouble::{Cause, Reached, Trouble, is_absent};
use crate::update::{Kept, News, Outbox, Ready};
use crate::vet::{self, Refusal, Vetted};

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
    gates: Gates,
    names: Names,
    readings_left: u32,
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
    fn ask_for_names(&mut self, directory: &Path) {
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

    fn rules(&self) -> Rules {
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

/// One watched file, between two polls.
#[derive(Debug)]
pub(crate) struct Artifact {
    path: Arc<Path>,
    /// Whether it was found in a listing, as opposed to named by the user. Names in a directory come and go.
    listed: bool,
    tracker: Tracker,
    /// What was said last of what it waits for, and of what is wrong with it.
    waiting: Option<Waiting>,
    trouble: Option<Box<Trouble>>,
    /// The symbolic links on the way, if there are any.
    hops: Option<Box<Hops>>,
    /// The device that its directory was on. If it is on another, an absence is not a removal.
    home: Option<u64>,
    /// Whether the last look said that it is a file.
    was_file: bool,
}

impl Artifact {
    /// One that the user named: that it is missing is worth saying.
    pub(crate) fn named(path: Arc<Path>) -> Artifact {
        Artifact {
            path,
            listed: false,
            tracker: Tracker::new(),
            waiting: None,
            trouble: None,
            hops: None,
            home: None,
            was_file: false,
        }
    }

    /// One that a directory listed.
    pub(crate) fn listed(path: Arc<Path>) -> Artifact {
        Artifact {
            listed: true,
            ..Artifact::named(path)
        }
    }

    pub(crate) fn path(&self) -> &Arc<Path> {
        &self.path
    }

    /// Whether there is nothing at its path, and nothing ever came of it.
    pub(crate) fn is_idle(&self) -> bool {
        self.waiting == Some(Waiting::Missing) && self.trouble.is_none()
    }

    /// Whether it was said that it cannot be looked at or read.
    pub(crate) fn is_degraded(&self) -> bool {
        self.trouble.as_deref().is_some_and(Trouble::has_degraded)
    }

    /// Whether a change is being followed, or something is wrong.
    pub(crate) fn is_busy(&self) -> bool {
        self.trouble.is_some() || self.tracker.is_suspect()
    }

    /// Whether the gate has let a change pass that will be read next.
    pub(crate) fn is_passing(&self) -> bool {
        self.tracker.is_passing()
    }

    /// Whether anything was ever handed over or kept out.
    pub(crate) fn has_decided(&self) -> bool {
        self.tracker.has_decided()
    }

    /// Until when it is not worth looking at, because looks have failed.
    pub(crate) fn pauses_until(&self, now: Instant) -> Option<Instant> {
        let trouble = self.trouble.as_deref()?;
        let is_look = trouble.at == Reached::Look;
        trouble.pauses_until(now).filter(|_| is_look)
    }

    /// What has failed is tried again at the next poll.
    pub(crate) fn end_pauses(&mut self, now: Instant) {
        if let Some(trouble) = &mut self.trouble {
            trouble.end_pause(now);
        }
        self.tracker.end_pause(now);
    }

    /// Looks once, as the locality demands.
    pub(crate) fn look<F: Files, C: Clock>(
        &self,
        shared: &mut Shared<F, C>,
    ) -> io::Result<Snapshot> {
        shared.begin_look();
        if shared.locality == Locality::Remote {
            // The names in a watched directory were asked for already, for all that are listed there.
            let own = (!self.listed).then(|| directory_of(&self.path));
            let of_hops = self.hops.iter().flat_map(|hops| hops.directories());
            for directory in own.into_iter().chain(of_hops) {
                shared.ask_for_names(directory);
            }
        }
        locality::look(&shared.files, &self.path, shared.locality, self.was_file)
    }

    /// Takes one look into account and follows it as far as it leads now. Returns when to look again, if
    /// before the next poll.
    pub(crate) fn follow<F: Files, C: Clock>(
        &mut self,
        now: Instant,
        look: io::Result<Snapshot>,
        shared: &mut Shared<F, C>,
    ) -> Option<Instant> {
        let hops = self.hops.as_deref();
        let noise = self.tracker.noise();
        let has_moved = hops.is_some_and(|hops| hops.have_changed(&shared.files, noise));
        if let Ok(snapshot) = &look
            && self.trouble.is_none()
            && !has_moved
            && self.tracker.is_quiet(now, snapshot)
        {
            return None;
        }
        self.was_file = matches!(&look, Ok(seen) if seen.kind == Kind::File);
        if has_moved {
            self.tracker.moved(now);
        }
        let rules = shared.rules();
        Following {
            artifact: self,
            shared,
            rules,
        }
        .look(now, look)
    }
}

/// An artifact while it is followed.
struct Following<'a, F: Files, C: Clock> {
    artifact: &'a mut Artifact,
    shared: &'a mut Shared<F, C>,
    rules: Rules,
}

impl<F: Files, C: Clock> Following<'_, F, C> {
    fn look(&mut self, now: Instant, look: io::Result<Snapshot>) -> Option<Instant> {
        match look {
            Ok(snapshot) => self.seen(snapshot),
            Err(error) if is_absent(&error) => match self.doubt_about_absence() {
                Some((cause, error)) => self.cannot_look(cause, error),
                None => {
                    // Nothing can be wrong with what is gone.
                    self.recovered(Reached::Stage);
                    let (until, whereabouts) = self.artifact.tracker.absent(now);
                    self.say_whereabouts(whereabouts);
                    self.rest(until)
                }
            },
            Err(source) => {
                let (cause, path) = (Cause::from(&source), self.path());
                self.cannot_look(cause, Error::Look { path, source })
            }
        }
    }

    /// Why a file that is not found may be there all the same.
    fn doubt_about_absence(&mut self) -> Option<(Cause, Error)> {
        let Artifact {
            path,
            home,
            tracker,
            ..
        } = &*self.artifact;
        let Shared {
            files,
            names,
            locality,
            ..
        } = &mut *self.shared;
        match tracker.is_missing() {
            true => None,
            false => doubt::about_absence(files, names, path, *home, *locality),
        }
    }

    fn cannot_look(&mut self, cause: Cause, error: Error) -> Option<Instant> {
        self.fail(Reached::Look, cause, error);
        let trouble = self.artifact.trouble.as_deref_mut();
        trouble.map(|trouble| self.shared.look_again(trouble))
    }

    fn path(&self) -> PathBuf {
        self.artifact.path.to_path_buf()
    }

    fn seen(&mut self, snapshot: Snapshot) -> Option<Instant> {
        self.recovered(Reached::Look);
        if snapshot.kind != Kind::File {
            let (path, kind) = (self.path(), snapshot.kind);
            let error = Error::NotAFile { path, kind };
            self.fail(Reached::Kind, Cause::Kind(kind), error);
            return None;
        }
        self.recovered(Reached::Kind);
        let target = self.remember_the_way();
        // Asked only now: an idle poll asks no clock.
        let now = self.shared.clock.now();
        let (mut order, whereabouts) = self.artifact.tracker.look(now, snapshot, &self.rules);
        self.say_whereabouts(whereabouts);
        loop {
            order = match order {
                Order::Rest(until) => return self.rest(until),
                Order::Ask => {
                    let Shared { gates, files, .. } = &mut *self.shared;
                    let gate = gates.ask(&self.artifact.path, target.as_deref(), files);
                    let now = self.shared.clock.now();
                    self.artifact.tracker.gate(now, gate, &self.rules)
                }
                // The next poll goes on here, at once.
                _ if self.shared.readings_left == 0 => return self.rest(Some(now)),
                Order::Digest => self.digest(&snapshot),
                Order::Stage => self.stage(&snapshot),
            }
        }
    }

    /// Learns, while something is suspect, what leads to the artifact: the links on the way, and where it is at home.
    /// Returns where the way ends.
    fn remember_the_way(&mut self) -> Option<PathBuf> {
        let files = &self.shared.files;
        // A way that cannot be followed any more: the next look will see that.
        let route = files.route(&self.artifact.path).ok();
        let hops = route.as_ref().and_then(|route| Hops::of(route, files));
        self.artifact.hops = hops;
        if let Ok(directory) = files.look(directory_of(&self.artifact.path))
            // Were it unmounted since the look at the artifact, that would be the wrong home.
            && files.look(&self.artifact.path).is_ok()
        {
            self.artifact.home = Some(directory.device);
        }
        route.map(|route| route.end)
    }

    /// Reads the artifact without keeping what was read.
    fn digest(&mut self, snapshot: &Snapshot) -> Order {
        match self.read(snapshot, &mut io::sink()) {
            Ok(reading) => self.artifact.tracker.digested(reading, &self.rules),
            Err(order) => order,
        }
    }

    /// Makes a private copy, and hands it over if it is news and passes vet.
    fn stage(&mut self, snapshot: &Snapshot) -> Order {
        // A copy that the owner has not taken yet is out of date: two at a time are enough.
        let has_decided = self.artifact.tracker.has_decided();
        if has_decided && self.shared.outbox.withdraw_content(&self.artifact.path) {
            self.artifact.tracker.taken_back();
        }
        let mut staged = match self.shared.files.create_staged(&self.artifact.path) {
            Ok(staged) => staged,
            Err(source) => return self.cannot_stage(source),
        };
        let reading = match self.read(snapshot, &mut staged) {
            Ok(reading) => reading,
            Err(order) => return order,
        };
        self.recovered(Reached::Stage);
        match self.artifact.tracker.staged(reading, &self.rules) {
            Some(order) => order,
            None => self.vet(reading, staged),
        }
    }

    fn vet(&mut self, reading: Reading, mut staged: F::Staged) -> Order {
        if let Err(source) = staged.rewind() {
            return self.cannot_stage(source);
        }
        let path = &self.artifact.path;
        let verdict = match vet::vet(&mut staged, &self.shared.options.exports) {
            Ok(vetted) => match self.shake_hands(&vetted) {
                Ok(()) => {
                    self.shared.files.seal(&mut staged, vetted.mapped);
                    self.hand_over(reading, staged, &vetted);
                    Verdict::Good
                }
                Err(source) => {
                    let path = path.to_path_buf();
                    self.keep_out(reading, Error::Handshake { path, source })
                }
            },
            Err(refusal) if refusal.is_incomplete() => {
                tracing::debug!(artifact = %path.display(), %refusal, "not complete yet");
                Verdict::Incomplete
            }
            // The copy cannot be read, which says nothing about the artifact.
            Err(Refusal::Unreadable(source)) => return self.cannot_stage(source),
            Err(source) => {
                let path = path.to_path_buf();
                self.keep_out(reading, Error::Vet { path, source })
            }
        };
        self.artifact.tracker.vetted(reading, verdict, &self.rules)
    }

    /// Compares the declaration that it was built from, if the host goes by one.
    fn shake_hands(&self, vetted: &Vetted) -> Result<(), Mismatch> {
        let expected = self.shared.options.expected;
        expected.map_or(Ok(()), |expected| {
            expected.check(vetted.handshake.as_deref())
        })
    }

    fn keep_out(&mut self, reading: Reading, error: Error) -> Verdict {
        let digest = Some(reading.digest);
        self.say(News::Kept(Kept { digest, error }));
        Verdict::Wrong
    }

    fn hand_over(&mut self, reading: Reading, staged: F::Staged, vetted: &Vetted) {
        if vetted.static_tls {
            tracing::warn!(
                "`{}` uses initial-exec thread-locals; a process has room for only a few copies of it, so later \
                 reloads may fail",
                self.artifact.path.display()
            );
        }
        let first_seen = self.artifact.tracker.first_seen().unwrap_or(reading.begun);
        self.say(News::Ready(Ready {
            digest: reading.digest,
            staged,
            first_seen,
        }));
    }

    /// One bracketed pass. What goes wrong is said, and answered with the order that follows from it.
    fn read(&mut self, snapshot: &Snapshot, copy: &mut impl Write) -> Result<Reading, Order> {
        self.shared.readings_left -= 1;
        let terms = Terms {
            snapshot: *snapshot,
            noise: self.artifact.tracker.noise(),
            locality: self.shared.locality,
        };
        let begun = self.shared.clock.now();
        let mut copy = Beating::new(copy, &self.shared.pulse);
        let read = digest::read(&self.shared.files, &self.artifact.path, terms, &mut copy);
        let ended = self.shared.clock.now();
        match read {
            Ok(digest) => {
                self.shared.digests += 1;
                self.recovered(Reached::Read);
                Ok(Reading {
                    begun,
                    ended,
                    digest,
                })
            }
            Err(Unread::Torn(seen)) => Err(self.artifact.tracker.torn(ended, seen, &self.rules)),
            // It was there a moment ago: that is a replacement, and the next look will see its end.
            Err(Unread::Artifact(error)) if is_absent(&error) => {
                Err(self.artifact.tracker.torn(ended, None, &self.rules))
            }
            Err(Unread::Artifact(source)) => {
                let (cause, path) = (Cause::from(&source), self.path());
                self.fail(Reached::Read, cause, Error::Read { path, source });
                Err(self.artifact.tracker.failed(ended))
            }
            Err(Unread::Staged(source)) => Err(self.cannot_stage(source)),
        }
    }

    fn cannot_stage(&mut self, source: io::Error) -> Order {
        let (cause, path) = (Cause::from(&source), self.path());
        self.fail(Reached::Stage, cause, Error::Stage { path, source });
        self.artifact.tracker.failed(self.shared.clock.now())
    }

    /// Says a failure, once for each cause until it is over.
    fn fail(&mut self, at: Reached, cause: Cause, error: Error) {
        let now = self.shared.clock.now();
        let trouble = Trouble::go_on(&mut self.artifact.trouble, at, now);
        if !trouble.is_news(now, cause) {
            tracing::debug!("{}", chain(&error));
            return;
        }
        self.say(match at.is_degradation() {
            true => News::Degraded(error),
            false => News::Kept(Kept {
                digest: None,
                error,
            }),
        });
    }

    /// Ends a trouble that is overcome by having come as far as `reached`.
    fn recovered(&mut self, reached: Reached) {
        let Some(trouble) = &mut self.artifact.trouble else {
            return;
        };
        if !trouble.is_over(self.shared.clock.now(), reached) {
            return;
        }
        let overcome = self.artifact.trouble.take();
        if overcome.is_some_and(|trouble| trouble.has_degraded()) {
            self.say(News::Recovered);
        }
    }

    fn say_whereabouts(&mut self, whereabouts: Option<Whereabouts>) {
        match whereabouts {
            Some(Whereabouts::Missing) => self.say(News::Missing),
            Some(Whereabouts::Returned) => self.say(News::Returned),
            None => {}
        }
    }

    fn say(&mut self, news: News<F::Staged>) {
        self.shared.outbox.say(&self.artifact.path, news);
    }

    /// Ends following for this poll: says what the artifact waits for, once per change of reason.
    fn rest(&mut self, until: Option<Instant>) -> Option<Instant> {
        let waiting = self.artifact.tracker.waiting();
        let is_new = waiting != self.artifact.waiting;
        self.artifact.waiting = waiting;
        if let Some(reason) = waiting
            && is_new
            && !(self.artifact.listed && reason == Waiting::Missing)
        {
            self.say(News::Waiting(reason));
        }
        until
    }
}
