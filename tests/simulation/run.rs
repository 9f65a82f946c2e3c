//! A run of one scenario: the poller, its owner, and the judges of both.

use std::cell::RefMut;
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use replug::outcome::Waiting;
use replug::watch::{News, Poller, Update};
use replug::{Digest, Error};

use crate::client::{Client, Copy, State};
use crate::random::Random;
use crate::scenario::Scenario;
use crate::world::{MS, SECOND};

/// The report of a run.
pub struct Report {
    pub violations: Vec<String>,
    pub covered: BTreeSet<String>,
    pub sum: u64,
    pub lines: Vec<String>,
    pub polls: u64,
}

/// More polls than any scenario can need: a run that polls without end is stopped.
const MOST_POLLS: u64 = 400_000;

/// One seed in this many goes on for a minute after all is over.
const QUIET_SEEDS: u64 = 8;

/// The polls and readings that each artifact may ask for in a quiet minute, beside the polls of the interval: half a
/// file is tried again every ten seconds, and a file that cannot be found every two.
const QUIET_POLLS: u64 = 60;
const QUIET_READINGS: u64 = 24;

/// The owner, who takes the updates.
#[derive(Default)]
struct Owner {
    live: HashMap<PathBuf, Digest>,
    loads: HashMap<PathBuf, Vec<Digest>>,
    kept: HashMap<PathBuf, Digest>,
    /// The failures that were reported and have not ended.
    degraded: HashMap<PathBuf, Vec<String>>,
    missing: BTreeSet<PathBuf>,
    /// The last report on each artifact.
    states: HashMap<PathBuf, &'static str>,
}

struct Run<'a> {
    scenario: &'a Scenario,
    client: Client,
    poller: Poller<Client, Client, Client>,
    owner: Owner,
    random: Random,
}

/// Runs a scenario to its end, and for its bound longer.
pub fn run(scenario: &Scenario, is_traced: bool) -> Report {
    let (world, end) = scenario.plan();
    let client = Client::new(
        world,
        scenario.client.clone(),
        scenario.seed,
        scenario.gate_max,
    );
    if is_traced {
        client.state.borrow_mut().world.trace.lines = Some(Vec::new());
    }
    let poller = Poller::with(
        scenario.options.clone(),
        client.clone(),
        client.clone(),
        client.clone(),
    );
    let mut run = Run {
        scenario,
        client,
        poller,
        owner: Owner::default(),
        random: Random::new(scenario.seed ^ 0x0b5e),
    };
    run.go_on_until(end + scenario.bound());
    run.take_updates();
    run.judge_end();
    if scenario.seed.is_multiple_of(QUIET_SEEDS) {
        run.judge_a_quiet_minute();
    }
    run.report()
}

impl Run<'_> {
    fn state(&self) -> RefMut<'_, State> {
        self.client.state.borrow_mut()
    }

    fn violate(&self, what: String) {
        let mut state = self.state();
        // One violation of a kind is enough to read.
        let kind = |text: &str| text.split(':').next().map(str::to_owned);
        if !state
            .violations
            .iter()
            .any(|said| kind(said) == kind(&what))
        {
            state.violations.push(what);
        }
    }

    fn go_on_until(&mut self, end: u64) {
        let mut next = 0;
        loop {
            // The thread that polls wakes a little late.
            let late = self.random.between(0, MS / 5);
            let now = {
                let mut state = self.state();
                let wake = next.max(state.world.now) + late;
                state.world.advance(wake);
                state.poll_began = state.world.now;
                state.world.now
            };
            if now > end {
                return;
            }
            let before = self.state().asked.clone();
            let wanted = self.poller.poll(self.client.instant(now));
            next = self.client.nanoseconds(wanted);
            self.judge_poll(&before);
            if self.random.percent(self.scenario.attention) {
                self.take_updates();
            }
            if self.poller.polls() > MOST_POLLS {
                self.violate("work: it polls without end".to_owned());
                return;
            }
        }
    }

    /// Judges that little is done where nothing changes and nothing fails.
    fn judge_a_quiet_minute(&mut self) {
        const MINUTE: u64 = 60 * SECOND;
        let artifacts = self.scenario.artifacts.len() as u64;
        let (readings, polls) = (self.state().asked.readings, self.poller.polls());
        let end = self.state().world.now + MINUTE;
        self.go_on_until(end);
        let readings = self.state().asked.readings - readings;
        let polls = self.poller.polls() - polls;
        // The jitter cuts off a twentieth.
        if polls > MINUTE * 20 / 19 / self.scenario.interval + QUIET_POLLS * artifacts {
            self.violate(format!("work: {polls} polls in a quiet minute"));
        }
        if readings > QUIET_READINGS * artifacts {
            self.violate(format!("work: {readings} readings in a quiet minute"));
        }
    }

    fn judge_poll(&mut self, before: &crate::client::Asked) {
        let state = self.state();
        let readings = state.asked.readings - before.readings;
        let steps = state.asked.steps - before.steps;
        let copies = state.asked.most_copies;
        drop(state);
        let artifacts = self.scenario.artifacts.len();
        if readings > 64 {
            self.violate(format!("work: {readings} readings in one poll"));
        }
        // One copy waits in the queue or is being made; live copies are not counted here.
        if copies > artifacts {
            self.violate(format!(
                "copies: {copies} at a time of {artifacts} artifacts"
            ));
        }
        // The most steps: a look at a directory and its names; for each artifact its names, open, look, three links.
        let idle = 4 + 12 * artifacts as u64;
        if readings == 0 && steps > 3 * idle {
            self.violate(format!("work: {steps} steps in a poll that read nothing"));
        }
    }

    fn take_updates(&mut self) {
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
            News::Ready(ready) => ("Ready", ready.digest.to_string()),
            News::Kept { digest, .. } => ("Kept", format!("{digest:?}")),
            News::Waiting(reason) => ("Waiting", format!("{reason:?}")),
            News::Missing => ("Missing", String::new()),
            News::Returned => ("Returned", String::new()),
            News::Degraded(error) => ("Degraded", replug::chain(error)),
            News::Recovered => ("Recovered", String::new()),
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
            state.covered.extend(cause_of(&update.news));
        }
        self.note_edge(&path, &update.news);
        let is_decided = match &update.news {
            News::Kept { digest, .. } => digest.is_some(),
            news => matches!(news, News::Ready(_) | News::Missing),
        };
        if is_decided {
            self.state().gated_since.remove(&path);
        }
        match update.news {
            News::Ready(ready) => self.load(path, ready.digest, &ready.staged),
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
            News::Waiting(Waiting::Missing) => {}
            _ => {}
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
            News::Waiting(Waiting::Gated) => "gated",
            News::Waiting(Waiting::Settling) => "settling",
            News::Waiting(Waiting::Incomplete) => "incomplete",
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
            self.owner.loads.entry(path).or_default().push(digest);
        } else if self.scenario.attention == 100 {
            self.violate("no update without changed bytes: it is live already".to_owned());
        }
    }

    /// Judges news of a missing artifact: it must not have been there all the time, or gone for a moment, or only
    /// unmounted.
    fn judge_missing(&self, path: &Path, now: u64) {
        if self.scenario.is_directory && path == Path::new(crate::world::ROOT) {
            self.violate("missing: the directory was never gone".to_owned());
            return;
        }
        let cache = &self.scenario.client.cache;
        let lag = cache.negative + 4 * SECOND + 40 * self.scenario.client.latency;
        let state = self.state();
        let absences = state.world.absences.get(path).cloned().unwrap_or_default();
        drop(state);
        let is_long = |(from, until): &(u64, Option<u64>)| {
            let until = until.unwrap_or(now);
            until.saturating_sub(*from) + lag >= SECOND && until + lag >= now && *from <= now
        };
        let attention = self.scenario.attention;
        if attention == 100 && !absences.iter().any(is_long) {
            self.violate(format!(
                "missing: {} was there all the time",
                path.display()
            ));
        }
    }

    fn judge_end(&mut self) {
        for path in &self.scenario.artifacts {
            let (published, content) = {
                let state = self.state();
                let published = state.world.published.get(path).cloned().unwrap_or_default();
                (
                    published,
                    state
                        .world
                        .content(path)
                        .map(|content| Digest::of(&content)),
                )
            };
            let live = self.owner.live.get(path).copied();
            let is_complete = content.is_some_and(|content| published.contains(&content));
            let kept = self.owner.kept.get(path).copied();
            if is_complete && live != content && kept != content && self.can_know() {
                self.violate(format!(
                    "final state: {} is not live {} ms after the last change",
                    path.display(),
                    self.scenario.bound() / MS
                ));
            }
            let loads = self.owner.loads.get(path).cloned().unwrap_or_default();
            if !is_subsequence(&loads, &published) {
                self.violate(format!(
                    "order: {} was loaded in another order than published",
                    path.display()
                ));
            }
        }
        // A filesystem that is mounted again from another device, without its files, cannot be told from one that is
        // not mounted.
        let is_another = matches!(self.scenario.detached, Some((_, _, device)) if device != 1);
        let mut artifacts = self.scenario.artifacts.iter();
        let is_empty = artifacts.any(|path| self.state().world.content(path).is_none());
        if is_another && is_empty {
            return;
        }
        if let Some(path) = self.owner.degraded.keys().next() {
            self.violate(format!(
                "recovery: {} is healed, and nobody said so",
                path.display()
            ));
        }
    }

    /// Whether the change can be known: without audits, nobody finds a change that looks cannot see.
    fn can_know(&self) -> bool {
        self.scenario.audits || !self.scenario.needs_audit()
    }

    fn report(self) -> Report {
        let polls = self.poller.polls();
        drop(self.poller);
        let mut state = self.client.state.borrow_mut();
        let mut covered = std::mem::take(&mut state.covered);
        covered.insert(format!("client {}", self.scenario.client.cache.name));
        covered.insert(format!("locks {:?}", self.scenario.client.locks));
        covered.extend(
            self.scenario
                .writers
                .iter()
                .map(|(_, writer, _)| format!("writer {writer:?}")),
        );
        if state.asked.forgotten > 0 {
            covered.insert("content forgotten".to_owned());
        }
        if self.scenario.detached.is_some() {
            covered.insert("unmounted".to_owned());
        }
        Report {
            violations: std::mem::take(&mut state.violations),
            covered,
            sum: state.world.trace.sum,
            lines: state.world.trace.lines.take().unwrap_or_default(),
            polls,
        }
    }
}

/// The name of the cause in the news: what has happened, or what is waited for.
fn cause_of(news: &News<Copy>) -> Option<String> {
    let error = match news {
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
        Error::MountLost { path } if path == Path::new(crate::world::ROOT) => "mount lost, all",
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

/// Whether `part` is `whole` with some digests left out.
fn is_subsequence(part: &[Digest], whole: &[Digest]) -> bool {
    let mut rest = whole.iter();
    part.iter()
        .all(|wanted| rest.any(|digest| digest == wanted))
}
