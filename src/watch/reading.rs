//! How the content of an artifact is read: it is digested, staged, vetted and handed over, or kept out. When to do
//! which is its [`Tracker`](crate::decide::change::Tracker)'s to say.

use std::io::{self, Seek, Write};
use std::sync::Arc;

use replug_plugin::shown::{shown, spelled_bytes};

use super::followed::{Followed, flaws};
use super::gathering::{Ungathered, unit_digest};
use super::pulse::Beating;
use super::trusting::Judged;
use super::update::{News, Ready, Sibling};
use crate::admission::{Admitted, Claim};
use crate::boundary;
use crate::decide::change::Verdict;
use crate::decide::settle::{Order, Proof, Reading};
use crate::decide::trouble::{Cause, Class, Reached};
use crate::error::Error;
use crate::handshake::{Declared, Mismatch};
use crate::look::clock::Clock;
use crate::look::digest::Digest;
use crate::look::files::{Files, Writers, is_absent};
use crate::look::snapshot::Snapshot;
use crate::stage::copies::Stage;
use crate::stage::pen::{Pen, PrivateCopy, Writing};
use crate::stage::reading::{self, Terms, Unread, Whole};
use crate::stage::vet::{self, Refusal, Vetted, Wanted};
use crate::warning::Warning;

impl<F: Files, S: Stage, C: Clock> Followed<'_, F, S, C> {
    /// Reads and digests the artifact, without keeping a copy.
    pub(super) fn digest(&mut self, snapshot: &Snapshot) -> Order {
        match self.read(snapshot, &mut io::sink()) {
            Ok((reading, _)) => self.artifact.tracker.digested(reading, &self.shared.rules),
            Err(order) => order,
        }
    }

    /// Makes a private copy, and hands it over if it is news and passes vet.
    pub(super) fn stage(&mut self, snapshot: &Snapshot) -> Order {
        if self.is_written() {
            let now = self.shared.clock.now();
            return self.artifact.tracker.written(now, &self.shared.rules);
        }
        // A copy that the owner has not taken yet is out of date: two copies at a time are enough.
        let has_decided = self.artifact.tracker.has_decided();
        if has_decided && self.shared.outbox.withdraw_content(&self.artifact.path) {
            self.artifact.tracker.taken_back();
        }
        if let Some(limit) = self.limit(snapshot) {
            return limit;
        }
        self.shared.stage.tidy();
        let mut staged = match self
            .shared
            .stage
            .create_sized(&self.artifact.path, snapshot.size)
        {
            Ok(staged) => staged,
            Err(source) => return self.cannot_stage(source),
        };
        let mut writing = match Writing::begin(&mut staged) {
            Ok(writing) => writing,
            Err(source) => return self.cannot_stage(source),
        };
        let (reading, refusal) = match self.read(snapshot, &mut writing) {
            Ok(read) => read,
            Err(order) => return order,
        };
        self.recovered(Reached::Stage);
        let order = self.artifact.tracker.staged(reading, &self.shared.rules);
        if order.is_none() {
            self.give_trial_up();
        }
        match (order, refusal) {
            (Some(order), _) => order,
            // The rest of the file was not read, so nobody knows its digest.
            (None, Some(refusal)) => self.refuse(reading, None, refusal),
            (None, None) => self.vet(reading, staged),
        }
    }

    /// Whether somebody could write to the artifact, where that is asked. Asked by itself first, so that no copy is made in
    /// vain, and none that is good is taken back for what is not read.
    fn is_written(&self) -> bool {
        let proof = self.artifact.tracker.proof(&self.shared.rules);
        let is_written = || {
            let open = self.shared.files.open(&self.artifact.path).ok()?;
            Some(self.shared.files.writers(&open) == Writers::Somebody)
        };
        proof != Proof::Unasked && is_written() == Some(true)
    }

    /// Refuses to stage a file that this process may not write, before the system ends the process for that.
    fn limit(&mut self, snapshot: &Snapshot) -> Option<Order> {
        let size = snapshot.size;
        let limit = self.shared.stage.largest_copy().filter(|it| size > *it)?;
        let path = self.path();
        let error = Error::FileLimit { path, size, limit };
        self.fail(Reached::Stage, Cause::FileLimit, error);
        Some(self.artifact.tracker.failed(self.shared.clock.now()))
    }

    fn vet(&mut self, reading: Reading, mut staged: S::Staged) -> Order {
        if let Err(source) = staged.rewind() {
            return self.cannot_stage(source);
        }
        let digest = Some(reading.digest);
        self.artifact.refused = None;
        match self.judge(&mut staged) {
            Ok(vetted) => match self.shake_hands(&vetted) {
                Ok(()) => match self
                    .admit_copy(reading.digest)
                    .and_then(|admitted| Ok((admitted, self.gather(&vetted.linkage)?)))
                {
                    Ok((admitted, mut siblings)) => {
                        let unit = unit_digest(reading.digest, &siblings);
                        if !self.is_let_in(unit) {
                            return self.decide(reading, Verdict::Wrong);
                        }
                        if let Err(error) = self.admit_after_live(reading.digest, &admitted) {
                            self.keep_out(Some(unit), error);
                            return self.decide(reading, Verdict::Wrong);
                        }
                        let signature = admitted.signature;
                        self.keep_build(
                            unit,
                            (reading.digest, signature.as_ref()),
                            &mut staged,
                            &mut siblings,
                        );
                        staged.seal(vetted.mapped, &Pen::new());
                        // All of these are mapped by the loader as it likes, so all of each stays.
                        let copies = siblings.iter_mut().map(|it| &mut it.staged);
                        copies.for_each(|it| it.seal(u64::MAX, &Pen::new()));
                        let comment = signature.map(|it| it.comment);
                        self.hand_over(reading, staged, vetted, siblings, comment);
                        self.decide(reading, Verdict::Good)
                    }
                    Err(ungathered) => self.cannot_gather(reading, ungathered),
                },
                Err(source) => {
                    let path = self.path();
                    self.keep_out(digest, Error::Handshake { path, source });
                    self.decide(reading, Verdict::Wrong)
                }
            },
            Err(refusal) => self.refuse(reading, digest, refusal),
        }
    }

    /// Vet has refused what was read.
    fn refuse(&mut self, reading: Reading, digest: Option<Digest>, refusal: Refusal) -> Order {
        let path = self.path();
        match refusal {
            refusal if refusal.is_incomplete() => {
                tracing::debug!(
                    artifact = %shown(&path),
                    digest = digest.map(tracing::field::display),
                    %refusal,
                    "not complete yet"
                );
                // Nobody knows yet what it will bring along.
                self.recovered(Reached::Beside);
                self.decide(reading, Verdict::Incomplete)
            }
            // The copy cannot be read, which says nothing about the artifact.
            Refusal::Unreadable(source) => self.cannot_stage(source),
            source => {
                self.keep_out(digest, Error::Vet { path, source });
                self.decide(reading, Verdict::Wrong)
            }
        }
    }

    fn decide(&mut self, reading: Reading, verdict: Verdict) -> Order {
        let tracker = &mut self.artifact.tracker;
        tracker.vetted(reading, verdict, &self.shared.rules)
    }

    /// Vets a copy, for this host and this process.
    pub(super) fn judge(&self, staged: &mut S::Staged) -> Result<Vetted, Refusal> {
        let options = &self.shared.rules.options;
        let wanted = Wanted {
            functions: &options.exports,
            data: &options.exports_data,
            or_declared: options.or_declared,
        };
        let vetted = vet::vet(staged, wanted)?;
        vetted.check_process(boundary::process_has)?;
        Ok(vetted)
    }

    /// Compares the declaration that the copy was built from with the host's, if the host has one. Of a copy that passed
    /// vet by its declaration, the declaration must be one of this version of replug's.
    pub(super) fn shake_hands(&self, vetted: &Vetted) -> Result<(), Mismatch> {
        let carried = vetted.handshake.as_deref();
        match self.shared.rules.options.expected {
            Some(expected) => expected.check(carried, &vetted.lines),
            None if vetted.is_called => Ok(()),
            None => Declared::read(carried, &vetted.lines).map(drop),
        }
    }

    /// Asks whether the copy may run.
    fn admit_copy(&mut self, digest: Digest) -> Result<Admitted, Ungathered> {
        let admitted = self.admit(&Arc::clone(&self.artifact.path), digest);
        admitted.map_err(|error| Ungathered::Refused(Box::new(error)))
    }

    fn keep_out(&mut self, digest: Option<Digest>, error: Error) {
        if let Some(digest) = digest {
            let path = Arc::clone(&self.artifact.path);
            self.shared.note_kept(&path, digest, &error);
        }
        self.say(News::Kept { digest, error });
    }

    fn hand_over(
        &mut self,
        reading: Reading,
        staged: S::Staged,
        vetted: Vetted,
        siblings: Vec<Sibling<S::Staged>>,
        comment: Option<String>,
    ) {
        self.warn_of(&vetted);
        let first_seen = self.artifact.tracker.first_seen().unwrap_or(reading.begun);
        let is_asked_for = self
            .shared
            .is_asked_for(&self.artifact.path, reading.digest);
        self.try_or_hand_over(Ready {
            digest: unit_digest(reading.digest, &siblings),
            staged,
            first_seen,
            own: reading.digest,
            unique: vetted.linkage.unique,
            allows_unique: self.shared.rules.options.allow_unique,
            siblings,
            is_kept: self.shared.keeping.is_some(),
            claim: Claim::new(comment, is_asked_for, &self.shared.standings).into(),
        });
    }

    /// Without trials, what is ready is handed over.
    #[cfg(not(feature = "trial"))]
    fn try_or_hand_over(&mut self, ready: Ready<S::Staged>) {
        self.say(News::Ready(ready));
    }

    #[cfg(not(feature = "trial"))]
    fn give_trial_up(&mut self) {}

    /// Says what a person should know about a good build.
    fn warn_of(&mut self, vetted: &Vetted) {
        for (holds, warning) in flaws(vetted) {
            match holds {
                true => self.warn(warning),
                false => self.unwarn(warning.about()),
            }
        }
        let linkage = &vetted.linkage;
        let asks = boundary::JOINS_UNIQUE && !self.shared.rules.options.allow_unique;
        let mut unique = linkage
            .unique
            .iter()
            .filter(|it| asks && it.constant.is_none());
        let unique = unique.find(|it| !boundary::process_has(&it.name));
        match unique.map(|it| spelled_bytes(it.name.to_bytes()).into_owned()) {
            Some(name) => self.warn(Warning::Unique(name)),
            None => self.unwarn(Warning::Unique(String::new()).about()),
        }
    }

    /// Reads once, with looks before and after; a large file only if its head is one of a library, or else vet's refusal
    /// of the head comes with the reading. A failure is reported, and answered with the order that follows from it.
    fn read(
        &mut self,
        snapshot: &Snapshot,
        copy: &mut impl Write,
    ) -> Result<(Reading, Option<Refusal>), Order> {
        self.shared.readings_left -= 1;
        let terms = Terms {
            snapshot: *snapshot,
            noise: self.artifact.tracker.noise(),
            asks: self.shared.rules.place.asks(),
            proof: self.artifact.tracker.proof(&self.shared.rules),
        };
        let begun = self.shared.clock.now();
        let mut copy = Beating::new(copy, &self.shared.pulse);
        let mut refusal = None;
        let mut is_worth_it = |head: &[u8]| {
            refusal = vet::judge_head(head).err();
            refusal.is_none()
        };
        let (files, path) = (&self.shared.files, &self.artifact.path);
        let mut judged = None;
        // A file that was decided about is only compared; should it have changed, it is suspect, and judged then.
        let is_judged = self.artifact.tracker.is_suspect();
        let admits = |artifact: &F::Artifact| {
            if !is_judged {
                return Ok(true);
            }
            let trust = self.shared.rules.options.trust;
            let judged = judged.insert(Judged::of(files, artifact, path, trust)?);
            Ok(!judged.is_refused())
        };
        let read = reading::read(files, path, terms, admits, &mut copy, &mut is_worth_it);
        let ended = self.shared.clock.now();
        match read {
            Ok(Whole { digest, is_proven }) => {
                self.shared.digests += 1;
                self.recovered(Reached::Read);
                if let Some(judged) = judged {
                    self.warn_of_distrust(&judged);
                }
                let reading = Reading {
                    begun,
                    ended,
                    digest,
                    is_proven,
                };
                Ok((reading, refusal))
            }
            Err(Unread::NotAdmitted) => Err(self.keep_out_distrusted(judged.unwrap_or_default())),
            Err(Unread::Written) => Err(self.artifact.tracker.written(ended, &self.shared.rules)),
            Err(Unread::Unproven) => Err(self.artifact.tracker.unproven(ended, &self.shared.rules)),
            Err(Unread::Torn(seen)) => {
                Err(self.artifact.tracker.torn(ended, seen, &self.shared.rules))
            }
            // The file was there a moment ago, so it is being replaced, and the next look will see the end of that. No
            // half file is waited for, so it is tried again as soon as after a failure.
            Err(Unread::Artifact(error)) if is_absent(&error) => {
                Err(self.artifact.tracker.failed(ended))
            }
            Err(Unread::Artifact(error))
                if Class::of(&error) == Class::InUse
                    && self
                        .artifact
                        .tracker
                        .waits_for_writers(ended, &self.shared.rules) =>
            {
                Err(self.artifact.tracker.written(ended, &self.shared.rules))
            }
            Err(Unread::Artifact(source)) => {
                let (cause, path) = (Cause::from(&source), self.path());
                self.fail(Reached::Read, cause, Error::Read { path, source });
                Err(self.artifact.tracker.failed(ended))
            }
            Err(Unread::Staged(source)) => Err(self.cannot_stage(source)),
        }
    }

    /// The libraries that the artifact brings along cannot be staged, or not now.
    fn cannot_gather(&mut self, reading: Reading, ungathered: Ungathered) -> Order {
        match ungathered {
            Ungathered::Later => {}
            Ungathered::Incomplete(path, source) => {
                let cause = Cause::Incomplete.beside(&path);
                self.fail(Reached::Beside, cause, Error::Vet { path, source });
                return self.decide(reading, Verdict::Incomplete);
            }
            Ungathered::Failed(cause, error) => self.fail(Reached::Beside, cause, *error),
            Ungathered::Refused(error) => {
                self.keep_out(Some(reading.digest), *error);
                return self.decide(reading, Verdict::Wrong);
            }
        }
        self.artifact.tracker.failed(self.shared.clock.now())
    }

    fn cannot_stage(&mut self, source: io::Error) -> Order {
        let (cause, path) = (Cause::from(&source), self.path());
        self.fail(Reached::Stage, cause, Error::Stage { path, source });
        self.artifact.tracker.failed(self.shared.clock.now())
    }
}
