//! The first half as a plain struct: looks at artifacts, follows what changed, and puts updates into a queue.
//! It has no thread and never sleeps; a [`Watcher`](crate::Watcher), a test or a game loop drives it. It
//! decides nothing: [`Tracker`](crate::change::Tracker) does.

use std::collections::HashSet;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;

use crate::artifact::{Artifact, Shared};
use crate::change::Waiting;
use crate::error::Error;
use crate::files::{Clock, Files, Filesystem};
use crate::gate::GatePolicy;
use crate::machine::{Monotonic, OsFiles};
use crate::options::Options;
use crate::scan::Scan;
use crate::snapshot::{Kind, Snapshot};
use crate::stage::StageDirectory;
use crate::trouble::{Cause, is_absent};
use crate::update::{News, Update};

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
    /// The last failure to look at or list the directory, so that each cause is said once.
    trouble: Option<Cause>,
    /// Whether the last listing held no library.
    is_empty: bool,
    /// Polls are due at whole intervals from the first one.
    first_poll: Option<Instant>,
    watched: Watched,
    polls: u64,
}

/// What a watched path was found to be on, and what follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// The name of the filesystem.
    pub filesystem: String,
    /// Whether the gate is asked.
    pub gate: GatePolicy,
    /// Why, for people.
    pub why: &'static str,
    /// The directory for staged copies; `None` if they are kept in memory.
    pub stage: Option<PathBuf>,
}

impl Poller {
    /// Watches a path on this machine's filesystem, by its monotonic clock.
    ///
    /// # Errors
    ///
    /// If there is no place for staged copies. The path itself need not exist yet.
    pub fn new(options: Options) -> Result<Poller, Error> {
        let stage = StageDirectory::new(options.stage_dir.as_deref())?;
        let files = OsFiles::new(stage);
        let filesystem = files.filesystem(&options.path).unwrap_or_else(|error| {
            tracing::debug!(path = %options.path.display(), %error, "the filesystem has no name");
            Filesystem::unknown()
        });
        let watched = Watched::on(filesystem, options.gate, files.stage().path());
        let options = options.gate(watched.gate);
        Ok(Poller {
            watched,
            ..Poller::with(options, files, Monotonic)
        })
    }
}

impl<F: Files, C: Clock> Poller<F, C> {
    /// Watches a path on any filesystem, by any clock.
    pub fn with(options: Options, files: F, clock: C) -> Poller<F, C> {
        let root: Arc<Path> = options.path.as_path().into();
        Poller {
            artifacts: vec![Artifact::named(Arc::clone(&root))],
            root,
            watched: Watched::on(Filesystem::unknown(), options.gate, None),
            shared: Shared::new(options, files, clock),
            scan: None,
            trouble: None,
            is_empty: false,
            first_poll: None,
            polls: 0,
        }
    }

    /// What the watched path was found to be on when the watch began.
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

    /// Looks at everything once, follows what is suspect, and says when to poll next. `now` is the present,
    /// by the clock it was made with.
    ///
    /// An idle poll looks once at each artifact, and once at each directory that is searched. It opens nothing,
    /// and for paths of less than 256 bytes it allocates nothing.
    pub fn poll(&mut self, now: Instant) -> Instant {
        self.polls += 1;
        let mut next = self.next_phase(now);
        let root = self.shared.files.look(&self.root);
        self.choose_mode(&root);
        if self.scan.is_some() {
            self.rescan(now, root);
            for artifact in &mut self.artifacts {
                let look = self.shared.files.look(artifact.path());
                next = next.min(artifact.follow(now, look, &mut self.shared).unwrap_or(next));
            }
            next = next.min(self.scan.as_ref().and_then(Scan::wants).unwrap_or(next));
        } else if let [artifact] = self.artifacts.as_mut_slice() {
            // The look at the root was the look at the artifact.
            next = next.min(artifact.follow(now, root, &mut self.shared).unwrap_or(next));
        }
        self.shared.outbox.deliver();
        next.max(now)
    }

    /// The first whole interval after `now`. What was missed is not made up for.
    fn next_phase(&mut self, now: Instant) -> Instant {
        let first = *self.first_poll.get_or_insert(now);
        let interval = self.shared.options.interval.as_nanos();
        let passed = now.saturating_duration_since(first).as_nanos();
        let offset = (passed / interval + 1) * interval;
        first + Duration::from_nanos(offset.try_into().unwrap_or(u64::MAX))
    }

    /// A path can turn from a library into a directory of libraries, and back. While it leads nowhere it stays
    /// what it was.
    fn choose_mode(&mut self, root: &io::Result<Snapshot>) {
        let Ok(root) = root else { return };
        match (&self.scan, root.kind == Kind::Directory) {
            (None, true) => {
                self.scan = Some(Scan::new(
                    self.root.to_path_buf(),
                    self.shared.options.depth,
                ));
                // What was said of the path as a file holds for the directory, or is over.
                let [artifact] = self.artifacts.as_slice() else {
                    return;
                };
                self.is_empty = artifact.is_idle();
                if artifact.is_degraded() {
                    self.shared.outbox.say(&self.root, News::Recovered);
                }
                self.artifacts.clear();
            }
            (Some(_), false) => {
                self.scan = None;
                if self.trouble.take().is_some() {
                    self.shared.outbox.say(&self.root, News::Recovered);
                }
                self.artifacts = vec![Artifact::named(Arc::clone(&self.root))];
            }
            _ => {}
        }
    }

    /// Brings the list of artifacts up to date with the directory. Nothing is ever taken off it because of a
    /// listing: each artifact finds out for itself that it is gone.
    fn rescan(&mut self, now: Instant, root: io::Result<Snapshot>) {
        let Some(scan) = &mut self.scan else { return };
        let Shared { files, clock, .. } = &self.shared;
        let path = || self.root.to_path_buf();
        let listed = match root {
            Ok(root) => scan.changes(now, root, files, clock).map_err(|source| {
                (
                    Cause::from(&source),
                    Error::List {
                        path: path(),
                        source,
                    },
                )
            }),
            Err(error) => {
                // Should it return, nothing is known of it.
                scan.forget();
                match is_absent(&error) {
                    true => Ok(None),
                    false => Err((
                        Cause::from(&error),
                        Error::Look {
                            path: path(),
                            source: error,
                        },
                    )),
                }
            }
        };
        match listed {
            Ok(listed) => {
                if self.trouble.take().is_some() {
                    self.shared.outbox.say(&self.root, News::Recovered);
                }
                listed.into_iter().for_each(|listed| self.add(listed));
            }
            Err((cause, error)) => {
                if self.trouble.replace(cause) != Some(cause) {
                    self.shared.outbox.say(&self.root, News::Degraded(error));
                }
            }
        }
    }

    /// Takes up what a listing names, and lets go of what it does not name and nothing ever came of.
    fn add(&mut self, listed: Vec<PathBuf>) {
        let is_empty = listed.is_empty() && self.artifacts.is_empty();
        if is_empty && !self.is_empty {
            self.shared
                .outbox
                .say(&self.root, News::Waiting(Waiting::Missing));
        }
        self.is_empty = is_empty;
        let named: HashSet<&Path> = listed.iter().map(PathBuf::as_path).collect();
        self.artifacts
            .retain(|artifact| !artifact.is_idle() || named.contains(&**artifact.path()));
        let known: HashSet<Arc<Path>> = self
            .artifacts
            .iter()
            .map(|artifact| Arc::clone(artifact.path()))
            .collect();
        let new = listed
            .into_iter()
            .filter(|path| !known.contains(path.as_path()));
        self.artifacts
            .extend(new.map(|path| Artifact::listed(path.into())));
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

impl Watched {
    /// What follows from the filesystem for the gate.
    fn on(filesystem: Filesystem, gate: GatePolicy, stage: Option<&Path>) -> Watched {
        let (gate, why) = match gate {
            GatePolicy::Off => (gate, "switched off"),
            _ if filesystem.locks_can_hang => (
                GatePolicy::Off,
                "asking for a lock on this filesystem can hang",
            ),
            GatePolicy::Auto => (gate, "waits while a cargo build holds its lock"),
            GatePolicy::Require => (gate, "waits until cargo's lock is there and open"),
        };
        Watched {
            filesystem: filesystem.name.into_owned(),
            gate,
            why,
            stage: stage.map(Path::to_owned),
        }
    }
}
