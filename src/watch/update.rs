//! Updates, which cross to the owner thread, and the queue that they wait in. The queue never blocks the worker and
//! never grows without bound: of two updates about the same side of an artifact, the latest wins.

use std::collections::{HashSet, VecDeque};
use std::ffi::CString;
use std::mem;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender};

use crate::admission::{Claim, Signed};
use crate::decide::change::Waiting;
use crate::error::Error;
use crate::look::digest::Digest;
use crate::look::place::Place;
use crate::stage::copies::Staged;
use crate::stage::vet::linkage::Unique;
use crate::warning::Warning;

/// An update: one piece of news from the first half about one artifact.
#[derive(Debug)]
pub struct Update<S = Staged> {
    /// The artifact's path, which is absolute; the watched directory itself for news about all of it.
    pub artifact: Arc<Path>,
    /// The news.
    pub news: News<S>,
}

/// News about an artifact.
#[derive(Debug)]
#[non_exhaustive]
pub enum News<S = Staged> {
    /// A new artifact is ready to be loaded.
    Ready(Ready<S>),
    /// An artifact was kept out before it came to loading.
    Kept {
        /// The artifact's digest, if its content could be read.
        digest: Option<Digest>,
        /// The step that failed, and the cause.
        error: Error,
    },
    /// The artifact is not there yet, or not ready.
    Waiting(Waiting),
    /// A helper process tries the build before it is handed over.
    Trying {
        /// The digest of the build.
        digest: Digest,
    },
    /// The artifact need not be waited for any longer: it holds the bytes that were decided about before.
    Unchanged {
        /// The digest of these bytes.
        digest: Digest,
    },
    /// The artifact is gone, for longer than a replacement takes. The live generation stays.
    Missing,
    /// The artifact is back. An owner who takes news seldom need not have heard that it was gone.
    Returned,
    /// The artifact cannot be looked at or read for now. The live generation stays.
    Degraded(Error),
    /// The artifact can be looked at and read again.
    Recovered,
    /// The watched path is on another filesystem than was said before, and is looked at as is right there.
    Placed(Place),
    /// Something about the artifact that a person should know. Nothing has failed.
    Warned(Warning),
}

/// A staged copy that passed vet, and copies of the libraries that it brings along. Only a poller makes one, and nobody can
/// write to the copies any more: what comes to the loader was vetted.
#[derive(Debug)]
pub struct Ready<S = Staged> {
    pub(crate) digest: Digest,
    pub(crate) staged: S,
    pub(crate) first_seen: Instant,
    /// The SHA-256 of the bytes in `staged`, whatever comes along.
    pub(crate) own: Digest,
    /// The symbols of the plugin that a process has only once, and whether it is fine that two builds share them.
    pub(crate) unique: Vec<Unique>,
    pub(crate) allows_unique: bool,
    /// The libraries that come along, each after those that it needs itself.
    pub(crate) siblings: Vec<Sibling<S>>,
    /// Whether a store keeps it, and wants to know what becomes of it.
    pub(crate) is_kept: bool,
    /// What its signature says of it.
    pub(crate) claim: Box<Claim>,
}

/// What became of a build that was handed over, as its owner tells the worker.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) artifact: Arc<Path>,
    pub(crate) digest: Digest,
    pub(crate) became: Became,
}

/// The end of an update, for a store.
#[derive(Debug)]
pub(crate) enum Became {
    /// It is live, as this generation.
    Live(u64),
    /// It was kept out.
    Kept { step: String, reason: String },
}

/// A library that a plugin brings along.
#[derive(Debug)]
pub(crate) struct Sibling<S = Staged> {
    /// The name by which it is needed.
    pub(crate) soname: CString,
    pub(crate) digest: Digest,
    /// Its signature, if one was required, for a store.
    pub(crate) signature: Option<Signed>,
    pub(crate) unique: Vec<Unique>,
    /// The private copy.
    pub(crate) staged: S,
}

impl<S> Ready<S> {
    /// The SHA-256 of exactly the bytes in the copy. If the plugin brings libraries along, it is the SHA-256 of the digests
    /// of all of them; `docs/libraries.md` says how.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The SHA-256 of the plugin's own bytes, whatever it brings along.
    pub fn own_digest(&self) -> Digest {
        self.own
    }

    /// The private copy.
    pub fn staged(&self) -> &S {
        &self.staged
    }

    /// When the change was first seen.
    pub fn first_seen(&self) -> Instant {
        self.first_seen
    }
}

/// The topic of an update. Of two updates about one topic of an artifact, only the later one says how things are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Topic {
    Content,
    Obstacle,
    Whereabouts,
    Health,
    Waiting,
    Place,
    /// A warning, by its subject.
    Warning(&'static str),
}

impl<S> News<S> {
    fn topic(&self) -> Topic {
        match self {
            // Bytes that were read stand for the artifact; an artifact that could not be read is another topic.
            News::Kept { digest: None, .. } => Topic::Obstacle,
            News::Ready(_) | News::Kept { .. } => Topic::Content,
            News::Missing | News::Returned => Topic::Whereabouts,
            News::Degraded(_) | News::Recovered => Topic::Health,
            // The end of a wait takes the place of the wait, for an owner who looks seldom.
            News::Waiting(_) | News::Trying { .. } | News::Unchanged { .. } => Topic::Waiting,
            News::Placed(_) => Topic::Place,
            News::Warned(warning) => Topic::Warning(warning.about()),
        }
    }

    /// Whether this is a sign that somebody works: other bytes, the beginning of some, or a library that is gone. A touch
    /// or a failure is none, for these can go on for ever and nobody is there.
    fn is_change(&self) -> bool {
        match self {
            News::Ready(_)
            | News::Kept { .. }
            | News::Missing
            | News::Trying { .. }
            | News::Waiting(Waiting::Incomplete) => true,
            News::Waiting(_)
            | News::Unchanged { .. }
            | News::Returned
            | News::Degraded(_)
            | News::Recovered
            | News::Placed(_)
            | News::Warned(_) => false,
        }
    }
}

/// The worker's end of the queue. It holds the receiving end too, to take back updates that are superseded.
#[derive(Debug)]
pub(crate) struct Outbox<S> {
    sender: Sender<Update<S>>,
    receiver: Receiver<Update<S>>,
    /// The updates since the last delivery.
    said: Vec<Update<S>>,
    /// The subjects of the updates that were put into the queue last. The updates that still wait are the last of
    /// these, for the queue is first in, first out; so the queue need not be emptied to learn that nothing in it is
    /// out of date.
    sent: VecDeque<(Arc<Path>, Topic)>,
}

impl<S> Outbox<S> {
    pub(crate) fn new() -> Outbox<S> {
        // Unbounded as a channel, bounded by what is put in: one update about each topic per artifact.
        let (sender, receiver) = crossbeam_channel::unbounded();
        Outbox {
            sender,
            receiver,
            said: Vec::new(),
            sent: VecDeque::new(),
        }
    }

    pub(crate) fn receiver(&self) -> &Receiver<Update<S>> {
        &self.receiver
    }

    /// Takes news down for the next delivery.
    pub(crate) fn say(&mut self, artifact: &Arc<Path>, news: News<S>) {
        self.said.push(Update {
            artifact: Arc::clone(artifact),
            news,
        });
    }

    /// Whether there is nothing to deliver.
    pub(crate) fn is_empty(&self) -> bool {
        self.said.is_empty()
    }

    /// Whether a change is among what there is to deliver.
    pub(crate) fn has_changes(&self) -> bool {
        self.said.iter().any(|update| update.news.is_change())
    }

    /// Puts the new updates into the queue, and takes out of it the older updates about the same subjects.
    pub(crate) fn deliver(&mut self) {
        let said = mem::take(&mut self.said);
        let news: HashSet<_> = said.iter().map(Update::subject).collect();
        self.take_back(|subject| news.contains(subject));
        said.into_iter().for_each(|update| self.put(update));
    }

    /// Takes back the updates about the content of `artifact` that nobody has received yet, and with them its staged
    /// copy. Says whether there were any.
    pub(crate) fn withdraw_content(&mut self, artifact: &Path) -> bool {
        let is_content =
            |(path, topic): &(Arc<Path>, Topic)| **path == *artifact && *topic == Topic::Content;
        let held = self.said.len();
        self.said.retain(|update| !is_content(&update.subject()));
        let taken = self.take_back(is_content);
        held > self.said.len() || !taken.is_empty()
    }

    fn take_back(&mut self, is_stale: impl Fn(&(Arc<Path>, Topic)) -> bool) -> Vec<Update<S>> {
        let taken = self.sent.len().saturating_sub(self.receiver.len());
        self.sent.drain(..taken);
        if !self.sent.iter().any(&is_stale) {
            return Vec::new();
        }
        self.sent.clear();
        let waiting: Vec<_> = self.receiver.try_iter().collect();
        let (stale, fresh) = waiting
            .into_iter()
            .partition(|update| is_stale(&update.subject()));
        for update in fresh {
            self.put(update);
        }
        stale
    }

    fn put(&mut self, update: Update<S>) {
        self.sent.push_back(update.subject());
        // The update cannot be refused: we hold the other end ourselves.
        let _ = self.sender.send(update);
    }
}

impl<S> Update<S> {
    fn subject(&self) -> (Arc<Path>, Topic) {
        (Arc::clone(&self.artifact), self.news.topic())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Delivers this news, of artifacts by name, in one go.
    fn deliver<const N: usize>(outbox: &mut Outbox<u32>, said: [(&str, News<u32>); N]) {
        for (artifact, news) in said {
            outbox.say(&Path::new(artifact).into(), news);
        }
        outbox.deliver();
    }

    fn ready(copy: u32) -> News<u32> {
        News::Ready(Ready {
            digest: Digest::of(b""),
            staged: copy,
            first_seen: Instant::now(),
            own: Digest::of(b""),
            unique: Vec::new(),
            allows_unique: false,
            siblings: Vec::new(),
            is_kept: false,
            claim: Box::default(),
        })
    }

    fn waiting_in(outbox: &Outbox<u32>) -> Vec<String> {
        let name = |update: Update<u32>| match update.news {
            News::Ready(ready) => format!("{} {}", update.artifact.display(), ready.staged),
            news => format!("{} {news:?}", update.artifact.display()),
        };
        outbox.receiver().try_iter().map(name).collect()
    }

    #[test]
    fn the_latest_update_of_an_artifact_wins_and_others_stay() {
        let mut outbox = Outbox::new();
        deliver(&mut outbox, [("a", ready(1)), ("b", ready(2))]);
        deliver(&mut outbox, [("a", News::Missing), ("a", ready(3))]);
        assert_eq!(waiting_in(&outbox), ["b 2", "a Missing", "a 3"]);
    }

    #[test]
    fn an_owner_that_never_looks_costs_a_bounded_queue() {
        let mut outbox = Outbox::new();
        for round in 0..1000 {
            deliver(&mut outbox, [("a", ready(round)), ("a", News::Returned)]);
        }
        assert_eq!(waiting_in(&outbox), ["a 999", "a Returned"]);
    }

    #[test]
    fn a_ready_update_is_withdrawn_without_the_rest() {
        let mut outbox = Outbox::new();
        deliver(&mut outbox, [("a", ready(1)), ("a", News::Returned)]);
        deliver(&mut outbox, [("b", ready(2))]);
        assert!(outbox.withdraw_content(Path::new("a")));
        assert!(!outbox.withdraw_content(Path::new("a")));
        assert_eq!(waiting_in(&outbox), ["a Returned", "b 2"]);
    }
}
