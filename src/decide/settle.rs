//! How a changed file earns belief: what speaks for its being complete, and how it is read for that reason.
//! Pure, like the [`Tracker`](super::change) it is a part of.

use std::time::{Duration, Instant};

use crate::look::digest::Digest;
use crate::look::gate::Gate;
use crate::look::noise::Noise;
use crate::look::place::Place;
use crate::look::snapshot::Snapshot;
use crate::options::{GatePolicy, Options};

/// How soon to look again at something that moves: longer than the pauses between the writes of a copy, shorter than
/// anybody notices.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// How long a file must hold still that is read although the gate never opened: a build is at work there, and linkers
/// pause for longer than copies.
const CAPPED_SETTLE: Duration = Duration::from_secs(1);

/// How long to wait before trying again, first and at most; it doubles in between. What failed is tried often enough
/// that a full disk with room again, or a server that is back, is noticed while somebody watches; a dead half file
/// seldom enough that reading it costs next to nothing.
const RETRY_FIRST: Duration = Duration::from_millis(100);
pub(crate) const FAILED_MOST: Duration = Duration::from_secs(2);
const RETRY_MOST: Duration = Duration::from_secs(10);

/// What a [`Tracker`](super::change::Tracker) goes by: the user's choices, and the place of the artifact.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(crate) options: Options,
    pub(crate) place: Place,
}

/// What to do next for this artifact. Each but `Rest` is answered by the method named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Nothing, before the next poll or this earlier moment.
    Rest(Option<Instant>),
    /// Ask the gate: [`Tracker::gate`](super::change::Tracker::gate).
    Ask,
    /// Read and digest: [`Tracker::digested`](super::change::Tracker::digested), or [`Tracker::torn`](super::change::Tracker::torn) or [`Tracker::failed`](super::change::Tracker::failed).
    Digest,
    /// Stage and digest in one pass: [`Tracker::staged`](super::change::Tracker::staged), or [`Tracker::torn`](super::change::Tracker::torn) or [`Tracker::failed`](super::change::Tracker::failed).
    Stage,
}

/// When a read began and ended, and what it read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    pub(crate) begun: Instant,
    pub(crate) ended: Instant,
    pub(crate) digest: Digest,
}

/// A file whose snapshot is not the one that was last believed.
#[derive(Debug)]
pub(crate) struct Suspect {
    /// When the change was first seen.
    first_seen: Instant,
    /// What the file looked like when it was last believed.
    base: Option<Snapshot>,
    snapshot: Snapshot,
    /// When this snapshot was first seen.
    snapshot_seen: Instant,
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
    /// Shut, then open. It speaks for what held still from before it opened until after; who writes later holds no lock.
    Opened {
        since: Instant,
        looks: Looks,
    },
}

/// What was seen since the gate opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Looks {
    /// Nothing yet.
    None,
    /// What was there behind the shut gate.
    AsLeft,
    /// Something newer.
    Changed,
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

impl Suspect {
    /// A file that looks like `snapshot` now, and looked like `base` when it was last believed.
    pub(crate) fn new(now: Instant, snapshot: Snapshot, base: Option<Snapshot>) -> Suspect {
        Suspect {
            first_seen: now,
            base,
            snapshot,
            snapshot_seen: now,
            still: false,
            doubted: false,
            incomplete: false,
            first: None,
            gate: Passage::Free,
            retry: RETRY_FIRST,
            retry_at: None,
        }
    }

    /// A file that looks as it did, but a second reading found other bytes. Whatever this is, it was not
    /// published whole.
    pub(crate) fn unmasked(snapshot: Snapshot, reading: Reading) -> Suspect {
        Suspect {
            still: true,
            first: Some(reading),
            ..Suspect::new(reading.begun, snapshot, Some(snapshot))
        }
    }

    pub(crate) fn first_seen(&self) -> Instant {
        self.first_seen
    }

    pub(crate) fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Nothing speaks for it any more but what is read.
    pub(crate) fn doubt(&mut self) {
        self.doubted = true;
    }

    /// Takes what is noise out of what was seen.
    pub(crate) fn strip(&mut self, noise: &Noise) {
        self.snapshot = noise.strip(self.snapshot);
        self.base = self.base.map(|base| noise.strip(base));
        self.doubted = true;
    }

    /// Whether the gate has let it pass and it will be read next.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self.gate, Passage::Opened { .. }) && self.retry_at.is_none()
    }

    pub(crate) fn is_gated(&self) -> bool {
        matches!(self.gate, Passage::Shut { .. })
    }

    pub(crate) fn is_incomplete(&self) -> bool {
        self.incomplete
    }

    /// Until when nothing is to be tried, after a failure.
    pub(crate) fn pauses_until(&self, now: Instant) -> Option<Instant> {
        self.retry_at.filter(|at| now < *at)
    }

    /// Another look saw `snapshot`. What was read of one snapshot proves nothing of the next.
    pub(crate) fn sees(&mut self, now: Instant, snapshot: Snapshot) {
        let is_same = self.snapshot == snapshot;
        if let Passage::Opened { looks, .. } = &mut self.gate {
            *looks = match looks {
                Looks::None | Looks::AsLeft if is_same => Looks::AsLeft,
                _ => Looks::Changed,
            };
        }
        if is_same {
            self.still = true;
            return;
        }
        if snapshot.is_another_file_than(&self.snapshot) {
            self.doubted = false;
            self.incomplete = false;
        }
        self.snapshot = snapshot;
        self.snapshot_seen = now;
        self.still = false;
        self.first = None;
        self.retry = RETRY_FIRST;
        self.retry_at = None;
    }

    /// The gate answered.
    pub(crate) fn gate(&mut self, now: Instant, gate: Gate, rules: &Rules) -> Order {
        let is_shut = match gate {
            Gate::Shut => true,
            Gate::Open => false,
            Gate::Absent => rules.place.gate == GatePolicy::Require,
        };
        let shut_since = match self.gate {
            Passage::Free => None,
            Passage::Shut { since } | Passage::Capped { since } => Some(since),
            Passage::Opened { since, .. } => Some(since),
        };
        self.gate = match (shut_since, is_shut) {
            (None, false) => Passage::Free,
            (Some(since), false) => match self.gate {
                opened @ Passage::Opened { .. } => opened,
                _ => {
                    // The last writes of a build can be newer than our last look, and the first of somebody else too.
                    let looks = if self.still {
                        Looks::None
                    } else {
                        Looks::Changed
                    };
                    self.still = false;
                    Passage::Opened { since, looks }
                }
            },
            (since, true) => {
                // A gate that opens now and then is shut since it first was: the cap holds for all of it.
                let since = since.unwrap_or(now);
                if now < since + rules.options.gate_max {
                    Passage::Shut { since }
                } else {
                    Passage::Capped { since }
                }
            }
        };
        match self.gate {
            Passage::Shut { since } => Order::Rest(Some(since + rules.options.gate_max)),
            _ => self.order(now, rules),
        }
    }

    /// How to go on, if no gate holds it back.
    pub(crate) fn order(&self, now: Instant, rules: &Rules) -> Order {
        match (self.evidence(rules), self.first) {
            (Evidence::Strong, _) => Order::Stage,
            _ if !self.still => Order::Rest(Some(now + LOOK_AGAIN)),
            (Evidence::GateOpened, _) => Order::Stage,
            (Evidence::Weak(_), None) => Order::Digest,
            (Evidence::Weak(settle), Some(first)) if now >= first.ended + settle => Order::Stage,
            (Evidence::Weak(settle), Some(first)) => Order::Rest(Some(first.ended + settle)),
        }
    }

    /// The first of two readings.
    pub(crate) fn digested(&mut self, reading: Reading, rules: &Rules) -> Order {
        self.first = Some(reading);
        self.order(reading.ended, rules)
    }

    /// Whether a reading that made a private copy may be believed.
    pub(crate) fn accepts(&self, reading: Reading, rules: &Rules) -> bool {
        match self.evidence(rules) {
            Evidence::Strong | Evidence::GateOpened => true,
            Evidence::Weak(_) => self
                .first
                .is_some_and(|first| first.digest == reading.digest),
        }
    }

    /// Whether it arrived in a way that leaves no doubt about it.
    pub(crate) fn is_beyond_doubt(&self, rules: &Rules) -> bool {
        self.evidence(rules) == Evidence::Strong && !rules.place.is_remote()
    }

    /// When a reading that is believed must be confirmed, if the snapshot was racy when it began.
    pub(crate) fn confirm_at(&self, reading: Reading) -> Option<Instant> {
        let clean_at = self.snapshot_seen + self.snapshot.racy_for();
        (reading.begun < clean_at).then_some(clean_at)
    }

    /// Vet found the beginning of a library.
    pub(crate) fn incomplete(&mut self, now: Instant) -> Order {
        self.doubted = true;
        self.incomplete = true;
        self.first = None;
        self.try_later(now, RETRY_MOST)
    }

    /// It changed while it was read. If no look can see how, that is a failure like any other.
    pub(crate) fn torn(&mut self, now: Instant) -> Order {
        self.still = false;
        self.first = None;
        self.try_later(now, RETRY_MOST)
    }

    /// Something failed; it may not the next time.
    pub(crate) fn failed(&mut self, now: Instant) -> Order {
        self.try_later(now, FAILED_MOST)
    }

    /// What is to be tried again is to be tried now.
    pub(crate) fn end_pause(&mut self, now: Instant) {
        self.retry_at = self.retry_at.map(|at| at.min(now));
    }

    fn try_later(&mut self, now: Instant, most: Duration) -> Order {
        let at = now + self.retry.min(most);
        self.retry_at = Some(at);
        self.retry = (self.retry * 2).min(most);
        Order::Rest(Some(at))
    }

    fn evidence(&self, rules: &Rules) -> Evidence {
        // At the first sight there is nothing to tell it from.
        let is_another = self
            .base
            .is_none_or(|base| self.snapshot.is_another_file_than(&base));
        let arrived_whole = is_another && self.snapshot.was_changed_after_its_last_write();
        match self.gate {
            Passage::Capped { .. } => Evidence::Weak(rules.options.settle.max(CAPPED_SETTLE)),
            // What a look that can lag says of how it arrived speaks for some earlier content.
            _ if self.doubted || rules.place.looks_can_lag => Evidence::Weak(rules.options.settle),
            _ if arrived_whole => Evidence::Strong,
            // Stamps that are too coarse do not show that it held still.
            Passage::Opened {
                looks: Looks::None | Looks::AsLeft,
                ..
            } if self.snapshot.racy_for() <= LOOK_AGAIN => Evidence::GateOpened,
            Passage::Free | Passage::Shut { .. } | Passage::Opened { .. } => {
                Evidence::Weak(rules.options.settle)
            }
        }
    }
}
