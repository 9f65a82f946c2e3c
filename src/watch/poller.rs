//! The poller: the first half as a plain struct. A poller looks at artifacts, follows changes, and puts updates into
//! a queue. It has no thread and never sleeps; a [`Watcher`](super::watcher::Watcher), a test or a game loop drives
//! it. It decides nothing: [`Tracker`](crate::decide::change::Tracker) does.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::mem;
use std::path::{Path, PathBuf};
use std::slice;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;

use super::artifact::Artifact;
use super::directory::{Directory, Polled};
#[cfg(feature = "trial")]
use super::followed::Followed;
use super::following::follow;
use super::pulse::{Counts, Pulse};
use super::shared::Shared;
use super::update::{News, Report, Update};
use crate::decide::schedule::Schedule;
use crate::error::Error;
use crate::look::clock::{Clock, Monotonic};
use crate::look::digest::Digest;
use crate::look::files::{Files, Locality};
use crate::look::home::Home;
use crate::look::machine::OsFiles;
use crate::look::place::Place;
use crate::look::snapshot::Kind;
use crate::measures::Polls;
use crate::options::{FsPolicy, Options};
use crate::stage::copies::{Stage, StageDirectory};
#[cfg(feature = "trial")]
use crate::trials::{part, states::States};

/// Watches one path, without a thread of its own: the path of a library, or of a directory of libraries.
///
/// # Examples
///
/// Driven by hand, without a thread:
///
/// ```
/// use std::time::Instant;
/// use replug::Options;
/// use replug::watch::Poller;
///
/// let mut poller = Poller::new(Options::new("target/debug/libplugin01.so"))?;
/// let now = Instant::now();
/// let next = poller.poll(now);
/// for update in poller.updates().try_iter() {
///     println!("{}: {:?}", update.artifact.display(), update.news);
/// }
/// assert!(next > now);
/// # Ok::<(), replug::Error>(())
/// ```
pub struct Poller<F: Files = OsFiles, S: Stage = StageDirectory, C: Clock = Monotonic> {
    shared: Shared<F, S, C>,
    watched: Watched,
    /// Since when updates are held back for other updates of the same build.
    held_since: Option<Instant>,
    schedule: Schedule,
    polls: u64,
    /// The count of the polls for whoever collects such counts.
    measured: Polls,
    /// Dropped last: whoever has these, too, can tell when all else is gone.
    counts: Arc<Counts>,
}

/// The thing at the watched path, as it was last seen.
#[derive(Debug)]
enum Watched {
    /// A library, or nothing yet.
    File(Box<Artifact>),
    /// A directory of libraries.
    Directory(Box<Directory>),
}

impl Watched {
    fn artifacts(&self) -> &[Artifact] {
        match self {
            Watched::File(artifact) => slice::from_ref(artifact),
            Watched::Directory(directory) => directory.artifacts(),
        }
    }

    fn artifacts_mut(&mut self) -> &mut [Artifact] {
        match self {
            Watched::File(artifact) => slice::from_mut(artifact),
            Watched::Directory(directory) => directory.artifacts_mut(),
        }
    }

    fn find_mut(&mut self, path: &Path) -> Option<&mut Artifact> {
        let mut artifacts = self.artifacts_mut().iter_mut();
        artifacts.find(|artifact| **artifact.path() == *path)
    }

    /// Whether a directory itself cannot be looked at or listed. The troubles of artifacts are counted apart.
    fn is_troubled(&self) -> bool {
        matches!(self, Watched::Directory(directory) if directory.is_troubled())
    }

    /// Whether such a trouble was not reported, for it may end by itself.
    fn is_failing(&self) -> bool {
        matches!(self, Watched::Directory(directory) if directory.is_failing())
    }

    /// Whether such a trouble was reported.
    fn is_degraded(&self) -> bool {
        matches!(self, Watched::Directory(directory) if directory.is_degraded())
    }
}

/// The most libraries for which polls are brisk: so many looks take less than a hundredth of a processor.
const FEW: usize = 64;

/// The longest time that updates of one build are held back for each other, since the first of them was ready, or
/// since the last poll that had more of them to read than a poll may.
const HOLD: Duration = Duration::from_secs(1);

/// How long a poll takes at least whose looks fail because a server does not answer.
const SLOW: Duration = Duration::from_millis(200);

impl Poller {
    /// Watches a path on this machine's filesystem, by its monotonic clock.
    ///
    /// # Errors
    ///
    /// If there is no place for staged copies, the path is relative and the working directory is gone, or builds are to be tried
    /// and this program takes no part in that. The path itself need not exist yet.
    pub fn new(mut options: Options) -> Result<Poller, Error> {
        options.path = OsFiles
            .absolute(&options.path)
            .map_err(|source| Error::Look {
                path: options.path,
                source,
            })?;
        #[cfg(feature = "trial")]
        part::check(options.trial.as_ref()).map_err(|source| {
            let path = options.path.clone();
            Error::NoTrial { path, source }
        })?;
        let stage = StageDirectory::new(options.stage_dir.as_deref())?;
        Ok(Poller::with(options, OsFiles, stage, Monotonic))
    }
}

impl<F: Files, S: Stage, C: Clock> Poller<F, S, C> {
    /// Watches a path on any filesystem, with copies in any stage, by any clock.
    pub fn with(options: Options, files: F, stage: S, clock: C) -> Poller<F, S, C> {
        // Each process, and each poller in it, gets its own keys from the system.
        let seed = options
            .seed
            .unwrap_or_else(|| RandomState::new().hash_one(&options.path));
        let schedule = Schedule::new(options.interval, options.steady, seed);
        let shared = Shared::new(options, files, stage, clock);
        Poller {
            watched: Watched::File(Box::new(Artifact::named(Arc::clone(&shared.root)))),
            measured: Polls::of(&shared.root),
            schedule,
            shared,
            held_since: None,
            polls: 0,
            counts: Arc::default(),
        }
    }

    /// The place that the watched path was found to be at when that was last [asked](Poller::survey); before, what the
    /// system tells of it without asking the filesystem.
    pub fn place(&self) -> &Place {
        &self.shared.rules.place
    }

    /// The queue in which updates arrive.
    pub fn updates(&self) -> &Receiver<Update<S::Staged>> {
        self.shared.outbox.receiver()
    }

    /// The watched path; an absolute one, whatever the options said.
    pub fn path(&self) -> &Path {
        &self.shared.root
    }

    /// The stage that holds the private copies.
    pub fn stage(&self) -> &S {
        &self.shared.stage
    }

    /// The present time, by the poller's clock.
    pub fn now(&self) -> Instant {
        self.shared.clock.now()
    }

    /// How many polls have been made.
    pub fn polls(&self) -> u64 {
        self.polls
    }

    /// How many times an artifact was read and digested.
    pub fn digests(&self) -> u64 {
        self.shared.digests
    }

    /// The counts of polls and digests, for readers who outlive the poller.
    pub(crate) fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }

    /// The worker's signs of life.
    pub(crate) fn pulse(&self) -> Arc<Pulse> {
        Arc::clone(&self.shared.pulse)
    }

    /// Finds out which filesystem the path is on, and how files are looked at there. A poll that finds the path on
    /// another device than before, or for the first time, does so by itself.
    ///
    /// Returns the kind of thing that is at the path, if anything is.
    pub fn survey(&mut self) -> Option<Kind> {
        self.shared.survey()
    }

    /// Says which place the path is at, unless what was `said` before comes to the same.
    pub(super) fn say_place_unless(&mut self, said: &Place) {
        self.shared.say_place_unless(said);
    }

    /// One poll: looks at everything once, follows each suspect artifact, and says when to poll next. `now` is the
    /// present time, by the poller's clock.
    ///
    /// On a local filesystem an idle poll looks once at each artifact, and once at each directory that is searched.
    /// The poll opens no artifact; on Linux, if a directory holds many artifacts, the poll opens the directory, to
    /// look from there. For paths of less than 256 bytes an idle poll allocates nothing. On a remote filesystem the
    /// poll asks for the names on the way to each artifact, and opens the artifact to look at it; on NFS it only looks.
    /// The poll reads none of the content.
    pub fn poll(&mut self, now: Instant) -> Instant {
        self.polls += 1;
        self.measured.count();
        self.shared.stage.tidy();
        self.shared.begin();
        let again = self.shared.keep(now);
        self.stage_each_again(&again);
        let wanted = self.poll_watched(now);
        #[cfg(feature = "trial")]
        let wanted = [wanted, self.follow_trials(now)]
            .into_iter()
            .flatten()
            .min();
        // Before the news are delivered: who acts on them can then see how many polls and digests they took.
        self.counts.set(self.polls, self.shared.digests);
        self.note_work(now);
        self.deliver(now);
        self.shared.finish_keeping();
        let keeping = self.shared.keeping.as_ref();
        let probation = keeping.and_then(|keeping| keeping.next());
        let wanted = [wanted, probation].into_iter().flatten().min();
        let (next, took) = self.next(now, wanted);
        // A poll within a pause has learned nothing new.
        let is_failing = self.shared.has_looked.then(|| self.is_failing(took));
        self.shared.pulse.end(is_failing);
        next
    }

    /// Whether a poll that `took` so long has failed to look at something, and nobody was told; or was so slow to fail that
    /// a server which did not answer still does not.
    fn is_failing(&self, took: Duration) -> bool {
        let is_degraded = self.shared.is_degraded || self.watched.is_degraded();
        let is_failing = self.shared.is_failing || self.watched.is_failing();
        is_failing || is_degraded && took >= SLOW
    }

    /// Forgets the decision about an artifact, for an owner who has let go of it: should the artifact be published again,
    /// it is ready again, whatever its bytes.
    pub fn forget(&mut self, artifact: &Path) {
        #[cfg(feature = "trial")]
        self.shared.trials.give_up(artifact);
        if let Some(found) = self.watched.find_mut(artifact) {
            found.forget();
        }
        if let Some(keeping) = &mut self.shared.keeping {
            keeping.live.remove(artifact);
        }
    }

    /// Makes another copy of an artifact though its file has not changed, at the next poll, for an owner whose copy was
    /// taken away before it was loaded.
    pub fn stage_again(&mut self, artifact: &Path) {
        let now = self.shared.clock.now();
        if let Some(found) = self.watched.find_mut(artifact) {
            found.stage_again(now);
        }
    }

    fn stage_each_again(&mut self, artifacts: &[PathBuf]) {
        artifacts.iter().for_each(|it| self.stage_again(it));
    }

    /// Whether the builds are kept in a store.
    pub(crate) fn keeps(&self) -> bool {
        self.shared.keeping.is_some()
    }

    /// Takes down what became of a build that was handed over.
    pub(crate) fn became(&mut self, report: Report) {
        let now = self.shared.clock.now();
        self.shared.became(now, report);
    }

    /// Goes back to the build of an artifact before the live one, or to that of a digest.
    pub(crate) fn go_back(&mut self, artifact: &Path, to: Option<Digest>) {
        self.shared.owner_goes_back(artifact, to);
    }

    /// Lets builds in again that were left.
    pub(crate) fn release(&mut self, digest: Option<Digest>) {
        let again = self.shared.owner_releases(digest);
        self.stage_each_again(&again);
    }

    /// Counts a call of a live build that has failed.
    pub(crate) fn call_failed(&mut self, artifact: &Path, digest: Digest) {
        let now = self.shared.clock.now();
        self.shared.call_failed(now, artifact, digest);
    }

    /// Ends all pauses: the next poll looks at everything and tries everything again, whatever has failed lately.
    pub(crate) fn end_pauses(&mut self) {
        #[cfg(feature = "trial")]
        self.shared.trials.end_pauses();
        let now = self.shared.clock.now();
        match &mut self.watched {
            Watched::File(artifact) => artifact.end_pauses(now),
            Watched::Directory(directory) => directory.end_pauses(now),
        }
    }

    /// The time of the next poll, if something `wanted` a poll before the interval is over; and how long this poll took
    /// on a remote filesystem. Polls of a local one are not timed: that would cost as much as a look.
    fn next(&mut self, now: Instant, wanted: Option<Instant>) -> (Instant, Duration) {
        let (next, took) = match self.shared.locality() {
            Locality::Local => (self.schedule.next_local(now), Duration::ZERO),
            Locality::Remote => {
                let is_busy = self.shared.is_busy || self.watched.is_troubled();
                let ended = self.shared.clock.now();
                let round = self.shared.round_took;
                let next = self.schedule.next_remote(now, ended, round, is_busy);
                (next, ended.saturating_duration_since(now))
            }
        };
        let held_until = self.held_since.map(|since| since + HOLD);
        let wanted = [wanted, held_until].into_iter().flatten().min();
        let next = wanted.map_or(next, |wanted| next.min(wanted)).max(now);
        (next, took)
    }

    /// Goes on with the builds that are being tried. Returns when to look after them again.
    #[cfg(feature = "trial")]
    fn follow_trials(&mut self, now: Instant) -> Option<Instant> {
        if self.shared.trials.is_empty() {
            return None;
        }
        for ended in self.shared.trials.ended() {
            // Nobody waits for the build of a library that is let go of.
            if let Some(artifact) = self.watched.find_mut(ended.artifact()) {
                let shared = &mut self.shared;
                Followed { artifact, shared }.tried(now, ended);
            }
        }
        let Shared { trials, rules, .. } = &mut self.shared;
        trials.retain(|artifact| self.watched.find_mut(artifact).is_some());
        trials.begin(now, rules.options.trial.as_ref());
        trials.next_look(now)
    }

    /// Where trials look for the state of a live generation, if that is wanted.
    #[cfg(feature = "trial")]
    pub(crate) fn states(&self) -> Option<&States> {
        self.shared.rules.options.trial.as_ref()?.states.as_ref()
    }

    /// Polls the file or directory that was last seen at the path, or else its successor. Returns when to poll again,
    /// if before the interval is over.
    fn poll_watched(&mut self, now: Instant) -> Option<Instant> {
        let Poller {
            watched, shared, ..
        } = self;
        match watched {
            Watched::File(artifact) => {
                if let Some(until) = artifact.pauses_until(now) {
                    artifact.note(shared);
                    return Some(until);
                }
                let look = artifact.look(shared, None);
                if let Ok(root) = &look {
                    shared.notice_device(root.device);
                    if root.kind == Kind::Directory {
                        self.become_directory(root.device);
                        return self.poll_watched(now);
                    }
                }
                let until = follow(artifact, now, look, shared);
                artifact.note(shared);
                until
            }
            Watched::Directory(directory) => match directory.poll(now, shared) {
                Polled::Until(until) => until,
                Polled::NoDirectory => {
                    self.become_file();
                    self.poll_watched(now)
                }
            },
        }
    }

    fn become_directory(&mut self, device: u64) {
        let Watched::File(artifact) = &self.watched else {
            return;
        };
        let root = Arc::clone(&self.shared.root);
        // What was said of the path as a file holds for the directory, or is over.
        if artifact.is_degraded() {
            self.shared.outbox.say(&root, News::Recovered);
        }
        let was_said_empty = artifact.is_idle();
        let depth = self.shared.rules.options.depth;
        let home = Home::at_the_end_of(&artifact.way, device);
        let directory = Directory::new(root, home, depth, was_said_empty);
        self.watched = Watched::Directory(Box::new(directory));
    }

    fn become_file(&mut self) {
        let root = Arc::clone(&self.shared.root);
        let file = Watched::File(Box::new(Artifact::named(Arc::clone(&root))));
        let Watched::Directory(directory) = mem::replace(&mut self.watched, file) else {
            return;
        };
        if directory.is_degraded() {
            self.shared.outbox.say(&root, News::Recovered);
        }
        // The libraries went with their directory, and nobody looks for them any more.
        for artifact in directory.artifacts() {
            if artifact.can_be_missed() {
                self.shared.outbox.say(artifact.path(), News::Missing);
            }
        }
    }

    /// Tells the schedule of a change that this poll has found, or of a build that holds a suspect artifact back.
    fn note_work(&mut self, now: Instant) {
        let shared = &self.shared;
        let mut artifacts = self.watched.artifacts().iter();
        // Not a build that has held its lock for longer than the cap: it may hang for ever.
        let is_building = shared.is_busy && artifacts.any(Artifact::is_gated);
        if !is_building {
            self.schedule.let_go();
        }
        if !(is_building || shared.outbox.has_changes()) {
            return;
        }
        // A look at many takes long, and one behind a link, or where only the user says so, may go to a server.
        let artifacts = self.watched.artifacts();
        let is_cheap = artifacts.len() <= FEW
            && shared.rules.options.fs == FsPolicy::Auto
            && !artifacts.iter().any(Artifact::leads_elsewhere);
        if is_cheap {
            self.schedule.works(now);
            if is_building {
                self.schedule.held_back(now);
            }
        }
    }

    /// Puts the news of this poll into the queue; but the libraries of one build together, once the gate has let them
    /// pass.
    fn deliver(&mut self, now: Instant) {
        if self.shared.outbox.is_empty() {
            self.held_since = None;
            return;
        }
        let mut artifacts = self.watched.artifacts().iter();
        let is_more_coming = artifacts.any(Artifact::is_passing);
        if self.shared.is_out_of_readings() {
            // The rest of the build follows at once; the updates so far wait for it.
            self.held_since = None;
        }
        if is_more_coming && now < *self.held_since.get_or_insert(now) + HOLD {
            return;
        }
        self.held_since = None;
        self.shared.outbox.deliver();
    }
}

impl<F: Files, S: Stage, C: Clock> fmt::Debug for Poller<F, S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Poller")
            .field("path", &self.shared.root)
            .field("artifacts", &self.watched.artifacts().len())
            .field("polls", &self.polls)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::cell::Cell;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::rc::Rc;

    use super::*;

    /// A clock that stands still until it is moved.
    #[derive(Clone)]
    struct Hands(Rc<Cell<Instant>>);

    impl Clock for Hands {
        fn now(&self) -> Instant {
            self.0.get()
        }
    }

    #[track_caller]
    fn poll_until(
        poller: &mut Poller<OsFiles, StageDirectory, Hands>,
        hands: &Hands,
        is_so: impl Fn(&Poller<OsFiles, StageDirectory, Hands>) -> bool,
    ) {
        for _ in 0..100 {
            hands.0.set(hands.now() + Duration::from_millis(100));
            poller.poll(hands.now());
            if is_so(poller) {
                return;
            }
        }
        panic!("it never is so: {poller:?}");
    }

    #[test]
    fn a_poll_that_stops_early_leaves_the_troubles_of_the_rest_as_they_are() {
        let scratch = tempfile::tempdir().unwrap();
        let watched = scratch.path().join("watched");
        fs::create_dir(&watched).unwrap();
        let paths: Vec<PathBuf> = (0..100)
            .map(|number| watched.join(format!("liba{number:03}.so")))
            .collect();
        let replace_all = |content: &str| {
            for path in &paths {
                let new = scratch.path().join("new");
                fs::write(&new, content).unwrap();
                fs::rename(new, path).unwrap();
            }
        };
        replace_all("no library");
        symlink("libz.so", watched.join("libz.so")).unwrap();
        let stage = StageDirectory::new(Some(scratch.path())).unwrap();
        let hands = Hands(Rc::new(Cell::new(Instant::now())));
        let mut poller = Poller::with(Options::new(&watched), OsFiles, stage, hands.clone());
        poll_until(&mut poller, &hands, |poller| {
            let decided = poller
                .watched
                .artifacts()
                .iter()
                .filter(|each| each.has_decided());
            poller.shared.is_degraded && decided.count() == paths.len()
        });
        replace_all("no library either");
        poll_until(&mut poller, &hands, |poller| {
            poller.shared.is_out_of_readings()
        });
        assert!(
            poller.shared.is_degraded,
            "nobody has looked at the link again"
        );
    }
}
