//! How a changed file earns belief: the evidence that the file is complete, and how the file is read for that reason.
//! Pure, like the [`Tracker`](super::change) that this is a part of.

use std::time::{Duration, Instant};

use crate::look::digest::Digest;
use crate::look::gate::Gate;
use crate::look::holder::Holder;
use crate::look::noise::Noise;
use crate::look::place::Place;
use crate::look::snapshot::Snapshot;
use crate::options::{GatePolicy, Options};

/// How soon to look again at a file that changes: longer than the pauses between the writes of a copy, shorter than
/// anybody notices.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// How long a file must hold still if it is read although the gate never opened: a build is at work there, and
/// linkers pause for longer than copies.
const CAPPED_SETTLE: Duration = Duration::from_secs(1);

/// How long after its last change a lock holds a file back that nobody could write to any more, if nobody can see who holds the lock: it may be a
/// check, which takes minutes and writes no library. Builds finish their libraries one after the other, so most of those
/// that can be seen to be written have come to their end by then.
const UNSEEN: Duration = Duration::from_secs(5);

/// The pauses before a new try: the first one, and the longest after a failure and after a half file. They double in
/// between. A failure is tried often enough that a full disk with room again, or a server that is back, is noticed
/// while somebody watches; a dead half file seldom enough that reading it costs next to nothing.
const RETRY_FIRST: Duration = Duration::from_millis(100);
pub(crate) const FAILED_MOST: Duration = Duration::from_secs(2);
const RETRY_MOST: Duration = Duration::from_secs(10);

/// What a [`Tracker`](super::change::Tracker) goes by: the user's choices, and the place of the artifact.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(crate) options: Options,
    pub(crate) place: Place,
}

impl Rules {
    /// The size, in bytes, that a library may have and this file exceeds, if it does.
    pub(crate) fn exceeded_by(&self, snapshot: &Snapshot) -> Option<u64> {
        Some(self.options.max_size).filter(|most| snapshot.size > *most)
    }
}

/// The next step for an artifact. Each order but `Rest` is answered by a call of the method named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Do nothing before the next poll, or before this earlier moment.
    Rest(Option<Instant>),
    /// Ask the gate: [`Tracker::gate`](super::change::Tracker::gate).
    Ask,
    /// Read and digest: [`digested`](super::change::Tracker::digested), or [`torn`](super::change::Tracker::torn) or
    /// [`failed`](super::change::Tracker::failed).
    Digest,
    /// Stage and digest in one pass: [`staged`](super::change::Tracker::staged), or
    /// [`torn`](super::change::Tracker::torn) or [`failed`](super::change::Tracker::failed).
    Stage,
}

/// A finished reading: when it began and ended, and what it read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    pub(crate) begun: Instant,
    pub(crate) ended: Instant,
    pub(crate) digest: Digest,
    /// Whether the system has said, before the reading and after it, that nobody could write to the file.
    pub(crate) is_proven: bool,
}

/// A file whose snapshot is not the one last believed.
#[derive(Debug)]
pub(crate) struct Suspect {
    /// When the change was first seen.
    first_seen: Instant,
    /// The snapshot of the file when it was last believed.
    base: Option<Snapshot>,
    snapshot: Snapshot,
    /// When this snapshot was first seen.
    snapshot_seen: Instant,
    /// Whether two looks saw this snapshot.
    still: bool,
    /// Whether a reading has shown that this file was not as complete as its arrival promised.
    doubted: bool,
    incomplete: bool,
    asking: Asking,
    /// The first of the two digests that weak evidence takes.
    first: Option<Reading>,
    gate: Passage,
    retry: Duration,
    retry_at: Option<Instant>,
}

/// The question who writes to the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asking {
    /// Not asked yet, or nobody was writing.
    Open,
    /// Somebody could write to the file when it was last asked.
    Somebody,
    /// Somebody could for so long that the answer counts no more, until the file changes.
    GivenUp,
    /// The system could not say.
    NoAnswer,
}

/// What the system must say of a file's writers for a reading to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    /// Nothing: it is not asked.
    Unasked,
    /// Not that somebody could write.
    Wanted,
    /// That nobody could write.
    Needed,
}

/// The answers of the gate since the change was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Passage {
    /// The gate held nothing back.
    Free,
    Shut {
        since: Instant,
        /// Who holds the lock now, if anybody knows.
        holder: Option<Holder>,
    },
    /// Shut for longer than the user allows.
    Capped { since: Instant },
    /// Shut, then open. That speaks for a file that held still from before the gate opened until after; a later
    /// writer holds no lock.
    Opened { since: Instant, looks: Looks },
}

/// The looks at the file since the gate opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Looks {
    /// No look yet.
    None,
    /// Looks that saw the file as it was behind the shut gate.
    AsLeft,
    /// A look that saw something newer.
    Changed,
}

/// The evidence that a suspect file is complete, which decides how the file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Evidence {
    /// The file came as another file, linked or renamed into place: read at once.
    Strong,
    /// A build ended: the file is read once it has held still from one look to the next.
    GateOpened,
    /// The system may say that nobody writes: read at once, and believed if the system says so.
    Provable,
    /// No evidence: two equal digests are needed, this far apart.
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
            asking: Asking::Open,
            first: None,
            gate: Passage::Free,
            retry: RETRY_FIRST,
            retry_at: None,
        }
    }

    /// A file that looks as before, but a second reading found other bytes. Whatever happened, the file was not
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

    /// The way in which the file arrived speaks for nothing any more; only its content does.
    pub(crate) fn doubt(&mut self) {
        self.doubted = true;
    }

    /// Takes the noise out of the snapshots that were seen.
    pub(crate) fn strip(&mut self, noise: &Noise) {
        self.snapshot = noise.strip(self.snapshot);
        self.base = self.base.map(|base| noise.strip(base));
        self.doubted = true;
    }

    /// Whether the gate has let the file pass, so that the file is read next.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self.gate, Passage::Opened { .. }) && self.retry_at.is_none()
    }

    /// Whether the gate holds the file back, and who holds the lock, if anybody knows.
    pub(crate) fn gated_by(&self) -> Option<Option<Holder>> {
        match self.gate {
            Passage::Shut { holder, .. } => Some(holder),
            _ => None,
        }
    }

    pub(crate) fn is_incomplete(&self) -> bool {
        self.incomplete
    }

    /// Whether somebody could write to the file when it was last asked.
    pub(crate) fn is_written(&self) -> bool {
        self.asking == Asking::Somebody
    }

    /// The end of the pause after a failure, if that is still to come.
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
            self.asking = Asking::Open;
        }
        if self.asking == Asking::GivenUp {
            self.asking = Asking::Open;
        }
        self.snapshot = snapshot;
        self.snapshot_seen = now;
        self.still = false;
        self.first = None;
        self.retry = RETRY_FIRST;
        self.retry_at = None;
    }

    /// The gate answered; the next order follows from that.
    pub(crate) fn gate(&mut self, now: Instant, gate: Gate, rules: &Rules) -> Order {
        let is_strict = rules.place.gate == GatePolicy::Require;
        let (is_shut, holder) = match gate {
            Gate::Shut(holder) => (true, holder),
            // The lock is held, and not by a build: that holds back only whoever asked for a free lock.
            Gate::Checked(holder) => (is_strict, Some(holder)),
            Gate::Open => (false, None),
            Gate::Absent => (is_strict, None),
        };
        let shut_since = match self.gate {
            Passage::Free => None,
            Passage::Shut { since, .. } | Passage::Capped { since } => Some(since),
            Passage::Opened { since, .. } => Some(since),
        };
        self.gate = match (shut_since, is_shut) {
            (None, false) => Passage::Free,
            (Some(since), false) => match self.gate {
                opened @ Passage::Opened { .. } => opened,
                _ => {
                    // The last writes of a build can be newer than our last look, and so can the first writes of
                    // somebody else.
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
                // A gate that opens now and then counts as shut since it first was: the cap holds for all of that
                // time.
                let since = since.unwrap_or(now);
                if now < since + rules.options.gate_max {
                    Passage::Shut { since, holder }
                } else {
                    Passage::Capped { since }
                }
            }
        };
        self.order(now, rules)
    }

    /// The next order for the file.
    pub(crate) fn order(&self, now: Instant, rules: &Rules) -> Order {
        if let Passage::Shut { since, holder } = self.gate {
            let opens = since + rules.options.gate_max;
            // A gate that must be free is not passed by any proof.
            let is_strict = rules.place.gate == GatePolicy::Require;
            if holder.is_some() || is_strict || !self.asks_writers(rules) {
                return Order::Rest(Some(opens));
            }
            let unseen = since.max(self.snapshot_seen) + UNSEEN;
            return match now < unseen {
                true => Order::Rest(Some(unseen.min(opens))),
                false => Order::Stage,
            };
        }
        match (self.evidence(rules), self.first) {
            (Evidence::Strong | Evidence::Provable, _) => Order::Stage,
            _ if !self.still => Order::Rest(Some(now + LOOK_AGAIN)),
            (Evidence::GateOpened, _) => Order::Stage,
            (Evidence::Weak(_), None) => Order::Digest,
            (Evidence::Weak(settle), Some(first)) if now >= first.ended + settle => Order::Stage,
            (Evidence::Weak(settle), Some(first)) => Order::Rest(Some(first.ended + settle)),
        }
    }

    /// The first of two readings ended.
    pub(crate) fn digested(&mut self, reading: Reading, rules: &Rules) -> Order {
        if self.asking == Asking::Somebody {
            self.asking = Asking::Open;
        }
        self.first = Some(reading);
        self.order(reading.ended, rules)
    }

    /// Somebody could write to the file, so it was not read, or what was read means nothing. Some keep a file open that they
    /// have finished, so nobody is asked for ever about a file that does not change.
    pub(crate) fn written(&mut self, now: Instant, rules: &Rules) -> Order {
        self.first = None;
        self.asking = match self.waits_for_writers(now, rules) {
            true => Asking::Somebody,
            false => Asking::GivenUp,
        };
        Order::Rest(Some(now + LOOK_AGAIN))
    }

    /// Whether somebody who writes to the file, or has it for himself, is still waited for without a word.
    pub(crate) fn waits_for_writers(&self, now: Instant, rules: &Rules) -> bool {
        now < self.snapshot_seen + rules.options.gate_max
    }

    /// Nobody could say who writes to the file, so it was not read.
    pub(crate) fn unproven(&mut self, now: Instant, rules: &Rules) -> Order {
        self.asking = Asking::NoAnswer;
        self.order(now, rules)
    }

    /// What the system must say of the file's writers before the next reading.
    pub(crate) fn proof(&self, rules: &Rules) -> Proof {
        match (self.asks_writers(rules), self.evidence(rules)) {
            (false, _) => Proof::Unasked,
            (true, Evidence::Provable) => Proof::Needed,
            (true, _) => Proof::Wanted,
        }
    }

    /// Whether a reading that made a private copy may be believed.
    pub(crate) fn accepts(&self, reading: Reading, rules: &Rules) -> bool {
        reading.is_proven
            || match self.evidence(rules) {
                Evidence::Strong | Evidence::GateOpened => true,
                Evidence::Provable => false,
                Evidence::Weak(_) => self
                    .first
                    .is_some_and(|first| first.digest == reading.digest),
            }
    }

    /// Whether the file arrived in a way that leaves no doubt about its content.
    pub(crate) fn is_beyond_doubt(&self, rules: &Rules) -> bool {
        self.evidence(rules) == Evidence::Strong && !rules.place.is_remote()
    }

    /// When a believed reading must be confirmed, if the snapshot was racy when the reading began.
    pub(crate) fn confirm_at(&self, reading: Reading) -> Option<Instant> {
        /// The owner may be loading what was read. To read hundreds of megabytes beside the owner doubles its pause.
        const OWNERS_TURN: Duration = Duration::from_millis(20);
        let clean_at = self.snapshot_seen + self.snapshot.racy_for();
        (reading.begun < clean_at).then(|| clean_at.max(reading.ended + OWNERS_TURN))
    }

    /// Vet found the beginning of a library.
    pub(crate) fn incomplete(&mut self, now: Instant) -> Order {
        self.doubted = true;
        self.incomplete = true;
        self.asking = Asking::Open;
        self.first = None;
        self.try_later(now, RETRY_MOST)
    }

    /// The file changed while it was read. If no look can see the change, that is a failure like any other.
    pub(crate) fn torn(&mut self, now: Instant) -> Order {
        self.still = false;
        self.first = None;
        self.try_later(now, RETRY_MOST)
    }

    /// A step failed; the step may succeed the next time.
    pub(crate) fn failed(&mut self, now: Instant) -> Order {
        self.try_later(now, FAILED_MOST)
    }

    /// Ends the pause before a new try: the try is due now.
    pub(crate) fn end_pause(&mut self, now: Instant) {
        self.retry_at = self.retry_at.map(|at| at.min(now));
    }

    fn try_later(&mut self, now: Instant, most: Duration) -> Order {
        let at = now + self.retry.min(most);
        self.retry_at = Some(at);
        self.retry = (self.retry * 2).min(most);
        Order::Rest(Some(at))
    }

    fn asks_writers(&self, rules: &Rules) -> bool {
        let has_answer = !matches!(self.asking, Asking::NoAnswer | Asking::GivenUp);
        rules.place.tells_writers && has_answer
    }

    fn evidence(&self, rules: &Rules) -> Evidence {
        // At the first sight there is no file to tell this one from.
        let is_another = self
            .base
            .is_none_or(|base| self.snapshot.is_another_file_than(&base));
        let arrived_whole = is_another && self.snapshot.was_changed_after_its_last_write();
        match self.gate {
            Passage::Free | Passage::Opened { .. }
                if arrived_whole && !self.doubted && !rules.place.looks_can_lag =>
            {
                Evidence::Strong
            }
            _ if self.asks_writers(rules) => Evidence::Provable,
            Passage::Capped { .. } => Evidence::Weak(rules.options.settle.max(CAPPED_SETTLE)),
            // A look that can lag may tell how some earlier content arrived.
            _ if self.doubted || rules.place.looks_can_lag => Evidence::Weak(rules.options.settle),
            // Stamps that are too coarse do not show that the file held still.
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
