//! The owner of what is loaded: takes the updates, and judges each of them.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use replug::outcome::Waiting;
use replug::watch::{News, Place, Update};
use replug::{Digest, Error};

use crate::run::Run;
use crate::seam::Copy;
use crate::tree::Eyes;
use crate::world::{Absence, Absences, SECOND};

/// The owner, who takes the updates.
#[derive(Default)]
pub struct Owner {
    pub live: HashMap<PathBuf, Digest>,
    pub loads: HashMap<PathBuf, Vec<Digest>>,
    /// When each library was loaded last.
    pub loaded_at: HashMap<PathBuf, u64>,
    pub kept: HashMap<PathBuf, Digest>,
    /// The failures that were reported and have not ended.
    pub degraded: HashMap<PathBuf, Vec<String>>,
    pub missing: BTreeSet<PathBuf>,
    /// When the poll began that brought the last change.
    pub changed: Option<u64>,
    /// The waits that were said, and of which nothing was said to have come.
    pub waits: HashMap<PathBuf, Waiting>,
    /// The place where the owner believes the path to be.
    pub place: Option<Place>,
    /// The last report on each artifact.
    pub states: HashMap<PathBuf, &'static str>,
}

impl Run<'_> {
    pub fn take_updates(&mut self) {
        let updates: Vec<_> = self.poller.updates().try_iter().collect();
        let mut topics = BTreeSet::new();
        for update in updates {
            if matches!(update.news, News::Ready(_))
                && !topics.insert(update.artifact.to_path_buf())
            {
                self.violate("latest wins: two copies of one artifact wait".to_owned());
            }
            self.take(update);
        }
    }

    fn take(&mut self, update: Update<Copy>) {
        let path = update.artifact.to_path_buf();
        let now = self.state().world.now;
        let (name, mark) = match &update.news {
            News::Ready(ready) => ("Ready", ready.digest().to_string()),
            News::Kept { digest, .. } => ("Kept", format!("{digest:?}")),
            News::Waiting(reason) => ("Waiting", format!("{reason:?}")),
            News::Unchanged { digest } => ("Unchanged", digest.to_string()),
            News::Missing => ("Missing", String::new()),
            News::Returned => ("Returned", String::new()),
            News::Degraded(error) => ("Degraded", replug::chain(error)),
            News::Recovered => ("Recovered", String::new()),
            News::Placed(place) => ("Placed", place.to_string()),
            _ => ("unknown", String::new()),
        };
        {
            let mut state = self.state();
            let line = || {
                format!(
                    "== {} {name} {}",
                    path.display(),
                    mark.get(..60).unwrap_or(&mark)
                )
            };
            state.world.trace.note(now, line, (name, &mark));
            state.covered.insert(format!("news {name}"));
            state
                .covered
                .extend(cause_of(&update.news, &self.scenario.ground.directory()));
        }
        self.note_edge(&path, &update.news);
        self.note_wait(&path, &update.news);
        let is_decided = match &update.news {
            News::Kept { digest, .. } => digest.is_some(),
            news => matches!(news, News::Ready(_) | News::Missing),
        };
        if is_decided {
            let poll_began = self.state().poll_began;
            self.owner.changed = Some(poll_began);
            self.state().gated_since.remove(&path);
        }
        match update.news {
            News::Ready(ready) => self.load(path, ready.digest(), ready.staged()),
            News::Kept {
                digest: Some(digest),
                ..
            } => {
                self.owner.kept.insert(path, digest);
            }
            News::Missing => {
                self.judge_missing(&path, now);
                self.owner.missing.insert(path);
            }
            News::Returned => {
                let was_missing = self.owner.missing.remove(&path);
                // An owner who looks seldom hears only the latest news.
                if !was_missing && self.scenario.attention == 100 {
                    self.violate("whereabouts: returned what was not missing".to_owned());
                }
            }
            News::Degraded(error) => {
                let said = self.owner.degraded.entry(path).or_default();
                let error = replug::chain(&error);
                let is_repeated = said.contains(&error);
                said.push(error);
                if is_repeated && self.scenario.attention == 100 {
                    self.violate("once: the same cause was said twice".to_owned());
                }
            }
            News::Recovered => drop(self.owner.degraded.remove(&path)),
            News::Placed(place) => self.note_place(place),
            _ => {}
        }
    }

    /// Takes down a wait that is said, and its end: each piece of news about the content, the whereabouts or the health
    /// of the artifact is one.
    fn note_wait(&mut self, path: &Path, news: &News<Copy>) {
        match news {
            News::Waiting(reason) => {
                self.owner.waits.insert(path.to_owned(), *reason);
                // A directory without a library was listed. An owner who looks seldom hears only the latest news.
                let is_listed = self.scenario.is_directory && *path == self.scenario.path;
                let is_degraded = self.owner.degraded.contains_key(path) && !is_listed;
                if is_degraded && self.scenario.attention == 100 {
                    self.violate("word: a wait was said of what is degraded".to_owned());
                }
            }
            News::Unchanged { digest } => {
                self.owner.waits.remove(path);
                let decided = [self.owner.live.get(path), self.owner.kept.get(path)];
                if !decided.contains(&Some(digest)) {
                    self.violate("word: unchanged, and nobody decided about it".to_owned());
                }
            }
            // What is said of a directory is said of all that is in it.
            News::Missing | News::Degraded(_) if *path == *self.scenario.path => {
                self.owner.waits.clear();
            }
            News::Ready(_) | News::Kept { .. } | News::Missing | News::Degraded(_) => {
                self.owner.waits.remove(path);
            }
            _ => {}
        }
        // A library in a directory is the word for a directory without one.
        if *path != *self.scenario.path {
            self.owner.waits.remove(&self.scenario.path);
        }
    }

    fn note_place(&mut self, place: Place) {
        let said = self.owner.place.replace(place);
        if said == self.owner.place && self.scenario.attention == 100 {
            self.violate("place: the same place was said twice".to_owned());
        }
    }

    /// Takes down the edge from an artifact's last state to its new one, as its owner sees them.
    fn note_edge(&mut self, path: &Path, news: &News<Copy>) {
        let to = match news {
            News::Ready(_) => "live",
            News::Kept {
                digest: Some(_), ..
            } => "kept out",
            News::Missing => "missing",
            News::Returned => "returned",
            News::Degraded(_) => "degraded",
            News::Recovered => "recovered",
            News::Waiting(Waiting::Gated(_)) => "gated",
            News::Waiting(Waiting::Settling) => "settling",
            News::Waiting(Waiting::Incomplete) => "incomplete",
            News::Waiting(Waiting::Written(_)) => "written",
            News::Unchanged { .. } => "unchanged",
            _ => return,
        };
        // An owner who looks seldom hears only the latest news.
        if self.scenario.attention < 100 {
            return;
        }
        let from = self.owner.states.insert(path.to_owned(), to);
        let from = from.unwrap_or("unknown");
        self.state().covered.insert(format!("{from} -> {to}"));
    }

    fn load(&mut self, path: PathBuf, digest: Digest, staged: &Copy) {
        if Digest::of(staged.bytes()) != digest {
            self.violate("digest: the copy is not what was digested".to_owned());
        }
        let is_published = self
            .state()
            .world
            .published
            .get(&path)
            .is_some_and(|all| all.contains(&digest));
        if !is_published {
            let bytes = staged.bytes().len();
            self.violate(format!(
                "torn: {bytes} bytes that nobody published at {}",
                path.display()
            ));
        }
        // A host that is given the bytes it runs does nothing.
        if self.owner.live.insert(path.clone(), digest) != Some(digest) {
            self.note_load(path, digest);
        } else if self.scenario.attention == 100 {
            self.violate("no update without changed bytes: it is live already".to_owned());
        }
    }

    /// Takes down a load, whose turn is to be judged; but where a mount went, and the client could not be made to ask for
    /// the names below, it shows once more what was seen there before.
    fn note_load(&mut self, path: PathBuf, digest: Digest) {
        let now = self.state().world.now;
        let loads = self.owner.loads.entry(path.clone()).or_default();
        let since = self.owner.loaded_at.insert(path, now).unwrap_or(0);
        if !(loads.contains(&digest) && self.client.could_follow_old_names(since)) {
            loads.push(digest);
        }
    }

    /// Judges news of a missing artifact: it must not have been there all the time, or gone for a moment, or only
    /// unmounted.
    fn judge_missing(&self, path: &Path, now: u64) {
        let cache = &self.scenario.client.cache;
        // What is said at the end of a slow poll was asked at its beginning.
        let lag = cache.attributes
            + 4 * SECOND
            + 40 * self.scenario.client.latency
            + self.scenario.slow();
        let state = self.state();
        let never = Absences::default();
        let absences = state.world.absences.get(path).unwrap_or(&never);
        let leads_to = state.world.tree.end_of(path);
        // A link was swapped or made anew, and what it leads to now was covered before anybody could see it.
        if absences
            .seen_at
            .as_ref()
            .is_some_and(|seen_at| *seen_at != leads_to)
        {
            return;
        }
        let is_out_of_sight = state.world.tree.resolve(path, Eyes::Client).is_none();
        // A poll asks a little after its beginning, from which the product counts.
        let slack = 40 * self.scenario.client.latency + self.scenario.slow();
        let is_long = |(number, absence): (usize, &Absence)| {
            let from = absence.from;
            // Only who was told for long enough that it is gone can say so when a mount hides that.
            let was_known = absence.was_known_for() + slack >= SECOND;
            let until = match absence.until {
                // What came back last, and was covered before anybody could see it, is as gone as before.
                Some(until) => {
                    let is_last = number + 1 == absences.times.len();
                    let blind = self.scenario.blind(until..until + absences.stayed);
                    let is_unseen = absences.last_seen < from && absences.stayed < lag + blind;
                    match is_last && is_out_of_sight && is_unseen && was_known {
                        true => now,
                        false => until,
                    }
                }
                None => absence.hidden.filter(|_| !was_known).unwrap_or(now),
            };
            until.saturating_sub(from) + lag >= SECOND && until + lag >= now && from <= now
        };
        let was_gone = absences.times.iter().enumerate().any(is_long);
        drop(state);
        let attention = self.scenario.attention;
        if attention == 100 && !was_gone {
            self.violate(format!(
                "missing: {} was there all the time",
                path.display()
            ));
        }
    }
}

/// The name of the cause in the news: what has happened, or what is waited for.
fn cause_of(news: &News<Copy>, watched: &Path) -> Option<String> {
    let error = match news {
        News::Waiting(Waiting::Gated(_)) => return Some("waiting Gated".to_owned()),
        News::Waiting(Waiting::Written(_)) => return Some("waiting Written".to_owned()),
        News::Waiting(reason) => return Some(format!("waiting {reason:?}")),
        News::Degraded(error) => error,
        News::Kept { error, .. } => error,
        _ => return None,
    };
    let name = match error {
        Error::Look { .. } => "cannot look",
        Error::List { .. } => "cannot list",
        Error::Read { .. } => "cannot read",
        Error::Stage { .. } => "cannot stage",
        Error::Vet { .. } => "cannot vet",
        Error::MountLost { path } if path == watched => "mount lost, all",
        Error::MountLost { .. } => "mount lost, one",
        Error::NotFoundThoughListed { .. } => "not found though listed",
        _ => "another step",
    };
    let source = std::error::Error::source(error);
    let source = source.and_then(|source| source.downcast_ref::<std::io::Error>());
    let errno = source.and_then(std::io::Error::raw_os_error);
    Some(match errno {
        Some(errno) => format!("said: {name}, errno {errno}"),
        None => format!("said: {name}"),
    })
}
