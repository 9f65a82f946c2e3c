//! A store in the hands of a worker, between two polls: what was opened, what is under way, and what was said.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use replug_plugin::shown::shown;

use crate::boundary::Notes;
use crate::decide::probation::Probation;
use crate::look::digest::Digest;
use crate::options::Options;
use crate::store::{Build, Event, Hold, Opened, Past, Store, StoreError};

/// How long after a store could not be opened that is tried again.
const OPEN_AGAIN: Duration = Duration::from_secs(2);

/// A host's store, as its worker keeps it.
#[derive(Debug)]
pub(super) struct Keeping {
    pub(super) path: PathBuf,
    pub(super) most: usize,
    pub(super) probation: Duration,
    pub(super) failures: Option<u32>,
    /// The store; none until it is opened, or while it cannot be.
    pub(super) store: Option<Box<Store>>,
    pub(super) open_at: Option<Instant>,
    /// Where a signal is noted.
    pub(super) notes: Option<Notes>,
    pub(super) noted_at: Option<Instant>,
    /// The troubles that were said and have not ended.
    pub(super) said: Vec<String>,
    pub(super) look_at: Option<Instant>,
    pub(super) on_probation: Vec<(Build, Probation)>,
    /// The builds that are not loaded in this run.
    pub(super) held: HashSet<Build>,
    pub(super) returning: Vec<Returning>,
    /// The build of each library that is live in this run, and its generation, whether or not there is a store to write it to.
    pub(super) live: HashMap<PathBuf, (Digest, u64)>,
}

/// A way back that was begun: a build was handed over, and its owner has not said what became of it.
#[derive(Debug)]
pub(super) struct Returning {
    pub(super) to: Build,
    pub(super) from: Option<Build>,
    pub(super) reason: String,
    /// The request that waits for the answer.
    pub(super) request: Option<u64>,
}

impl Keeping {
    /// What a person asks for; `None` if it is nothing.
    pub(super) fn of(options: &Options) -> Option<Box<Keeping>> {
        let path = options.store.clone()?;
        Some(Box::new(Keeping {
            path: std::path::absolute(&path).unwrap_or(path),
            most: options.store_copies,
            probation: options.probation,
            failures: options.probation_failures,
            store: None,
            open_at: None,
            notes: None,
            noted_at: None,
            said: Vec::new(),
            look_at: None,
            on_probation: Vec::new(),
            held: HashSet::new(),
            returning: Vec::new(),
            live: HashMap::new(),
        }))
    }

    pub(super) fn is_due(at: Option<Instant>, now: Instant) -> bool {
        at.is_none_or(|at| now >= at)
    }

    /// Opens the store, or says why it cannot be used.
    pub(super) fn open(&mut self, now: Instant) -> Result<Opened, StoreError> {
        self.open_at = Some(now + OPEN_AGAIN);
        Store::open(&self.path)
    }

    /// Whether a trouble is news, which it is once until it has ended.
    pub(super) fn is_news(&mut self, words: &str) -> bool {
        let is_news = !self.said.iter().any(|said| said == words);
        if is_news {
            self.said.push(words.to_owned());
        }
        is_news
    }

    /// Writes events down. The trouble in doing so, if there is some.
    pub(super) fn write(&mut self, events: impl IntoIterator<Item = Event>) -> Result<(), String> {
        match &mut self.store {
            Some(store) => {
                let written = store.append(events);
                written.map_err(|error| cannot_write(&self.path, &error))
            }
            None => Ok(()),
        }
    }

    /// When something is to be done though nothing changes.
    pub(super) fn next(&self) -> Option<Instant> {
        let probations = self.on_probation.iter().map(|(_, it)| it.until());
        probations.min()
    }

    /// Why a build is not to be let in, if it is not.
    pub(super) fn hold(&self, build: &Build) -> Option<Hold> {
        let history = self.store.as_ref()?.history();
        let hold = history.hold(build);
        let once = || {
            self.held
                .contains(build)
                .then(|| died_in(history.get(build)))
        };
        hold.or_else(|| once().map(Hold::Once))
    }

    /// Whether a build of this library is live in this run, or about to be.
    pub(super) fn has_live(&self, artifact: &Path) -> bool {
        let is_coming = self.returning.iter().any(|it| it.to.artifact == artifact);
        is_coming || self.live.contains_key(artifact)
    }
}

fn died_in(past: Option<&Past>) -> String {
    let why = past
        .and_then(|past| past.died())
        .unwrap_or("its process has died");
    format!("it has ended its host within its probation: {why}")
}

pub(super) fn cannot_write(path: &Path, error: &io::Error) -> String {
    let path = shown(path);
    format!("cannot write to the store `{path}`: {error}")
}
