//! How the content of an artifact is read: it is digested, staged, vetted and handed over, or kept out. When to do
//! which is its [`Tracker`](crate::decide::change::Tracker)'s to say.

use std::io::{self, Seek, Write};

use super::followed::Followed;
use super::pulse::Beating;
use super::update::{News, Ready};
use crate::decide::change::Verdict;
use crate::decide::settle::{Order, Reading};
use crate::decide::trouble::{Cause, Reached};
use crate::error::Error;
use crate::handshake::Mismatch;
use crate::look::clock::Clock;
use crate::look::files::{Files, is_absent};
use crate::look::snapshot::Snapshot;
use crate::stage::copies::Stage;
use crate::stage::pen::{Pen, PrivateCopy, Writing};
use crate::stage::reading::{self, Terms, Unread};
use crate::stage::vet::{self, Refusal, Vetted};
use crate::warning::Warning;

impl<F: Files, S: Stage, C: Clock> Followed<'_, F, S, C> {
    /// Reads and digests the artifact, without keeping a copy.
    pub(super) fn digest(&mut self, snapshot: &Snapshot) -> Order {
        match self.read(snapshot, &mut io::sink()) {
            Ok(reading) => self.artifact.tracker.digested(reading, &self.shared.rules),
            Err(order) => order,
        }
    }

    /// Makes a private copy, and hands it over if it is news and passes vet.
    pub(super) fn stage(&mut self, snapshot: &Snapshot) -> Order {
        // A copy that the owner has not taken yet is out of date: two copies at a time are enough.
        let has_decided = self.artifact.tracker.has_decided();
        if has_decided && self.shared.outbox.withdraw_content(&self.artifact.path) {
            self.artifact.tracker.taken_back();
        }
        let mut staged = match self.shared.stage.create(&self.artifact.path) {
            Ok(staged) => staged,
            Err(source) => return self.cannot_stage(source),
        };
        let reading = match self.read(snapshot, &mut Writing::to(&mut staged)) {
            Ok(reading) => reading,
            Err(order) => return order,
        };
        self.recovered(Reached::Stage);
        match self.artifact.tracker.staged(reading, &self.shared.rules) {
            Some(order) => order,
            None => self.vet(reading, staged),
        }
    }

    fn vet(&mut self, reading: Reading, mut staged: S::Staged) -> Order {
        if let Err(source) = staged.rewind() {
            return self.cannot_stage(source);
        }
        let path = &self.artifact.path;
        let verdict = match vet::vet(&mut staged, &self.shared.rules.options.exports) {
            Ok(vetted) => match self.shake_hands(&vetted) {
                Ok(()) => {
                    staged.seal(vetted.mapped, &Pen::new());
                    self.hand_over(reading, staged, &vetted);
                    Verdict::Good
                }
                Err(source) => {
                    let path = path.to_path_buf();
                    self.keep_out(reading, Error::Handshake { path, source })
                }
            },
            Err(refusal) if refusal.is_incomplete() => {
                tracing::debug!(artifact = %path.display(), %refusal, "not complete yet");
                Verdict::Incomplete
            }
            // The copy cannot be read, which says nothing about the artifact.
            Err(Refusal::Unreadable(source)) => return self.cannot_stage(source),
            Err(source) => {
                let path = path.to_path_buf();
                self.keep_out(reading, Error::Vet { path, source })
            }
        };
        self.artifact
            .tracker
            .vetted(reading, verdict, &self.shared.rules)
    }

    /// Compares the declaration that the copy was built from with the host's, if the host has one.
    fn shake_hands(&self, vetted: &Vetted) -> Result<(), Mismatch> {
        let expected = self.shared.rules.options.expected;
        expected.map_or(Ok(()), |expected| {
            expected.check(vetted.handshake.as_deref())
        })
    }

    fn keep_out(&mut self, reading: Reading, error: Error) -> Verdict {
        let digest = Some(reading.digest);
        self.say(News::Kept { digest, error });
        Verdict::Wrong
    }

    fn hand_over(&mut self, reading: Reading, staged: S::Staged, vetted: &Vetted) {
        match vetted.static_tls {
            true => self.warn(Warning::StaticTls),
            false => self.unwarn(Warning::StaticTls.about()),
        }
        let first_seen = self.artifact.tracker.first_seen().unwrap_or(reading.begun);
        self.say(News::Ready(Ready {
            digest: reading.digest,
            staged,
            first_seen,
        }));
    }

    /// Reads once, with looks before and after. A failure is reported, and answered with the order that follows from
    /// it.
    fn read(&mut self, snapshot: &Snapshot, copy: &mut impl Write) -> Result<Reading, Order> {
        self.shared.readings_left -= 1;
        let terms = Terms {
            snapshot: *snapshot,
            noise: self.artifact.tracker.noise(),
            asks: self.shared.rules.place.asks(),
        };
        let begun = self.shared.clock.now();
        let mut copy = Beating::new(copy, &self.shared.pulse);
        let read = reading::read(&self.shared.files, &self.artifact.path, terms, &mut copy);
        let ended = self.shared.clock.now();
        match read {
            Ok(digest) => {
                self.shared.digests += 1;
                self.recovered(Reached::Read);
                Ok(Reading {
                    begun,
                    ended,
                    digest,
                })
            }
            Err(Unread::Torn(seen)) => {
                Err(self.artifact.tracker.torn(ended, seen, &self.shared.rules))
            }
            // The file was there a moment ago, so it is being replaced, and the next look will see the end of that.
            Err(Unread::Artifact(error)) if is_absent(&error) => {
                Err(self.artifact.tracker.torn(ended, None, &self.shared.rules))
            }
            Err(Unread::Artifact(source)) => {
                let (cause, path) = (Cause::from(&source), self.path());
                self.fail(Reached::Read, cause, Error::Read { path, source });
                Err(self.artifact.tracker.failed(ended))
            }
            Err(Unread::Staged(source)) => Err(self.cannot_stage(source)),
        }
    }

    fn cannot_stage(&mut self, source: io::Error) -> Order {
        let (cause, path) = (Cause::from(&source), self.path());
        self.fail(Reached::Stage, cause, Error::Stage { path, source });
        self.artifact.tracker.failed(self.shared.clock.now())
    }
}
