//! A run of one scenario: the poller, its owner, and the judges of both.

use std::cell::RefMut;
use std::collections::BTreeSet;

use replug::watch::{Locality, Poller};

use crate::client::{Asked, Client, State};
use crate::owner::Owner;
use crate::random::Random;
use crate::scenario::Scenario;
use crate::world::{MS, SECOND};
use crate::writers::Writer;

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

/// The longest wait between two polls of a local filesystem after a change, and for how long after it.
const BRISK: u64 = 25 * MS;
const AT_WORK: u64 = 300 * SECOND;

/// One seed in this many goes on for a minute after all is over.
const QUIET_SEEDS: u64 = 8;

/// The polls and readings that each artifact may ask for in a quiet minute, beside the polls of the interval: half a
/// file is tried again every ten seconds, and a file that cannot be found every two.
const QUIET_POLLS: u64 = 60;
const QUIET_READINGS: u64 = 24;

/// The steps of a poll beside those of an idle one, while there is doubt about what is not found; and the steps that
/// come with each reading, those of the polls around it included.
const DOUBT_STEPS: u64 = 5;
/// For each directory on the way, while half a file is there that the rest may come to: the way to it is learned at each
/// poll.
const LEARNING_STEPS: u64 = 6;
const READING_STEPS: u64 = 200;

/// A run that is going on.
pub struct Run<'a> {
    pub scenario: &'a Scenario,
    pub client: Client,
    pub poller: Poller<Client, Client, Client>,
    pub owner: Owner,
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
    let remakes_links = [
        Writer::SwapDirectoryLink,
        Writer::CleanBuild,
        Writer::ReplaceDirectory,
    ];
    client.state.borrow_mut().notes_ways = scenario.ground.linked.is_some()
        && scenario.is_written_by(&remakes_links)
        && scenario.is_written_by(&[Writer::Cover]);
    if is_traced {
        client.state.borrow_mut().world.trace.lines = Some(Vec::new());
    }
    client.state.borrow_mut().world.advance(0);
    let mut poller = Poller::with(
        scenario.options.clone(),
        client.clone(),
        client.clone(),
        client.clone(),
    );
    // As a watcher does it, whose owner then hears of the place.
    poller.survey();
    let owner = Owner {
        place: Some(poller.place().clone()),
        ..Owner::default()
    };
    let mut run = Run {
        scenario,
        client,
        poller,
        owner,
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
    pub fn state(&self) -> RefMut<'_, State> {
        self.client.state.borrow_mut()
    }

    pub fn violate(&self, what: String) {
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
            self.judge_pace(now, next);
            if self.poller.polls() > MOST_POLLS {
                self.violate("work: it polls without end".to_owned());
                return;
            }
        }
    }

    /// Whether the path is on a local filesystem; the directory under a remote mount can be on one.
    fn is_on_local(&self) -> bool {
        self.poller.place().locality == Locality::Local
    }

    /// Judges the wait from the beginning of a poll to the next poll of a local filesystem.
    fn judge_pace(&self, now: u64, next: u64) {
        if !self.is_on_local() {
            return;
        }
        let wait = next - now;
        if wait > self.scenario.interval {
            let wait = wait / MS;
            self.violate(format!("pace: {wait} ms are longer than the interval"));
        }
        // Only an owner that looks after each poll tells when a change was found.
        let changed = self.owner.changed.filter(|at| now < at + AT_WORK);
        // What lies behind a link may be on a server.
        let is_direct = self.scenario.links() == 0;
        let is_brisk = !self.scenario.is_steady && is_direct && self.scenario.attention == 100;
        if is_brisk && changed.is_some() && wait > BRISK {
            let wait = wait / MS;
            self.violate(format!("pace: a wait of {wait} ms after a change"));
        }
    }

    /// Judges that little is done where nothing changes and nothing fails, once the brisk time is over.
    fn judge_a_quiet_minute(&mut self) {
        const MINUTE: u64 = 60 * SECOND;
        if !self.scenario.is_steady && self.is_on_local() {
            let quiet = self.state().world.now + AT_WORK + SECOND;
            self.go_on_until(quiet);
        }
        let artifacts = self.scenario.artifacts.len() as u64;
        let (before, polls) = (self.state().asked.clone(), self.poller.polls());
        let end = self.state().world.now + MINUTE;
        self.go_on_until(end);
        let asked = self.state().asked.clone();
        let readings = asked.readings - before.readings;
        let steps = asked.steps - before.steps;
        let polls = self.poller.polls() - polls;
        // The jitter cuts off a twentieth.
        if polls > MINUTE * 20 / 19 / self.scenario.interval + QUIET_POLLS * artifacts {
            self.violate(format!("work: {polls} polls in a quiet minute"));
        }
        if readings > QUIET_READINGS * artifacts {
            self.violate(format!("work: {readings} readings in a quiet minute"));
        }
        let learning = match self.has_half_a_file() {
            true => LEARNING_STEPS * self.scenario.directories() * artifacts,
            false => 0,
        };
        let doubt = DOUBT_STEPS + 2 * self.scenario.links();
        let idle = polls * (self.scenario.idle_steps() + doubt + learning);
        if steps > idle + READING_STEPS * readings {
            self.violate(format!(
                "work: {steps} steps in {polls} polls of a quiet minute"
            ));
        }
    }

    fn judge_poll(&mut self, before: &Asked) {
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
        // The most steps: a look at each directory on the way and its names; for each artifact its names, open, look,
        // three links. A way that turns is learned and asked anew, up to three times more in a poll.
        let idle = 4 + 3 * self.scenario.directories() + 12 * artifacts as u64;
        if readings == 0 && steps > 6 * idle {
            self.violate(format!("work: {steps} steps in a poll that read nothing"));
        }
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
            let when = match self.scenario.is_late() {
                true => "mounted late",
                false => "unmounted",
            };
            covered.insert(when.to_owned());
        }
        if self.scenario.ground.is_linked_to {
            covered.insert("mount linked to".to_owned());
        }
        let name = self.scenario.client.cache.name;
        let served = state.memory.served.iter();
        covered.extend(served.map(|what| format!("{name}: an old name led to {what}")));
        Report {
            violations: std::mem::take(&mut state.violations),
            covered,
            sum: state.world.trace.sum,
            lines: state.world.trace.lines.take().unwrap_or_default(),
            polls,
        }
    }
}
