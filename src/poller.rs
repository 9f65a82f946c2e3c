//! The first half as a plain struct: looks at artifacts, follows what changed, and puts updates into a queue.
//! It has no thread and never sleeps; a [`Watcher`](crate::Watcher), a test or a game loop drives it. It
//! decides nothing: [`Tracker`](crate::change::Tracker) does.

mod directory;

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;

use crate::absence::Absence;
use crate::artifact::{Artifact, Shared};
use crate::error::Error;
use crate::files::{Clock, Files, Filesystem, Locality};
use crate::locality::{self, Watched};
use crate::machine::{Monotonic, OsFiles};
use crate::options::Options;
use crate::pulse::{Counts, Pulse};
use crate::scan::Scan;
use crate::schedule::Schedule;
use crate::snapshot::Kind;
use crate::stage::StageDirectory;
use crate::trouble::Trouble;
use crate::update::Update;

/// Watches one path: a library, or a directory of libraries.
///
/// # Examples
///
/// Driven by hand, without a thread:
///
/// ```
/// use std::time::Instant;
/// use replug::{Options, Poller};
///
/// let mut poller = Poller::new(Options::new("target/debug/libplugin01.so"))?;
/// let next = poller.poll(Instant::now());
/// for update in poller.updates().try_iter() {
///     println!("{}: {:?}", update.artifact.display(), update.news);
/// }
/// assert!(next > Instant::now());
/// # Ok::<(), replug::Error>(())
/// ```
pub struct Poller<F: Files = OsFiles, C: Clock = Monotonic> {
    shared: Shared<F, C>,
    root: Arc<Path>,
    /// `None` while the path has not been seen to be a directory.
    scan: Option<Scan>,
    artifacts: Vec<Artifact>,
    /// What is wrong with the directory, and since when it is gone.
    trouble: Option<Box<Trouble>>,
    absence: Absence,
    /// Whether it was last said, of the path or of the directory, that there is no library.
    is_empty: bool,
    /// The device that the path was last seen on: on another one, everything is to be found out anew.
    device: Option<u64>,
    /// Where to go on, if the last poll made as many readings as one may.
    turn: usize,
    /// Since when updates are held back for others of the same build.
    held_since: Option<Instant>,
    /// Whether this poll found a change that is being followed, and a trouble that was said.
    is_busy: bool,
    is_degraded: bool,
    schedule: Schedule,
    watched: Watched,
    is_surveyed: bool,
    polls: u64,
    counts: Arc<Counts>,
}

/// Updates of one build are held back for each other for at most this long since the first of them was ready, or since the
/// last poll that had more of them to read than a poll may.
const HOLD: Duration = Duration::from_secs(1);

impl Poller {
    /// Watches a path on this machine's filesystem, by its monotonic clock.
    ///
    /// # Errors
    ///
    /// If there is no place for staged copies. The path itself need not exist yet.
    pub fn new(options: Options) -> Result<Poller, Error> {
        let stage = StageDirectory::new(options.stage_dir.as_deref())?;
        let place = stage.path().map(Path::to_owned);
        let mut poller = Poller::with(options, OsFiles::new(stage), Monotonic);
        poller.watched.stage = place;
        Ok(poller)
    }
}

impl<F: Files, C: Clock> Poller<F, C> {
    /// Watches a path on any filesystem, by any clock.
    pub fn with(options: Options, files: F, clock: C) -> Poller<F, C> {
        let root: Arc<Path> = options.path.as_path().into();
        // Each process, and each poller in it, gets its own keys from the system.
        let seed = options
            .seed
            .unwrap_or_else(|| RandomState::new().hash_one(&root));
        Poller {
            artifacts: vec![Artifact::named(Arc::clone(&root))],
            root,
            watched: Watched::on(Filesystem::unknown(), &options),
            is_surveyed: false,
            schedule: Schedule::new(options.interval, options.steady, seed),
            shared: Shared::new(options, files, clock),
            scan: None,
            trouble: None,
            absence: Absence::default(),
            is_empty: false,
            device: None,
            turn: 0,
            held_since: None,
            is_busy: false,
            is_degraded: false,
            polls: 0,
            counts: Arc::default(),
        }
    }

    /// What the watched path was found to be on when that was last [asked](Poller::survey).
    pub fn watched(&self) -> &Watched {
        &self.watched
    }

    /// Where updates arrive.
    pub fn updates(&self) -> &Receiver<Update<F::Staged>> {
        self.shared.outbox.receiver()
    }

    /// What it watches.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// The present, by the clock it was made with.
    pub fn now(&self) -> Instant {
        self.shared.clock.now()
    }

    /// How often it was polled.
    pub fn polls(&self) -> u64 {
        self.polls
    }

    /// How many times an artifact was read and digested.
    pub fn digests(&self) -> u64 {
        self.shared.digests
    }

    /// What it has done so far, for those who outlive it.
    pub(crate) fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }

    /// The worker's signs of life.
    pub(crate) fn pulse(&self) -> Arc<Pulse> {
        Arc::clone(&self.shared.pulse)
    }

    /// Finds out which filesystem the path is on, and what follows from that. Each poll that finds it on another device
    /// than before, or for the first time, does the same.
    pub fn survey(&mut self) {
        self.shared.pulse.begin();
        if self.device.is_none() {
            // Before the question: should it be mounted in between, the next look finds it on another device.
            let root = self.shared.files.look(&self.root);
            self.device = root.ok().map(|root| root.device);
        }
        let filesystem = locality::filesystem(&self.shared.files, &self.root);
        self.shared.looks_can_lag = Watched::can_lag(&filesystem, &self.shared.options);
        let stage = self.watched.stage.take();
        self.watched = Watched {
            stage,
            ..Watched::on(filesystem, &self.shared.options)
        };
        self.is_surveyed = true;
        self.shared.locality = self.watched.locality;
        self.shared.gate = self.watched.gate;
        let watched = &self.watched;
        tracing::debug!(path = %self.root.display(), ?watched, "surveyed");
    }

    /// Looks at everything once, follows what is suspect, and says when to poll next. `now` is the present,
    /// by the clock it was made with.
    ///
    /// On a local filesystem an idle poll looks once at each artifact, and once at each directory that is searched. It
    /// opens no artifact; on Linux, where a directory holds many, it opens the directory, to look from there. For paths of
    /// less than 256 bytes it allocates nothing. On a remote filesystem it reads the names in each directory, and opens
    /// each artifact to look at it; it reads none of the content.
    pub fn poll(&mut self, now: Instant) -> Instant {
        if !self.is_surveyed {
            self.survey();
        }
        self.polls += 1;
        self.shared.begin();
        (self.is_busy, self.is_degraded) = (false, false);
        let wanted = match self.scan.is_some() {
            true => self.poll_directory(now),
            false => self.poll_file(now),
        };
        // Before the news: who acts on them can see what it took to find them.
        self.counts.set(self.polls, self.shared.digests);
        self.deliver(now);
        let next = self.next(now, wanted);
        let is_degraded = self.trouble.as_deref().is_some_and(Trouble::has_degraded);
        self.shared.pulse.end(self.is_degraded || is_degraded);
        next
    }

    /// The next poll looks at everything and tries everything again, whatever has failed lately.
    pub(crate) fn end_pauses(&mut self) {
        let now = self.shared.clock.now();
        if let Some(trouble) = &mut self.trouble {
            trouble.end_pause(now);
        }
        let artifacts = self.artifacts.iter_mut();
        artifacts.for_each(|artifact| artifact.end_pauses(now));
    }

    /// When to poll next, if something `wanted` it before the interval is over.
    fn next(&mut self, now: Instant, wanted: Option<Instant>) -> Instant {
        let next = match self.shared.locality {
            Locality::Local => self.schedule.next_phase(now),
            Locality::Remote => {
                let is_busy = self.is_busy || self.trouble.is_some();
                let ended = self.shared.clock.now();
                self.schedule.next_remote(now, ended, is_busy)
            }
        };
        let held_until = self.held_since.map(|since| since + HOLD);
        let wanted = [wanted, held_until].into_iter().flatten().min();
        wanted.map_or(next, |wanted| next.min(wanted)).max(now)
    }

    /// The path is a library, or leads nowhere yet.
    fn poll_file(&mut self, now: Instant) -> Option<Instant> {
        let [artifact] = self.artifacts.as_slice() else {
            return None;
        };
        if let Some(until) = artifact.pauses_until(now) {
            self.note(0);
            return Some(until);
        }
        let look = artifact.look(&mut self.shared, None);
        if let Ok(root) = &look {
            self.notice_device(root.device);
            if root.kind == Kind::Directory {
                self.become_directory();
                return self.poll_directory(now);
            }
        }
        let [artifact] = self.artifacts.as_mut_slice() else {
            return None;
        };
        let until = artifact.follow(now, look, &mut self.shared);
        self.note(0);
        until
    }

    /// Takes down how things are with an artifact.
    fn note(&mut self, index: usize) {
        let artifact = &self.artifacts[index];
        self.is_busy |= artifact.is_busy();
        self.is_degraded |= artifact.is_degraded();
    }

    /// Puts what was said into the queue; but the libraries of one build together, once the gate has let them pass.
    fn deliver(&mut self, now: Instant) {
        if self.shared.outbox.is_empty() {
            self.held_since = None;
            return;
        }
        let is_more_coming = self.artifacts.iter().any(Artifact::is_passing);
        if self.shared.is_out_of_readings() {
            // The rest of the build follows at once; what came so far waits for it.
            self.held_since = None;
        }
        if is_more_coming && now < *self.held_since.get_or_insert(now) + HOLD {
            return;
        }
        self.held_since = None;
        self.shared.outbox.deliver();
    }

    /// A path on another device than before is on another filesystem, and one that was not there was taken for what the
    /// nearest directory above it is on.
    fn notice_device(&mut self, device: u64) {
        if self.device.replace(device) != Some(device) {
            self.survey();
        }
    }
}

impl<F: Files, C: Clock> fmt::Debug for Poller<F, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Poller")
            .field("path", &self.root)
            .field("artifacts", &self.artifacts.len())
            .field("polls", &self.polls)
            .finish_non_exhaustive()
    }
}
