//! The things that all artifacts of a poller share: files, stage and clock, the queue, the answers of one poll so far,
//! and the readings that the poll may still make. Nothing is decided here.

use std::io;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use replug_plugin::shown::shown;

use super::alive::Alive;
use super::keeper::Keeping;
use super::pulse::Pulse;
#[cfg(feature = "trial")]
use super::underway::Underway;
use super::update::{News, Outbox};
use crate::admission::Standings;
use crate::decide::settle::Rules;
use crate::decide::trouble::Trouble;
use crate::decide::trust::Said;
use crate::look::clock::Clock;
use crate::look::files::{Files, Filesystem, Locality, Names as Asked};
use crate::look::gate::Gates;
use crate::look::names::{Answer, KnownNames};
use crate::look::place::{self, Place};
use crate::look::snapshot::{Kind, Snapshot};
use crate::look::way::{self, Way};
use crate::options::Options;
use crate::stage::copies::Stage;
use crate::warning::Warning;

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
    /// Whether it was said that looks are less fresh than they should be.
    has_warned: bool,
    /// When it was last asked where a path would be that is not there.
    absence_noticed: Option<Instant>,
    pub(super) rules: Rules,
    pub(super) files: Alive<F>,
    pub(super) stage: S,
    pub(super) clock: C,
    pub(super) outbox: Outbox<S::Staged>,
    /// The builds that are being tried.
    #[cfg(feature = "trial")]
    pub(super) trials: Underway<S::Staged>,
    pub(super) digests: u64,
    /// The flaws in the rights of artifacts that were said.
    pub(super) distrusted: Said,
    /// The answers of gates and directories in this poll, and how many readings the poll may still make.
    pub(super) gates: Gates,
    pub(super) names: KnownNames,
    pub(super) readings_left: u32,
    /// Whether this poll has found a change that is being followed, a trouble that was said, and a failure to look that
    /// was not said.
    pub(super) is_busy: bool,
    pub(super) is_degraded: bool,
    pub(super) is_failing: bool,
    /// Whether it was said, and not taken back, that the watched directory cannot be looked at or listed.
    pub(super) is_directory_degraded: bool,
    /// Whether this poll has looked at anything, as opposed to one within a pause.
    pub(super) has_looked: bool,
    /// How long this poll took to look at all libraries of a remote directory, which has a pace of its own.
    pub(super) round_took: Duration,
    pub(super) pulse: Arc<Pulse>,
    /// The store, if the host has one.
    pub(super) keeping: Option<Box<Keeping>>,
    /// What the signatures of live builds say.
    pub(super) standings: Standings,
}

impl<F: Files, S: Stage, C: Clock> Shared<F, S, C> {
    pub(super) fn new(mut options: Options, files: F, stage: S, clock: C) -> Shared<F, S, C> {
        // A plugin that changes the working directory must not lead the watch elsewhere. If nobody knows the working
        // directory, nothing is found by a relative path, as the first look will say.
        options.path = files.absolute(&options.path).unwrap_or(options.path);
        let pulse = Arc::<Pulse>::default();
        let keeping = Keeping::of(&options);
        let mounted = files.mounted(&options.path);
        let place = Place::on(mounted.unwrap_or_else(Filesystem::unknown), &options);
        Shared {
            root: options.path.as_path().into(),
            device: None,
            is_surveyed: false,
            has_warned: false,
            absence_noticed: None,
            rules: Rules { place, options },
            files: Alive::new(files, Arc::clone(&pulse)),
            stage,
            clock,
            outbox: Outbox::new(),
            #[cfg(feature = "trial")]
            trials: Underway::default(),
            digests: 0,
            distrusted: Said::default(),
            gates: Gates::default(),
            names: KnownNames::default(),
            readings_left: READINGS,
            is_busy: false,
            is_degraded: false,
            is_failing: false,
            is_directory_degraded: false,
            has_looked: false,
            round_took: Duration::ZERO,
            pulse,
            keeping,
            standings: Standings::default(),
        }
    }

    /// Who can change the files.
    pub(super) fn locality(&self) -> Locality {
        self.rules.place.locality
    }

    /// Finds out which filesystem the path is on, and how files are looked at there. Returns the kind of thing that is at
    /// the path, if anything is.
    pub(super) fn survey(&mut self) -> Option<Kind> {
        self.pulse.begin();
        // The look comes before the question: should a filesystem be mounted in between, the next look finds another
        // device.
        let root = self.files.look(&self.root);
        if self.device.is_none() {
            let device = root.as_ref().map(|root| root.device);
            self.device = device.or_else(|_| self.device_of_nothing(&self.root)).ok();
        }
        let filesystem = place::filesystem(&self.files, &self.root);
        self.rules.place = Place::on(filesystem, &self.rules.options);
        self.is_surveyed = true;
        if self.files.has_plain_looks() && !mem::replace(&mut self.has_warned, true) {
            let warning = News::Warned(Warning::PlainLooks);
            self.outbox.say(&self.root, warning);
        }
        let place = &self.rules.place;
        tracing::debug!(artifact = %shown(&*self.root), ?place, "surveyed");
        root.ok().map(|root| root.kind)
    }

    /// Whether this is another device than the one that the path was last seen on.
    pub(super) fn is_elsewhere(&self, device: u64) -> bool {
        self.device.is_some_and(|before| before != device)
    }

    /// Surveys again if the device is another than before: then the path is on another filesystem. A path that is not
    /// there counts as part of the nearest directory above it.
    pub(super) fn notice_device(&mut self, device: u64) {
        if self.device.replace(device) == Some(device) {
            return;
        }
        let before = self.rules.place.clone();
        self.survey();
        self.say_place_unless(&before);
    }

    /// Says which place the path is at, unless what was `said` before comes to the same.
    pub(super) fn say_place_unless(&mut self, said: &Place) {
        let place = &self.rules.place;
        if place.differs_from(said) {
            self.outbox.say(&self.root, News::Placed(place.clone()));
        }
    }

    /// Another poll begins.
    pub(super) fn begin(&mut self) {
        if !self.is_surveyed {
            self.survey();
        }
        (self.is_busy, self.is_degraded, self.is_failing) = (false, false, false);
        self.is_directory_degraded = false;
        self.round_took = Duration::ZERO;
        self.has_looked = false;
        self.pulse.begin();
        self.gates.forget();
        self.names.forget();
        self.readings_left = READINGS;
    }

    /// A look begins.
    pub(super) fn begin_look(&mut self) {
        self.has_looked = true;
    }

    /// When to look again at a path that could not be looked at.
    pub(super) fn next_look(&self, trouble: &mut Trouble) -> Instant {
        trouble.next_look(self.clock.now(), self.rules.options.interval)
    }

    /// Whether the remaining work has to wait for the next poll.
    pub(super) fn is_out_of_readings(&self) -> bool {
        self.readings_left == 0
    }

    /// A directory on this device was asked for its names in this poll.
    pub(super) fn has_listed(&mut self, directory: &Path, device: u64) {
        self.names.has_asked(directory, device);
    }

    /// Learns the way to `path`, and returns the path at its end. `asks_for_all` as for [`Way::learn`].
    pub(super) fn learn(
        &self,
        way: &mut Way,
        path: &Path,
        asks_for_all: bool,
    ) -> io::Result<PathBuf> {
        let Rules { place, options } = &self.rules;
        way.learn(path, asks_for_all, place, options, &self.files)
    }

    /// Asks for the names on the way to `path`, so that a look at the path is fresh: from the root of the mount on, and
    /// each directory once in a poll. A way that leads elsewhere by now is learned anew, and sets `has_turned`.
    /// `asks_for_all` as for [`Way::learn`].
    pub(super) fn ask_on(
        &mut self,
        way: &mut Way,
        path: &Path,
        asks_for_all: bool,
        has_turned: &mut bool,
    ) -> io::Result<()> {
        /// The most turns that are followed at once. A way that turns once more is followed in the next poll.
        const TURNS: usize = 4;
        for _ in 0..TURNS {
            if !way.is_learned_for(&self.rules.place) {
                // If the way cannot be followed, the look will say why.
                let _ = self.learn(way, path, asks_for_all);
            }
            if self.ask_each(way, path)? {
                break;
            }
            way.forget();
            *has_turned = true;
        }
        Ok(())
    }

    /// Asks for the names on a way, and says whether the way still leads to where it led.
    fn ask_each(&mut self, way: &mut Way, path: &Path) -> io::Result<bool> {
        let has_links = way.has_links();
        let mut links_followed = 0;
        let now = self.clock.now();
        for number in 0..way.steps().len() {
            // From the top down: a link that leads elsewhere by now may lead away from a server that does not answer.
            let behind = way.steps()[number].behind;
            if way.has_moved(path, links_followed..behind, &self.files)? {
                return Ok(false);
            }
            links_followed = behind;
            let (step, below) = way.steps()[number..].split_at_mut(1);
            let step = &mut step[0];
            match self.names.ask(step, now, &self.files)? {
                Answer::Fresh(device) if device == step.device => {}
                // It was unmounted, and the way begins elsewhere.
                Answer::Absent if step.is_root => return Ok(false),
                // Nothing is below it, as the look will find; but a link may lead elsewhere by now.
                Answer::Absent => return Ok(true),
                Answer::Struck if has_links => return Ok(true),
                Answer::Struck => {
                    let below = below.iter();
                    let below = below.filter(|below| below.directory.starts_with(&step.directory));
                    below.for_each(|below| self.names.is_struck(&below.directory));
                    return Err(io::ErrorKind::NotFound.into());
                }
                // A mount came or went, so the way begins elsewhere, or there is a link now.
                Answer::Fresh(_) | Answer::Other => return Ok(false),
            }
        }
        if way.has_moved(path, links_followed.., &self.files)? {
            return Ok(false);
        }
        let asked = way.steps().last().map(|step| step.asked);
        if asked.or(self.rules.place.asks()) == Some(Asked::ByListing) {
            self.files.ask_for_name(way.end(path));
        }
        let was_named = way.was_named();
        match was_named.is_some_and(|was_named| self.names.has_struck(path, was_named)) {
            true => Err(io::ErrorKind::NotFound.into()),
            false => Ok(true),
        }
    }

    /// Nothing was found at `path`. Should a link have come to be there, its way is to be learned: the client may remember
    /// of the names behind the link that there are none.
    pub(super) fn expect_a_link(&self, way: &mut Way, path: &Path) {
        let is_link = |seen: Snapshot| seen.kind == Kind::Link;
        if self.rules.place.is_remote() && self.files.look_link(way.end(path)).is_ok_and(is_link) {
            way.forget();
        }
    }

    /// Takes note of what is there instead of the filesystem of a path: a directory on this `device`, or nothing. The path
    /// keeps its place, unless that was a local one and this is a remote one, whose client must be asked for names.
    pub(super) fn notice_loss(&mut self, path: &Path, device: Option<u64>) {
        let instead = place::filesystem(&self.files, path);
        let instead = Place::on(instead, &self.rules.options);
        if instead.is_remote()
            && !self.rules.place.is_remote()
            && let Ok(device) = device.map_or_else(|| self.device_of_nothing(path), Ok)
        {
            self.notice_device(device);
        }
    }

    /// Takes note of the filesystem on which a path would be that is not there, now and then: a filesystem may have been
    /// mounted on the way to it.
    pub(super) fn notice_absence(&mut self, now: Instant, path: &Path, way: &mut Way) {
        /// An idle poll of nothing is one look, but for one poll in this time.
        const PAUSE: Duration = Duration::from_secs(1);
        if self.absence_noticed.is_some_and(|at| now < at + PAUSE) {
            return;
        }
        self.absence_noticed = Some(now);
        if let Ok(device) = self.device_of_nothing(path) {
            way.forget_unless_on(device);
            self.notice_device(device);
        }
    }

    /// The device on which `path` would be, where nothing is: that of the nearest directory above; for a link that leads
    /// to nothing, above where it leads.
    fn device_of_nothing(&self, path: &Path) -> io::Result<u64> {
        let end = self.files.route(path).map(|route| route.end);
        way::device_above(end.as_deref().unwrap_or(path), &self.files)
    }
}
