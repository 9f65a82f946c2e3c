//! The trials that are under way: builds that are ready and not handed over yet, each with its helper or waiting for one.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::update::Ready;
use crate::look::digest::Digest;
use crate::stage::pen::PrivateCopy;
use crate::trials::Trial;
use crate::trials::helper::{Running, Subject, Tried};
use crate::trials::verdict::TrialFailure;

/// The most helpers at a time: some for a machine with few processors, and none for each of a hundred libraries at once.
const AT_ONCE: usize = 4;

/// The shortest and the longest time between two looks at a trial; in between it is an eighth of the time that the trial has
/// taken, by which its end is seen late at most.
const SOONEST_LOOK: Duration = Duration::from_millis(2);
const LATEST_LOOK: Duration = Duration::from_millis(100);

/// The first and the longest pause after a helper could not be started.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The bytes of a build that was tried, and what became of it.
pub(super) type Verdict = (Digest, Result<(), TrialFailure>);

/// The builds that are being tried, the first that came first.
#[derive(Debug)]
pub(super) struct Underway<S>(Vec<Build<S>>);

/// A build that is being tried.
#[derive(Debug)]
struct Build<S> {
    artifact: Arc<Path>,
    ready: Ready<S>,
    progress: Progress,
    pause: Duration,
}

/// How far a trial is.
#[derive(Debug)]
enum Progress {
    /// A helper is to be started, not before this time.
    Waits(Option<Instant>),
    /// A helper was started at this time.
    Runs(Instant, Running),
    /// No helper could be started.
    Failed(Option<std::io::Error>),
}

/// The end of a trial.
#[derive(Debug)]
pub(super) struct Ended<S> {
    build: Build<S>,
    tried: Tried,
}

impl<S> Ended<S> {
    pub(super) fn artifact(&self) -> &Path {
        &self.build.artifact
    }

    /// How long its helper has run, if one was started.
    pub(super) fn took(&self, now: Instant) -> Option<Duration> {
        match self.build.progress {
            Progress::Runs(begun, _) => Some(now.saturating_duration_since(begun)),
            Progress::Waits(_) | Progress::Failed(_) => None,
        }
    }

    /// The build and the verdict on it, or why there is none.
    pub(super) fn take(self) -> (Untried<S>, Tried) {
        (Untried(self.build), self.tried)
    }
}

/// A build whose trial has ended, with a verdict or without.
#[derive(Debug)]
pub(super) struct Untried<S>(Build<S>);

impl<S> Untried<S> {
    pub(super) fn into_ready(self) -> Ready<S> {
        self.0.ready
    }
}

impl<S> Default for Underway<S> {
    fn default() -> Underway<S> {
        Underway(Vec::new())
    }
}

impl<S> Underway<S> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a build of an artifact is being tried.
    pub(super) fn is_about(&self, artifact: &Path) -> bool {
        self.0.iter().any(|build| *build.artifact == *artifact)
    }

    /// Adds a build, in the place of another one of this artifact.
    pub(super) fn add(&mut self, artifact: &Arc<Path>, ready: Ready<S>) {
        self.give_up(artifact);
        self.0.push(Build {
            artifact: Arc::clone(artifact),
            ready,
            progress: Progress::Waits(None),
            pause: FIRST_PAUSE,
        });
    }

    /// Tries a build again later that could not be tried.
    pub(super) fn put_off(&mut self, untried: Untried<S>, now: Instant) {
        let Untried(mut build) = untried;
        build.progress = Progress::Waits(Some(now + build.pause));
        build.pause = (build.pause * 2).min(LONGEST_PAUSE);
        self.0.push(build);
    }

    /// Somebody wants to know now: what waits for another try is tried at the next poll.
    pub(super) fn end_pauses(&mut self) {
        for build in &mut self.0 {
            if let Progress::Waits(until) = &mut build.progress {
                *until = None;
            }
        }
    }

    /// Gives up the trial of an artifact's build, if one is under way. Says whether one was.
    pub(super) fn give_up(&mut self, artifact: &Path) -> bool {
        let before = self.0.len();
        self.retain(|it| *it != *artifact);
        self.0.len() < before
    }

    /// Gives up all trials but those of these artifacts.
    pub(super) fn retain(&mut self, mut is_wanted: impl FnMut(&Path) -> bool) {
        self.0.retain(|build| is_wanted(&build.artifact));
    }

    /// The trials that have ended since the last time.
    pub(super) fn ended(&mut self) -> Vec<Ended<S>> {
        let mut ended = Vec::new();
        for mut build in std::mem::take(&mut self.0) {
            let tried = match &mut build.progress {
                Progress::Waits(_) => None,
                Progress::Runs(_, running) => running.verdict(),
                Progress::Failed(error) => error.take().map(Err),
            };
            match tried {
                Some(tried) => ended.push(Ended { build, tried }),
                None => self.0.push(build),
            }
        }
        ended
    }

    /// When to look after the trials again.
    pub(super) fn next_look(&self, now: Instant) -> Option<Instant> {
        let looks = self.0.iter().map(|build| match build.progress {
            Progress::Waits(Some(until)) => until.max(now + SOONEST_LOOK),
            Progress::Waits(None) => now + LATEST_LOOK,
            Progress::Runs(begun, _) => {
                let taken = now.saturating_duration_since(begun);
                now + (taken / 8).clamp(SOONEST_LOOK, LATEST_LOOK)
            }
            Progress::Failed(_) => now,
        });
        looks.min()
    }
}

impl<S: PrivateCopy> Underway<S> {
    /// Starts helpers for builds that wait for one.
    pub(super) fn begin(&mut self, now: Instant, trial: Option<&Trial>) {
        let Some(trial) = trial else {
            return;
        };
        let running = self
            .0
            .iter()
            .filter(|it| matches!(it.progress, Progress::Runs(..)));
        let free = AT_ONCE.saturating_sub(running.count());
        let is_due = |build: &&mut Build<S>| match build.progress {
            Progress::Waits(until) => until.is_none_or(|until| now >= until),
            Progress::Runs(..) | Progress::Failed(_) => false,
        };
        for build in self.0.iter_mut().filter(is_due).take(free) {
            let begun = subject(build, trial).and_then(|it| Running::begin(trial, it));
            build.progress = match begun {
                Ok(running) => Progress::Runs(now, running),
                Err(error) => Progress::Failed(Some(error)),
            };
        }
    }
}

/// All that a helper has to know of a build.
fn subject<S: PrivateCopy>(build: &Build<S>, trial: &Trial) -> std::io::Result<Subject> {
    let loadable = |copy: &S| {
        let path = copy.loadable().map(Path::to_owned);
        path.ok_or_else(|| std::io::Error::other("the stage's copies have no path for a loader"))
    };
    let siblings = build.ready.siblings.iter();
    let states = trial.states.as_ref();
    Ok(Subject {
        artifact: build.artifact.to_path_buf(),
        library: loadable(&build.ready.staged)?,
        siblings: siblings
            .map(|it| loadable(&it.staged))
            .collect::<Result<_, _>>()?,
        state: states.and_then(|states| states.of(&build.artifact)),
    })
}
