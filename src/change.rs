//! What a change calls for: a pure state machine for one artifact. It never touches a file, a clock or a
//! thread. The [`Poller`](crate::Poller) tells it what was seen and when; it answers with the next [`Order`].

use std::time::{Duration, Instant};

use crate::digest::Digest;
use crate::gate::{Gate, GatePolicy};
use crate::settle::{LOOK_AGAIN, Order, RETRY_MOST, Reading, Rules, Suspect};
use crate::snapshot::Snapshot;

/// A shorter absence is not reported: cargo unlinks the old library some milliseconds before it links the new
/// one into place, and people delete and copy.
const ABSENCE_GRACE: Duration = Duration::from_secs(1);

/// Whether, and how often, to digest what seems unchanged. A write through a shared mapping changes nothing that a look
/// can see, and a remote filesystem can keep showing what was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Audit {
    /// Where the artifact arrived with weak evidence of being complete, or the filesystem is remote: 2 s, 10 s and 60 s
    /// after a digest, then every 5 minutes. Elsewhere once, after 2 s.
    #[default]
    Auto,
    /// Never.
    Off,
    /// Always this long after the last digest.
    Every(Duration),
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
    /// Boxed because few artifacts are ever suspect at a time, and there can be thousands.
    Suspect(Box<Suspect>),
    Settled {
        snapshot: Snapshot,
        digest: Digest,
        /// When to digest once more, if the snapshot was racy when it was read.
        confirm_at: Option<Instant>,
    },
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
    pub(crate) fn first_seen(&self) -> Option<Instant> {
        match &self.state {
            State::Suspect(suspect) => Some(suspect.first_seen()),
            _ => None,
        }
    }

    /// What the artifact waits for, if it does.
    pub(crate) fn waiting(&self) -> Option<Waiting> {
        match &self.state {
            State::Absent { .. } => (self.base.is_none()).then_some(Waiting::Missing),
            State::Settled { .. } => None,
            State::Suspect(suspect) if suspect.is_gated() => Some(Waiting::Gated),
            State::Suspect(suspect) if suspect.is_incomplete() => Some(Waiting::Incomplete),
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
        // Only what was there can be missed, and only once.
        let unsaid = self.base.is_some() && !said;
        let is_long = now >= since + ABSENCE_GRACE;
        self.state = State::Absent {
            since: Some(since),
            said: said || (unsaid && is_long),
        };
        match (unsaid, is_long) {
            (true, true) => (None, Some(Absence::Missing)),
            (true, false) => (Some(now + LOOK_AGAIN), None),
            (false, _) => (None, None),
        }
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
            State::Suspect(suspect) => suspect.look(now, snapshot),
            State::Absent { said, .. } => {
                absence = said.then_some(Absence::Returned);
                self.state = State::Suspect(Box::new(Suspect::new(now, snapshot, self.base)));
            }
            State::Settled { .. } => {
                self.state = State::Suspect(Box::new(Suspect::new(now, snapshot, self.base)))
            }
        }
        (self.follow(now, rules), absence)
    }

    fn follow(&self, now: Instant, rules: &Rules) -> Order {
        let State::Suspect(suspect) = &self.state else {
            return Order::Rest(None);
        };
        match (suspect.pauses_until(now), rules.gate) {
            (Some(until), _) => Order::Rest(Some(until)),
            (None, GatePolicy::Off) => suspect.order(now, rules),
            (None, GatePolicy::Auto | GatePolicy::Require) => Order::Ask,
        }
    }

    /// The gate answered.
    pub(crate) fn gate(&mut self, now: Instant, gate: Gate, rules: &Rules) -> Order {
        match &mut self.state {
            State::Suspect(suspect) => suspect.gate(now, gate, rules),
            _ => Order::Rest(None),
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
                let suspect = Suspect::unmasked(*snapshot, reading);
                self.state = State::Suspect(Box::new(suspect));
                self.follow(reading.ended, rules)
            }
            State::Suspect(suspect) => suspect.digested(reading, rules),
            State::Absent { .. } => Order::Rest(None),
        }
    }

    /// A private copy was made. `None` means that it is news: vet it, then [`Tracker::vetted`].
    pub(crate) fn staged(&mut self, reading: Reading, rules: &Rules) -> Option<Order> {
        let State::Suspect(suspect) = &mut self.state else {
            return Some(Order::Rest(None));
        };
        if !suspect.accepts(reading, rules) {
            return Some(suspect.digested(reading, rules));
        }
        (self.decided == Some(reading.digest)).then(|| self.decide(reading))
    }

    /// The private copy was vetted.
    pub(crate) fn vetted(&mut self, reading: Reading, verdict: Verdict) -> Order {
        let State::Suspect(suspect) = &mut self.state else {
            return Order::Rest(None);
        };
        if verdict == Verdict::Incomplete {
            return suspect.incomplete(reading.ended);
        }
        self.decide(reading)
    }

    /// The file changed while it was read.
    pub(crate) fn torn(&mut self, now: Instant) -> Order {
        match &mut self.state {
            State::Suspect(suspect) => suspect.torn(now),
            _ => self.failed(now),
        }
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

    /// Rests on what was read, until the file changes; racy readings are confirmed once.
    fn decide(&mut self, reading: Reading) -> Order {
        let State::Suspect(suspect) = &self.state else {
            return Order::Rest(None);
        };
        let snapshot = *suspect.snapshot();
        let confirm_at = suspect.confirm_at(reading);
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

#[cfg(test)]
mod tests;
