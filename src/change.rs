//! What a change calls for: a pure state machine for one artifact. It never touches a file, a clock or a
//! thread. The [`Poller`](crate::Poller) tells it what was seen and when; it answers with the next [`Order`].

use std::time::{Duration, Instant};

use crate::digest::Digest;
use crate::gate::{Gate, GatePolicy};
use crate::snapshot::Snapshot;

/// How soon to look again at something that moves.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A shorter absence is not reported: cargo unlinks the old library some milliseconds before it links the new
/// one into place, and people delete and copy.
const ABSENCE_GRACE: Duration = Duration::from_secs(1);

/// How long a file must hold still that is read although the gate never opened.
const CAPPED_SETTLE: Duration = Duration::from_secs(1);

/// How long to wait before trying again what failed, first and at most. It doubles in between.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_MOST: Duration = Duration::from_secs(10);

/// The widest timestamp tick of a filesystem that counts nanoseconds (a kernel's timer, 1 to 10 ms), doubled
/// for the lag until a write is visible.
const FINE_TICK: Duration = Duration::from_millis(20);

/// The same where stamps are in whole seconds: FAT counts in twos.
const COARSE_TICK: Duration = Duration::from_millis(2_100);

/// How long after its first sight a snapshot stays racy: a later write may carry the same stamps.
///
/// This is the problem, and the remedy, of git's `racy-git.txt`: what was read too soon after it was written
/// is read once more.
pub(crate) fn granularity(snapshot: &Snapshot) -> Duration {
    if snapshot.has_coarse_stamps() {
        COARSE_TICK
    } else {
        FINE_TICK
    }
}

/// The user's choices that a [`Tracker`] follows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// How long a file must hold still that gave no better evidence of being complete.
    pub(crate) settle: Duration,
    /// Whether the gate is asked.
    pub(crate) gate: GatePolicy,
    /// How long a shut gate can hold an artifact back.
    pub(crate) gate_max: Duration,
}

/// What to do next for this artifact. Each but `Rest` is answered by the method named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Nothing, before the next poll or this earlier moment.
    Rest(Option<Instant>),
    /// Ask the gate: [`Tracker::gate`].
    Ask,
    /// Read and digest: [`Tracker::digested`], or [`Tracker::torn`] or [`Tracker::failed`].
    Digest,
    /// Stage and digest in one pass: [`Tracker::staged`], or [`Tracker::torn`] or [`Tracker::failed`].
    Stage,
}

/// When a read began and ended, and what it read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    pub(crate) begun: Instant,
    pub(crate) ended: Instant,
    pub(crate) digest: Digest,
}

/// What vet found, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A library this host can load.
    Good,
    /// A writer may still be at work.
    Incomplete,
    /// Complete, but nothing this host can use.
    Wrong,
}

/// Why an artifact is not live yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Waiting {
    /// There has never been a file.
    Missing,
    /// A cargo build holds its lock.
    Gated,
    /// The file must hold still for a while.
    Settling,
    /// The file is the beginning of a library.
    Incomplete,
}

/// What an absence, or its end, means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Absence {
    /// Gone for long enough to be said.
    Missing,
    /// Back, after its absence was said.
    Returned,
}

/// The state of one artifact.
#[derive(Debug)]
pub(crate) struct Tracker {
    state: State,
    /// The last snapshot that a decision was made for.
    base: Option<Snapshot>,
    /// The digest of the last artifact that was handed over or kept out. Equal bytes are not looked into again.
    decided: Option<Digest>,
}

#[derive(Debug)]
enum State {
    Absent {
        since: Option<Instant>,
        said: bool,
    },
    Suspect(Suspect),
    Settled {
        snapshot: Snapshot,
        digest: Digest,
        /// When to digest once more, if the snapshot was racy when it was read.
        confirm_at: Option<Instant>,
    },
}

#[derive(Debug)]
struct Suspect {
    /// When the change was first seen.
    since: Instant,
    snapshot: Snapshot,
    /// When this snapshot was first seen.
    seen: Instant,
    /// Whether two looks saw this snapshot.
    still: bool,
    /// Whether a reading has shown that this file was not as complete as its arrival promised.
    doubted: bool,
    incomplete: bool,
    /// The first of the two digests that weak evidence takes.
    first: Option<Reading>,
    gate: Passage,
    retry: Duration,
    retry_at: Option<Instant>,
}

/// What the gate has said since the change was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Passage {
    /// Nothing that holds back.
    Free,
    Shut {
        since: Instant,
    },
    /// Shut for longer than the user allows.
    Capped {
        since: Instant,
    },
    /// Shut, then open.
    Opened,
}

/// What speaks for a suspect file being complete, and thus how it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Evidence {
    /// It came as another file, linked or renamed into place: read at once.
    Strong,
    /// A build ended: read once it has held still from one look to the next.
    GateOpened,
    /// Nothing: two equal digests, this far apart.
    Weak(Duration),
}

impl Tracker {
    pub(crate) fn new() -> Tracker {
        Tracker {
            state: State::Absent {
                since: None,
                said: false,
            },
            base: None,
            decided: None,
        }
    }

    /// Whether a look that saw `snapshot` calls for nothing. All that an idle poll asks.
    pub(crate) fn is_quiet(&self, snapshot: &Snapshot) -> bool {
        matches!(&self.state, State::Settled { snapshot: settled, confirm_at: None, .. } if settled == snapshot)
    }

    /// Whether anything was ever handed over or kept out.
    pub(crate) fn has_decided(&self) -> bool {
        self.decided.is_some()
    }

    /// What was handed over was taken back before anybody saw it, so equal bytes are news again.
    pub(crate) fn taken_back(&mut self) {
        self.decided = None;
    }

    /// When the change that is being followed was first seen.
    pub(crate) fn changed_at(&self) -> Option<Instant> {
        match &self.state {
            State::Suspect(suspect) => Some(suspect.since),
            _ => None,
        }
    }

    /// What the artifact waits for, if it does.
    pub(crate) fn waiting(&self) -> Option<Waiting> {
        match &self.state {
            State::Absent { .. } => (self.base.is_none()).then_some(Waiting::Missing),
            State::Settled { .. } => None,
            State::Suspect(suspect) if matches!(suspect.gate, Passage::Shut { .. }) => {
                Some(Waiting::Gated)
            }
            State::Suspect(suspect) if suspect.incomplete => Some(Waiting::Incomplete),
            State::Suspect(_) => Some(Waiting::Settling),
        }
    }

    /// A look found no file. Says when to look again, if before the next poll.
    pub(crate) fn absent(&mut self, now: Instant) -> (Option<Instant>, Option<Absence>) {
        let (since, said) = match self.state {
            State::Absent {
                since: Some(since),
                said,
            } => (since, said),
            _ => (now, false),
        };
        let say = !said && self.base.is_some() && now >= since + ABSENCE_GRACE;
        self.state = State::Absent {
            since: Some(since),
            said: said || say,
        };
        let brief = self.base.is_some() && !said && !say;
        (
            brief.then(|| now + LOOK_AGAIN),
            say.then_some(Absence::Missing),
        )
    }

    /// A look saw `snapshot`.
    pub(crate) fn look(
        &mut self,
        now: Instant,
        snapshot: Snapshot,
        rules: &Rules,
    ) -> (Order, Option<Absence>) {
        let mut absence = None;
        match &mut self.state {
            State::Settled {
                snapshot: settled,
                confirm_at,
                ..
            } if *settled == snapshot => {
                let order = match confirm_at {
                    Some(at) if now >= *at => Order::Digest,
                    later => Order::Rest(*later),
                };
                return (order, None);
            }
            State::Suspect(suspect) if suspect.snapshot == snapshot => {
                suspect.still = true;
                if suspect.retry_at.is_some_and(|at| now < at) {
                    return (Order::Rest(suspect.retry_at), None);
                }
            }
            State::Suspect(suspect) => suspect.moved(now, snapshot),
            State::Absent { said, .. } => {
                absence = said.then_some(Absence::Returned);
                self.state = State::Suspect(Suspect::new(now, snapshot));
            }
            State::Settled { .. } => self.state = State::Suspect(Suspect::new(now, snapshot)),
        }
        let order = match rules.gate {
            GatePolicy::Off => self.settle(now, rules),
            GatePolicy::Auto | GatePolicy::Require => Order::Ask,
        };
        (order, absence)
    }

    /// The gate answered.
    pub(crate) fn gate(&mut self, now: Instant, gate: Gate, rules: &Rules) -> Order {
        let State::Suspect(suspect) = &mut self.state else {
            return Order::Rest(None);
        };
        let shut =
            gate == Gate::Shut || (gate == Gate::Absent && rules.gate == GatePolicy::Require);
        suspect.gate = match suspect.gate {
            Passage::Shut { since } | Passage::Capped { since } if shut => {
                if now >= since + rules.gate_max {
                    Passage::Capped { since }
                } else {
                    Passage::Shut { since }
                }
            }
            Passage::Free | Passage::Opened if shut => Passage::Shut { since: now },
            Passage::Shut { .. } | Passage::Capped { .. } => {
                // The last writes of a build can be newer than our last look.
                suspect.still = false;
                Passage::Opened
            }
            passage => passage,
        };
        match suspect.gate {
            Passage::Shut { since } => Order::Rest(Some(since + rules.gate_max)),
            _ => self.settle(now, rules),
        }
    }

    /// A reading of the artifact ended: the first of two, or one that confirms.
    pub(crate) fn digested(&mut self, reading: Reading, rules: &Rules) -> Order {
        match &mut self.state {
            State::Settled {
                digest, confirm_at, ..
            } if *digest == reading.digest => {
                *confirm_at = None;
                Order::Rest(None)
            }
            State::Settled { snapshot, .. } => {
                // Other bytes under an equal snapshot: whatever this is, it was not published whole.
                let mut suspect = Suspect::new(reading.begun, *snapshot);
                suspect.still = true;
                suspect.doubted = true;
                suspect.first = Some(reading);
                self.state = State::Suspect(suspect);
                self.settle(reading.ended, rules)
            }
            State::Suspect(suspect) => {
                suspect.first = Some(reading);
                self.settle(reading.ended, rules)
            }
            State::Absent { .. } => Order::Rest(None),
        }
    }

    /// A private copy was made. `None` means that it is news: vet it, then [`Tracker::vetted`].
    pub(crate) fn staged(&mut self, reading: Reading, rules: &Rules) -> Option<Order> {
        let evidence = self.evidence(rules);
        let State::Suspect(suspect) = &mut self.state else {
            return Some(Order::Rest(None));
        };
        if let Evidence::Weak(settle) = evidence
            && suspect
                .first
                .is_none_or(|first| first.digest != reading.digest)
        {
            suspect.first = Some(reading);
            return Some(Order::Rest(Some(reading.ended + settle)));
        }
        (self.decided == Some(reading.digest)).then(|| self.decide(reading))
    }

    /// The private copy was vetted.
    pub(crate) fn vetted(&mut self, reading: Reading, verdict: Verdict) -> Order {
        let State::Suspect(suspect) = &mut self.state else {
            return Order::Rest(None);
        };
        if verdict == Verdict::Incomplete {
            suspect.doubted = true;
            suspect.incomplete = true;
            suspect.first = None;
            return suspect.try_later(reading.ended);
        }
        self.decide(reading)
    }

    /// The file changed while it was read.
    pub(crate) fn torn(&mut self, now: Instant) -> Order {
        if let State::Suspect(suspect) = &mut self.state {
            suspect.still = false;
            suspect.first = None;
        }
        Order::Rest(Some(now + LOOK_AGAIN))
    }

    /// Reading or staging failed.
    pub(crate) fn failed(&mut self, now: Instant) -> Order {
        match &mut self.state {
            State::Suspect(suspect) => suspect.try_later(now),
            State::Settled { confirm_at, .. } => {
                *confirm_at = Some(now + RETRY_MOST);
                Order::Rest(*confirm_at)
            }
            State::Absent { .. } => Order::Rest(None),
        }
    }

    /// How to go on with a suspect that no gate holds back.
    fn settle(&mut self, now: Instant, rules: &Rules) -> Order {
        let evidence = self.evidence(rules);
        let State::Suspect(suspect) = &self.state else {
            return Order::Rest(None);
        };
        match (evidence, suspect.first) {
            (Evidence::Strong, _) => Order::Stage,
            _ if !suspect.still => Order::Rest(Some(now + LOOK_AGAIN)),
            (Evidence::GateOpened, _) => Order::Stage,
            (Evidence::Weak(_), None) => Order::Digest,
            (Evidence::Weak(settle), Some(first)) if now >= first.ended + settle => Order::Stage,
            (Evidence::Weak(settle), Some(first)) => Order::Rest(Some(first.ended + settle)),
        }
    }

    fn evidence(&self, rules: &Rules) -> Evidence {
        let State::Suspect(suspect) = &self.state else {
            return Evidence::Weak(rules.settle);
        };
        let arrived = self
            .base
            .is_none_or(|base| suspect.snapshot.is_another_file_than(&base));
        match suspect.gate {
            Passage::Capped { .. } => Evidence::Weak(rules.settle.max(CAPPED_SETTLE)),
            _ if suspect.doubted => Evidence::Weak(rules.settle),
            _ if arrived && suspect.snapshot.was_published_whole() => Evidence::Strong,
            Passage::Opened => Evidence::GateOpened,
            _ => Evidence::Weak(rules.settle),
        }
    }

    /// Rests on what was read, until the file changes; racy readings are confirmed once.
    fn decide(&mut self, reading: Reading) -> Order {
        let State::Suspect(suspect) = &self.state else {
            return Order::Rest(None);
        };
        let snapshot = suspect.snapshot;
        let clean_at = suspect.seen + granularity(&snapshot);
        let confirm_at = (reading.begun < clean_at).then_some(clean_at);
        self.base = Some(snapshot);
        self.decided = Some(reading.digest);
        self.state = State::Settled {
            snapshot,
            digest: reading.digest,
            confirm_at,
        };
        Order::Rest(confirm_at)
    }
}

impl Suspect {
    fn new(now: Instant, snapshot: Snapshot) -> Suspect {
        Suspect {
            since: now,
            snapshot,
            seen: now,
            still: false,
            doubted: false,
            incomplete: false,
            first: None,
            gate: Passage::Free,
            retry: RETRY_FIRST,
            retry_at: None,
        }
    }

    /// Another snapshot: what was read of the one before proves nothing.
    fn moved(&mut self, now: Instant, snapshot: Snapshot) {
        if snapshot.is_another_file_than(&self.snapshot) {
            self.doubted = false;
        }
        self.snapshot = snapshot;
        self.seen = now;
        self.still = false;
        self.first = None;
        self.retry = RETRY_FIRST;
        self.retry_at = None;
    }

    fn try_later(&mut self, now: Instant) -> Order {
        let at = now + self.retry;
        self.retry_at = Some(at);
        self.retry = (self.retry * 2).min(RETRY_MOST);
        Order::Rest(Some(at))
    }
}
