//! The tracker: a pure state machine that says what a change of one artifact calls for. A tracker never touches a
//! file, a clock or a thread. The [`Poller`](crate::watch::Poller) tells the tracker what was seen and when; the
//! tracker answers with the next [`Order`].

use std::fmt;
use std::mem;
use std::time::Instant;

use super::absence::Absence;
use super::audit;
use super::settle::{FAILED_MOST, LOOK_AGAIN, Order, Proof, Reading, Rules, Suspect};
use crate::look::digest::Digest;
use crate::look::gate::Gate;
use crate::look::holder::Holder;
use crate::look::noise::Noise;
use crate::look::snapshot::{Fields, Snapshot};
use crate::options::GatePolicy;

/// Vet's verdict on a copy, as far as a tracker needs it.
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
#[non_exhaustive]
pub enum Waiting {
    /// There has never been a file.
    Missing,
    /// A cargo build holds its lock: this process, if the system tells. With
    /// [`GatePolicy::Require`], cargo's lock is held by whatever it is, or is not there.
    Gated(Option<Holder>),
    /// The file must hold still for a while.
    Settling,
    /// The file is the beginning of a library.
    Incomplete,
    /// Somebody has the file open for writing, or mapped so that the mapping can be written to: the process of this number,
    /// if the system tells.
    Written(Option<u32>),
}

impl Waiting {
    /// The reason in one word, whoever it is that lets the artifact wait: for programs.
    pub fn word(&self) -> &'static str {
        match self {
            Waiting::Missing => "missing",
            Waiting::Gated(_) => "gated",
            Waiting::Settling => "settling",
            Waiting::Incomplete => "incomplete",
            Waiting::Written(_) => "written",
        }
    }

    /// Whether the artifact waits for the same, whoever it is that lets it wait.
    pub(crate) fn is_for_the_same(&self, other: &Waiting) -> bool {
        mem::discriminant(self) == mem::discriminant(other)
    }
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Waiting::Missing => "there is no library yet",
            Waiting::Gated(Some(holder)) if holder.is_check() || holder.subcommand.is_none() => {
                return write!(f, "cargo's lock is held: {holder}");
            }
            Waiting::Gated(Some(holder)) => {
                return write!(f, "a cargo build is running: {holder}");
            }
            Waiting::Gated(None) => "a cargo build is running",
            Waiting::Settling => "the file must hold still",
            Waiting::Incomplete => "the file is the beginning of a library",
            Waiting::Written(Some(process)) => {
                return write!(f, "process {process} has the file open for writing");
            }
            Waiting::Written(None) => "somebody has the file open for writing",
        })
    }
}

/// News of an absence: it lasts, or it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whereabouts {
    /// The file has been gone for long enough to report that.
    Missing,
    /// The file is back, after its absence was reported.
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
    noise: Noise,
}

#[derive(Debug)]
enum State {
    Absent(Absence),
    /// Boxed because few artifacts are ever suspect at a time, and there can be thousands.
    Suspect(Box<Suspect>),
    Settled(Settled),
}

/// A file that was decided about, and has looked the same since.
#[derive(Debug)]
struct Settled {
    snapshot: Snapshot,
    digest: Digest,
    /// When to digest once more, if the snapshot was racy when it was read.
    confirm_at: Option<Instant>,
    /// When to make the next audit (a digest for no reason that a look can see), and how many audits were made.
    audit_at: Option<Instant>,
    audits: u8,
    /// Whether the file arrived with weak evidence, or lies where looks can lie.
    in_doubt: bool,
}

impl Settled {
    /// The order that is due by `now`.
    fn order(&self, now: Instant) -> Order {
        let is_due = |at: Option<Instant>| at.is_some_and(|at| now >= at);
        match is_due(self.audit_at) || is_due(self.confirm_at) {
            true => Order::Digest,
            false => Order::Rest(self.confirm_at),
        }
    }

    /// A reading found the same bytes, so a digest that was due when the reading began is done.
    fn confirmed(&mut self, reading: Reading, rules: &Rules) {
        self.confirm_at = self.confirm_at.filter(|at| reading.begun < *at);
        if self.audit_at.is_some_and(|at| reading.begun >= at) {
            self.audits = self.audits.saturating_add(1);
            self.plan_audit(reading, rules);
        }
    }

    fn plan_audit(&mut self, reading: Reading, rules: &Rules) {
        let pause = audit::pause(rules.options.audit, self.audits, self.in_doubt);
        self.audit_at = pause.map(|pause| reading.ended + pause);
    }

    /// A digest that was due failed, so it is put off.
    fn failed(&mut self, now: Instant) {
        let later = |at: Instant| if now >= at { now + FAILED_MOST } else { at };
        self.confirm_at = self.confirm_at.map(later);
        self.audit_at = self.audit_at.map(later);
    }
}

impl Tracker {
    pub(crate) fn new() -> Tracker {
        Tracker {
            state: State::Absent(Absence::default()),
            base: None,
            decided: None,
            noise: Noise::default(),
        }
    }

    /// Whether a look that saw `snapshot` calls for nothing. An idle poll asks only this.
    pub(crate) fn is_quiet(&self, now: Instant, snapshot: &Snapshot) -> bool {
        let State::Settled(settled) = &self.state else {
            return false;
        };
        let is_as_it_was = settled.snapshot == *snapshot
            || self.noise.is_known() && settled.snapshot == self.noise.strip(*snapshot);
        is_as_it_was && settled.confirm_at.is_none() && settled.audit_at.is_none_or(|at| now < at)
    }

    /// Whether nothing was ever at the path, as far as is known.
    pub(crate) fn is_new(&self) -> bool {
        matches!(self.state, State::Absent(_)) && self.base.is_none()
    }

    /// Whether nothing is due now but a look, now and then.
    pub(crate) fn is_at_rest(&self, now: Instant) -> bool {
        match &self.state {
            State::Absent(absence) => !absence.is_short(),
            State::Suspect(_) => false,
            State::Settled(settled) => {
                settled.confirm_at.is_none() && settled.audit_at.is_none_or(|at| now < at)
            }
        }
    }

    /// Whether a change is being followed.
    pub(crate) fn is_suspect(&self) -> bool {
        matches!(self.state, State::Suspect(_))
    }

    /// Whether the artifact's absence was reported.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(&self.state, State::Absent(absence) if absence.was_said())
    }

    /// Whether the gate has let a change pass that will be read next.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(&self.state, State::Suspect(suspect) if suspect.is_passing())
    }

    /// The fields of a snapshot that mean nothing.
    pub(crate) fn noise(&self) -> Fields {
        self.noise.fields()
    }

    /// Something on the way to the artifact changed, whatever a look at the artifact says.
    pub(crate) fn moved(&mut self, now: Instant) {
        if let State::Settled(settled) = &self.state {
            let suspect = Suspect::new(now, settled.snapshot, self.base);
            self.state = State::Suspect(Box::new(suspect));
        }
    }

    /// The digest of the content that was decided about, unless a change is being followed.
    pub(crate) fn settled_on(&self) -> Option<Digest> {
        match &self.state {
            State::Settled(settled) => Some(settled.digest),
            State::Absent(_) | State::Suspect(_) => None,
        }
    }

    /// Whether any content of the artifact was ever handed over or kept out.
    pub(crate) fn has_decided(&self) -> bool {
        self.decided.is_some()
    }

    /// An update that was handed over was taken back before anybody saw it, so equal bytes are news again.
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

    /// The reason why the artifact waits, if it waits.
    pub(crate) fn waiting(&self) -> Option<Waiting> {
        match &self.state {
            State::Absent(_) => (self.base.is_none()).then_some(Waiting::Missing),
            State::Settled(_) => None,
            State::Suspect(suspect) => Some(match suspect.gated_by() {
                Some(holder) => Waiting::Gated(holder),
                // Whoever goes on with half a library is not said to begin and end again each time.
                None if suspect.is_incomplete() => Waiting::Incomplete,
                None if suspect.is_written() => Waiting::Written(None),
                None => Waiting::Settling,
            }),
        }
    }

    /// A look found no file. Says when to look again, if before the next poll.
    pub(crate) fn absent(&mut self, now: Instant) -> (Option<Instant>, Option<Whereabouts>) {
        if !matches!(self.state, State::Absent(_)) {
            self.state = State::Absent(Absence::default());
        }
        let State::Absent(absence) = &mut self.state else {
            return (None, None);
        };
        if self.base.is_none() {
            // Only a file that was there can be missed.
            return (None, None);
        }
        let is_news = absence.lasts(now);
        let until = absence.is_short().then(|| now + LOOK_AGAIN);
        (until, is_news.then_some(Whereabouts::Missing))
    }

    /// A look told nothing of whether a file is there.
    pub(crate) fn is_unsure(&mut self) {
        if let State::Absent(absence) = &mut self.state {
            absence.is_unsure();
        }
    }

    /// A look saw `snapshot`.
    pub(crate) fn sees(
        &mut self,
        now: Instant,
        snapshot: Snapshot,
        rules: &Rules,
    ) -> (Order, Option<Whereabouts>) {
        let mut snapshot = self.noise.strip(snapshot);
        let mut whereabouts = None;
        match &mut self.state {
            State::Settled(settled) if settled.snapshot == snapshot => {
                return (settled.order(now), None);
            }
            State::Suspect(suspect) => {
                let before = *suspect.snapshot();
                if self.alarm(now, &before, &snapshot, rules) {
                    snapshot = self.noise.strip(snapshot);
                }
                if let State::Suspect(suspect) = &mut self.state {
                    suspect.sees(now, snapshot);
                }
            }
            State::Absent(absence) => {
                whereabouts = absence.ends().then_some(Whereabouts::Returned);
                self.suspect(now, snapshot);
            }
            State::Settled(_) => self.suspect(now, snapshot),
        }
        (self.follow(now, rules), whereabouts)
    }

    fn suspect(&mut self, now: Instant, snapshot: Snapshot) {
        let mut suspect = Suspect::new(now, snapshot, self.base);
        if self.noise.is_suspected(now) {
            // Looking like another file proves nothing now: the last false alarms looked like other files too.
            suspect.doubt();
        }
        self.state = State::Suspect(Box::new(suspect));
    }

    /// Two looks differ, perhaps at one and the same content. Says whether the difference is noise from now on. A
    /// local filesystem makes nothing up.
    fn alarm(&mut self, now: Instant, one: &Snapshot, other: &Snapshot, rules: &Rules) -> bool {
        if !rules.place.is_remote() || !self.noise.alarm(now, one, other) {
            return false;
        }
        self.base = self.base.map(|base| self.noise.strip(base));
        match &mut self.state {
            State::Suspect(suspect) => suspect.strip(&self.noise),
            State::Settled(settled) => settled.snapshot = self.noise.strip(settled.snapshot),
            State::Absent(_) => {}
        }
        true
    }

    fn follow(&self, now: Instant, rules: &Rules) -> Order {
        let State::Suspect(suspect) = &self.state else {
            return Order::Rest(None);
        };
        match (suspect.pauses_until(now), rules.place.gate) {
            (Some(until), _) => Order::Rest(Some(until)),
            (None, GatePolicy::Off) => suspect.order(now, rules),
            (None, GatePolicy::Auto | GatePolicy::Require) => Order::Ask,
        }
    }

    /// The gate answered; the next order follows from that.
    pub(crate) fn gate(&mut self, now: Instant, gate: Gate, rules: &Rules) -> Order {
        match &mut self.state {
            State::Suspect(suspect) => suspect.gate(now, gate, rules),
            _ => Order::Rest(None),
        }
    }

    /// A reading of the artifact ended: the first of two readings, or a reading that confirms an earlier one.
    pub(crate) fn digested(&mut self, reading: Reading, rules: &Rules) -> Order {
        match &mut self.state {
            State::Settled(settled) if settled.digest == reading.digest => {
                settled.confirmed(reading, rules);
                Order::Rest(settled.confirm_at)
            }
            State::Settled(settled) => {
                let suspect = Suspect::unmasked(settled.snapshot, reading);
                // The fields that were taken for noise may have been the only sign of this change.
                self.noise = Noise::default();
                self.state = State::Suspect(Box::new(suspect));
                self.follow(reading.ended, rules)
            }
            State::Suspect(suspect) => suspect.digested(reading, rules),
            State::Absent(_) => Order::Rest(None),
        }
    }

    /// A private copy was made. `None` means that the copy is news: vet the copy, then call [`Tracker::vetted`].
    pub(crate) fn staged(&mut self, reading: Reading, rules: &Rules) -> Option<Order> {
        let State::Suspect(suspect) = &mut self.state else {
            return Some(Order::Rest(None));
        };
        if !suspect.accepts(reading, rules) {
            return Some(suspect.digested(reading, rules));
        }
        if self.decided != Some(reading.digest) {
            return None;
        }
        let (before, now) = (self.base, *suspect.snapshot());
        let order = self.decide(reading, rules);
        if let Some(before) = before {
            self.alarm(reading.ended, &before, &now, rules);
        }
        Some(order)
    }

    /// The private copy was vetted.
    pub(crate) fn vetted(&mut self, reading: Reading, verdict: Verdict, rules: &Rules) -> Order {
        let State::Suspect(suspect) = &mut self.state else {
            return Order::Rest(None);
        };
        if verdict == Verdict::Incomplete {
            return suspect.incomplete(reading.ended);
        }
        self.decide(reading, rules)
    }

    /// The file changed while it was read. `seen` is the look that showed the change, if a look did.
    pub(crate) fn torn(&mut self, now: Instant, seen: Option<Snapshot>, rules: &Rules) -> Order {
        if let (State::Suspect(suspect), Some(seen)) = (&self.state, seen) {
            let before = *suspect.snapshot();
            self.alarm(now, &before, &seen, rules);
        }
        match &mut self.state {
            State::Suspect(suspect) => suspect.torn(now),
            _ => self.failed(now),
        }
    }

    /// What the system must say of the artifact's writers before the next reading.
    pub(crate) fn proof(&self, rules: &Rules) -> Proof {
        match &self.state {
            State::Suspect(suspect) => suspect.proof(rules),
            // Such a reading is only compared. If it is of other bytes, the file is suspect.
            _ => Proof::Unasked,
        }
    }

    /// Somebody could write to the artifact, so what was read means nothing, if anything was read.
    pub(crate) fn written(&mut self, now: Instant, rules: &Rules) -> Order {
        match &mut self.state {
            State::Suspect(suspect) => suspect.written(now, rules),
            _ => self.failed(now),
        }
    }

    /// Whether somebody who has the artifact for himself is waited for, and is no trouble yet. What was decided about is
    /// only compared, and can wait.
    pub(crate) fn waits_for_writers(&self, now: Instant, rules: &Rules) -> bool {
        match &self.state {
            State::Suspect(suspect) => suspect.waits_for_writers(now, rules),
            State::Settled(_) | State::Absent(_) => true,
        }
    }

    /// Nobody could say who writes to the artifact, so it was not read.
    pub(crate) fn unproven(&mut self, now: Instant, rules: &Rules) -> Order {
        match &mut self.state {
            State::Suspect(suspect) => suspect.unproven(now, rules),
            _ => self.failed(now),
        }
    }

    /// Reading or staging failed.
    pub(crate) fn failed(&mut self, now: Instant) -> Order {
        match &mut self.state {
            State::Suspect(suspect) => suspect.failed(now),
            State::Settled(settled) => {
                settled.failed(now);
                Order::Rest(settled.confirm_at)
            }
            State::Absent(_) => Order::Rest(None),
        }
    }

    /// Somebody wants to know now: an artifact that failed, or was not complete, is tried again.
    pub(crate) fn end_pause(&mut self, now: Instant) {
        if let State::Suspect(suspect) = &mut self.state {
            suspect.end_pause(now);
        }
    }

    /// Decides on what was read: the artifact rests until its file changes. A racy reading is confirmed once.
    fn decide(&mut self, reading: Reading, rules: &Rules) -> Order {
        let State::Suspect(suspect) = &self.state else {
            return Order::Rest(None);
        };
        let mut settled = Settled {
            snapshot: *suspect.snapshot(),
            digest: reading.digest,
            confirm_at: suspect.confirm_at(reading),
            audit_at: None,
            audits: 0,
            in_doubt: !suspect.is_beyond_doubt(rules) || self.noise.is_known(),
        };
        settled.plan_audit(reading, rules);
        let order = Order::Rest(settled.confirm_at);
        self.base = Some(settled.snapshot);
        self.decided = Some(reading.digest);
        self.state = State::Settled(settled);
        order
    }
}

#[cfg(test)]
mod tests;
