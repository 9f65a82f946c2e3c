//! One artifact, followed: carries out what its [`Tracker`] orders, in the order of the pipeline, and says each
//! thing once. It decides nothing about when to read or what to believe.

use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use crate::change::{Absence, Tracker, Verdict, Waiting};
use crate::digest::{self, Unread};
use crate::error::Error;
use crate::files::{Clock, Files};
use crate::gate;
use crate::options::Options;
use crate::settle::{Order, Reading, Rules};
use crate::snapshot::{Kind, Snapshot};
use crate::trouble::{Cause, Reached, Trouble, is_absent};
use crate::update::{Kept, News, Outbox, Ready};
use crate::vet::{self, Refusal, Vetted};

/// What all artifacts of a poller share.
pub(crate) struct Shared<F: Files, C: Clock> {
    pub(crate) options: Options,
    pub(crate) files: F,
    pub(crate) clock: C,
    pub(crate) outbox: Outbox<F::Staged>,
    pub(crate) digests: u64,
}

impl<F: Files, C: Clock> Shared<F, C> {
    pub(crate) fn new(options: Options, files: F, clock: C) -> Shared<F, C> {
        Shared {
            options,
            files,
            clock,
            outbox: Outbox::new(),
            digests: 0,
        }
    }

    fn rules(&self) -> Rules {
        let Options {
            settle,
            gate,
            gate_max,
            ..
        } = self.options;
        Rules {
            settle,
            gate,
            gate_max,
        }
    }
}

/// One watched file, between two polls.
#[derive(Debug)]
pub(crate) struct Artifact {
    path: Arc<Path>,
    /// Whether it was found in a listing, as opposed to named by the user. Names in a directory come and go.
    listed: bool,
    tracker: Tracker,
    /// What was said last of what it waits for, and of what is wrong with it.
    waiting: Option<Waiting>,
    trouble: Option<Trouble>,
}

impl Artifact {
    /// One that the user named: that it is missing is worth saying.
    pub(crate) fn named(path: Arc<Path>) -> Artifact {
        Artifact {
            path,
            listed: false,
            tracker: Tracker::new(),
            waiting: None,
            trouble: None,
        }
    }

    /// One that a directory listed.
    pub(crate) fn listed(path: Arc<Path>) -> Artifact {
        Artifact {
            listed: true,
            ..Artifact::named(path)
        }
    }

    pub(crate) fn path(&self) -> &Arc<Path> {
        &self.path
    }

    /// Whether there is nothing at its path, and nothing ever came of it.
    pub(crate) fn is_idle(&self) -> bool {
        self.waiting == Some(Waiting::Missing)
    }

    /// Whether it was said that it cannot be looked at or read.
    pub(crate) fn is_degraded(&self) -> bool {
        self.trouble.is_some_and(|trouble| trouble.is_degradation())
    }

    /// Takes one look into account and follows it as far as it leads now. Returns when to look again, if
    /// before the next poll.
    pub(crate) fn follow<F: Files, C: Clock>(
        &mut self,
        now: Instant,
        look: io::Result<Snapshot>,
        shared: &mut Shared<F, C>,
    ) -> Option<Instant> {
        if let Ok(snapshot) = &look
            && self.trouble.is_none()
            && self.tracker.is_quiet(snapshot)
        {
            return None;
        }
        let rules = shared.rules();
        Following {
            artifact: self,
            shared,
            rules,
        }
        .look(now, look)
    }
}

/// An artifact while it is followed.
struct Following<'a, F: Files, C: Clock> {
    artifact: &'a mut Artifact,
    shared: &'a mut Shared<F, C>,
    rules: Rules,
}

impl<F: Files, C: Clock> Following<'_, F, C> {
    fn look(&mut self, now: Instant, look: io::Result<Snapshot>) -> Option<Instant> {
        match look {
            Ok(snapshot) => self.seen(snapshot),
            Err(error) if is_absent(&error) => {
                self.recovered(Reached::Look);
                let (until, absence) = self.artifact.tracker.absent(now);
                self.say_absence(absence);
                self.rest(until)
            }
            Err(source) => {
                self.fail(Reached::Look, (&source).into(), |path| Error::Look {
                    path,
                    source,
                });
                None
            }
        }
    }

    fn seen(&mut self, snapshot: Snapshot) -> Option<Instant> {
        self.recovered(Reached::Look);
        if snapshot.kind != Kind::File {
            let kind = snapshot.kind;
            self.fail(Reached::Kind, Cause::Kind(kind), |path| Error::NotAFile {
                path,
                kind,
            });
            return None;
        }
        self.recovered(Reached::Kind);
        // Asked only now: an idle poll asks no clock.
        let now = self.shared.clock.now();
        let (mut order, absence) = self.artifact.tracker.look(now, snapshot, &self.rules);
        self.say_absence(absence);
        loop {
            order = match order {
                Order::Rest(until) => return self.rest(until),
                Order::Ask => {
                    let gate = gate::ask(&self.artifact.path, &self.shared.files);
                    self.artifact
                        .tracker
                        .gate(self.shared.clock.now(), gate, &self.rules)
                }
                Order::Digest => self.digest(&snapshot),
                Order::Stage => self.stage(&snapshot),
            }
        }
    }

    /// Reads the artifact without keeping what was read.
    fn digest(&mut self, snapshot: &Snapshot) -> Order {
        match self.read(snapshot, &mut io::sink()) {
            Ok(reading) => self.artifact.tracker.digested(reading, &self.rules),
            Err(order) => order,
        }
    }

    /// Makes a private copy, and hands it over if it is news and passes vet.
    fn stage(&mut self, snapshot: &Snapshot) -> Order {
        // A copy that the owner has not taken yet is out of date: two at a time are enough.
        let has_decided = self.artifact.tracker.has_decided();
        if has_decided && self.shared.outbox.withdraw_content(&self.artifact.path) {
            self.artifact.tracker.taken_back();
        }
        let mut staged = match self.shared.files.create_staged(&self.artifact.path) {
            Ok(staged) => staged,
            Err(source) => return self.cannot_stage(source),
        };
        let reading = match self.read(snapshot, &mut staged) {
            Ok(reading) => reading,
            Err(order) => return order,
        };
        self.recovered(Reached::Stage);
        match self.artifact.tracker.staged(reading, &self.rules) {
            Some(order) => order,
            None => self.vet(reading, staged),
        }
    }

    fn vet(&mut self, reading: Reading, mut staged: F::Staged) -> Order {
        if let Err(source) = staged.rewind() {
            return self.cannot_stage(source);
        }
        let path = &self.artifact.path;
        let verdict = match vet::vet(&mut staged, &self.shared.options.exports) {
            Ok(vetted) => {
                self.shared.files.seal(&mut staged);
                self.hand_over(reading, staged, vetted);
                Verdict::Good
            }
            Err(refusal) if refusal.is_incomplete() => {
                tracing::debug!(artifact = %path.display(), %refusal, "not complete yet");
                Verdict::Incomplete
            }
            // The copy cannot be read, which says nothing about the artifact.
            Err(Refusal::Unreadable(source)) => return self.cannot_stage(source),
            Err(source) => {
                let error = Error::Vet {
                    path: path.to_path_buf(),
                    source,
                };
                self.say(News::Kept(Kept {
                    digest: Some(reading.digest),
                    error,
                }));
                Verdict::Wrong
            }
        };
        self.artifact.tracker.vetted(reading, verdict)
    }

    fn hand_over(&mut self, reading: Reading, staged: F::Staged, vetted: Vetted) {
        if vetted.static_tls {
            tracing::warn!(
                "`{}` uses initial-exec thread-locals; a process has room for only a few copies of it, so later \
                 reloads may fail",
                self.artifact.path.display()
            );
        }
        let first_seen = self.artifact.tracker.first_seen().unwrap_or(reading.begun);
        self.say(News::Ready(Ready {
            digest: reading.digest,
            staged,
            first_seen,
        }));
    }

    /// One bracketed pass. What goes wrong is said, and answered with the order that follows from it.
    fn read(&mut self, snapshot: &Snapshot, copy: &mut impl Write) -> Result<Reading, Order> {
        let begun = self.shared.clock.now();
        let read = digest::read(&self.shared.files, &self.artifact.path, snapshot, copy);
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
            Err(Unread::Torn) => Err(self.artifact.tracker.torn(ended)),
            // It was there a moment ago: that is a replacement, and the next look will see its end.
            Err(Unread::Artifact(error)) if is_absent(&error) => {
                Err(self.artifact.tracker.torn(ended))
            }
            Err(Unread::Artifact(source)) => {
                self.fail(Reached::Read, (&source).into(), |path| Error::Read {
                    path,
                    source,
                });
                Err(self.artifact.tracker.failed(ended))
            }
            Err(Unread::Staged(source)) => Err(self.cannot_stage(source)),
        }
    }

    fn cannot_stage(&mut self, source: io::Error) -> Order {
        self.fail(Reached::Stage, (&source).into(), |path| Error::Stage {
            path,
            source,
        });
        self.artifact.tracker.failed(self.shared.clock.now())
    }

    /// Says a failure, unless it is the one that was said last.
    fn fail(&mut self, at: Reached, cause: Cause, error: impl FnOnce(PathBuf) -> Error) {
        let trouble = Trouble { at, cause };
        if self.artifact.trouble.replace(trouble) == Some(trouble) {
            return;
        }
        let error = error(self.artifact.path.to_path_buf());
        self.say(match trouble.is_degradation() {
            true => News::Degraded(error),
            false => News::Kept(Kept {
                digest: None,
                error,
            }),
        });
    }

    /// Ends a trouble that is overcome by having come as far as `reached`.
    fn recovered(&mut self, reached: Reached) {
        let overcome = self
            .artifact
            .trouble
            .take_if(|trouble| trouble.at <= reached);
        if overcome.is_some_and(|trouble| trouble.is_degradation()) {
            self.say(News::Recovered);
        }
    }

    fn say_absence(&mut self, absence: Option<Absence>) {
        match absence {
            Some(Absence::Missing) => self.say(News::Missing),
            Some(Absence::Returned) => self.say(News::Returned),
            None => {}
        }
    }

    fn say(&mut self, news: News<F::Staged>) {
        self.shared.outbox.say(&self.artifact.path, news);
    }

    /// Ends following for this poll: says what the artifact waits for, once per change of reason.
    fn rest(&mut self, until: Option<Instant>) -> Option<Instant> {
        let waiting = self.artifact.tracker.waiting();
        let is_new = waiting != self.artifact.waiting;
        self.artifact.waiting = waiting;
        if let Some(reason) = waiting
            && is_new
            && !(self.artifact.listed && reason == Waiting::Missing)
        {
            self.say(News::Waiting(reason));
        }
        until
    }
}
