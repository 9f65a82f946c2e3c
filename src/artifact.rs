//! One artifact, followed: carries out what its [`Tracker`] orders, in the order of the pipeline, and says each
//! thing once. It decides nothing about when to read or what to believe.

use std::io::{self, ErrorKind, Seek, Write};
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
use crate::update::{Kept, News, Outbox, Ready, Update};
use crate::vet;

/// What every artifact of a poller shares.
pub(crate) struct World<F: Files, C: Clock> {
    pub(crate) options: Options,
    rules: Rules,
    pub(crate) files: F,
    pub(crate) clock: C,
    pub(crate) outbox: Outbox<F::Staged>,
    said: Vec<Update<F::Staged>>,
    pub(crate) digests: u64,
}

impl<F: Files, C: Clock> World<F, C> {
    pub(crate) fn new(options: Options, files: F, clock: C) -> World<F, C> {
        let Options {
            settle,
            gate,
            gate_max,
            ..
        } = options;
        World {
            options,
            rules: Rules {
                settle,
                gate,
                gate_max,
            },
            files,
            clock,
            outbox: Outbox::new(),
            said: Vec::new(),
            digests: 0,
        }
    }

    pub(crate) fn say(&mut self, artifact: &Arc<Path>, news: News<F::Staged>) {
        self.said.push(Update {
            artifact: Arc::clone(artifact),
            news,
        });
    }

    /// Sends off what was said in this poll.
    pub(crate) fn deliver(&mut self) {
        self.outbox.deliver(&mut self.said);
    }
}

/// A failure that has been said, so that it is said once and its end is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Trouble {
    at: Reached,
    cause: (ErrorKind, Option<i32>),
}

/// How far an artifact came before it failed. Coming further ends the trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reached {
    Look,
    Kind,
    Read,
    Copy,
}

/// One watched file.
#[derive(Debug)]
pub(crate) struct Artifact {
    path: Arc<Path>,
    /// Whether it was found in a listing, as opposed to named by the user. Names in a directory come and go.
    listed: bool,
    tracker: Tracker,
    waiting: Option<Waiting>,
    trouble: Option<Trouble>,
}

impl Artifact {
    /// One that the user named: that it is missing is worth saying.
    pub(crate) fn named(path: Arc<Path>) -> Artifact {
        let tracker = Tracker::new();
        Artifact {
            path,
            listed: false,
            tracker,
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

    /// Whether it vanished before anything came of it, so that nobody will ask for it again.
    pub(crate) fn is_forgotten(&self) -> bool {
        self.listed && self.waiting == Some(Waiting::Missing)
    }

    /// Takes one look into account and follows it as far as it leads now. Returns when to look again, if
    /// before the next poll.
    pub(crate) fn follow<F: Files, C: Clock>(
        &mut self,
        now: Instant,
        look: io::Result<Snapshot>,
        world: &mut World<F, C>,
    ) -> Option<Instant> {
        match look {
            Ok(snapshot) if self.trouble.is_none() && self.tracker.is_quiet(&snapshot) => None,
            Ok(snapshot) => self.looked(snapshot, world),
            Err(error) if is_absent(&error) => {
                self.recovered(Reached::Look, world);
                let (until, absence) = self.tracker.absent(now);
                self.say_absence(absence, world);
                self.rest(until, world)
            }
            Err(source) => {
                let cause = cause_of(&source);
                self.fail(Reached::Look, cause, world, |path| Error::Look {
                    path,
                    source,
                });
                None
            }
        }
    }

    fn looked<F: Files, C: Clock>(
        &mut self,
        snapshot: Snapshot,
        world: &mut World<F, C>,
    ) -> Option<Instant> {
        self.recovered(Reached::Look, world);
        if snapshot.kind != Kind::File {
            let kind = snapshot.kind;
            let cause = (ErrorKind::InvalidInput, Some(kind as i32));
            self.fail(Reached::Kind, cause, world, |path| Error::NotAFile {
                path,
                kind,
            });
            return None;
        }
        self.recovered(Reached::Kind, world);
        // Asked only now: an idle poll asks no clock.
        let now = world.clock.now();
        let (mut order, absence) = self.tracker.look(now, snapshot, &world.rules);
        self.say_absence(absence, world);
        loop {
            order = match order {
                Order::Rest(until) => return self.rest(until, world),
                Order::Ask => {
                    let gate = gate::ask(&self.path, &world.files);
                    self.tracker.gate(world.clock.now(), gate, &world.rules)
                }
                Order::Digest => self.digest(&snapshot, world),
                Order::Stage => self.stage(&snapshot, world),
            }
        }
    }

    /// Reads the artifact without keeping what was read.
    fn digest<F: Files, C: Clock>(
        &mut self,
        snapshot: &Snapshot,
        world: &mut World<F, C>,
    ) -> Order {
        match self.read(snapshot, &mut io::sink(), world) {
            Ok(reading) => self.tracker.digested(reading, &world.rules),
            Err(order) => order,
        }
    }

    /// Makes a private copy, and hands it over if it is news and passes vet.
    fn stage<F: Files, C: Clock>(&mut self, snapshot: &Snapshot, world: &mut World<F, C>) -> Order {
        // A copy that the owner has not taken yet is out of date: two at a time are enough.
        if self.tracker.has_decided() && world.outbox.withdraw_ready(&self.path) {
            self.tracker.taken_back();
        }
        let mut staged = match world.files.create_staged(&self.path) {
            Ok(staged) => staged,
            Err(source) => return self.cannot_copy(source, world),
        };
        let reading = match self.read(snapshot, &mut staged, world) {
            Ok(reading) => reading,
            Err(order) => return order,
        };
        self.recovered(Reached::Copy, world);
        match self.tracker.staged(reading, &world.rules) {
            Some(order) => order,
            None => self.vet(reading, staged, world),
        }
    }

    fn vet<F: Files, C: Clock>(
        &mut self,
        reading: Reading,
        mut staged: F::Staged,
        world: &mut World<F, C>,
    ) -> Order {
        if let Err(source) = staged.rewind() {
            return self.cannot_copy(source, world);
        }
        let verdict = match vet::vet(&mut staged, &world.options.exports) {
            Ok(vetted) => {
                if vetted.static_tls {
                    tracing::warn!(
                        artifact = %self.path.display(),
                        "it uses initial-exec thread-locals, of which a process can load only a few copies"
                    );
                }
                let seen = self.tracker.changed_at().unwrap_or(reading.begun);
                world.say(
                    &self.path,
                    News::Ready(Ready {
                        digest: reading.digest,
                        staged,
                        seen,
                    }),
                );
                Verdict::Good
            }
            Err(refusal) if refusal.is_incomplete() => {
                tracing::debug!(artifact = %self.path.display(), %refusal, "not complete yet");
                Verdict::Incomplete
            }
            Err(source) => {
                let error = Error::Vet {
                    path: self.path.to_path_buf(),
                    source,
                };
                world.say(
                    &self.path,
                    News::Kept(Kept {
                        digest: Some(reading.digest),
                        error,
                    }),
                );
                Verdict::Wrong
            }
        };
        self.tracker.vetted(reading, verdict)
    }

    /// One bracketed pass. What goes wrong is said, and answered with the order that follows from it.
    fn read<F: Files, C: Clock>(
        &mut self,
        snapshot: &Snapshot,
        copy: &mut impl Write,
        world: &mut World<F, C>,
    ) -> Result<Reading, Order> {
        let begun = world.clock.now();
        let read = digest::read(&world.files, &self.path, snapshot, copy);
        let ended = world.clock.now();
        match read {
            Ok(digest) => {
                world.digests += 1;
                self.recovered(Reached::Read, world);
                Ok(Reading {
                    begun,
                    ended,
                    digest,
                })
            }
            Err(Unread::Torn) => Err(self.tracker.torn(ended)),
            // It was there a moment ago: that is a replacement, and the next look will see its end.
            Err(Unread::Source(error)) if is_absent(&error) => Err(self.tracker.torn(ended)),
            Err(Unread::Source(source)) => {
                let cause = cause_of(&source);
                self.fail(Reached::Read, cause, world, |path| Error::Read {
                    path,
                    source,
                });
                Err(self.tracker.failed(ended))
            }
            Err(Unread::Copy(source)) => Err(self.cannot_copy(source, world)),
        }
    }

    fn cannot_copy<F: Files, C: Clock>(
        &mut self,
        source: io::Error,
        world: &mut World<F, C>,
    ) -> Order {
        let cause = cause_of(&source);
        self.fail(Reached::Copy, cause, world, |path| Error::Stage {
            path,
            source,
        });
        self.tracker.failed(world.clock.now())
    }

    /// Says a failure, unless it is the one that was said last.
    fn fail<F: Files, C: Clock>(
        &mut self,
        at: Reached,
        cause: (ErrorKind, Option<i32>),
        world: &mut World<F, C>,
        error: impl FnOnce(PathBuf) -> Error,
    ) {
        let trouble = Some(Trouble { at, cause });
        if self.trouble == trouble {
            return;
        }
        self.trouble = trouble;
        let error = error(self.path.to_path_buf());
        world.say(
            &self.path,
            match at {
                Reached::Look | Reached::Read => News::Degraded(error),
                Reached::Kind | Reached::Copy => News::Kept(Kept {
                    digest: None,
                    error,
                }),
            },
        );
    }

    /// Ends a trouble that is overcome by having come as far as `reached`.
    fn recovered<F: Files, C: Clock>(&mut self, reached: Reached, world: &mut World<F, C>) {
        let Some(trouble) = self.trouble.take_if(|trouble| trouble.at <= reached) else {
            return;
        };
        if matches!(trouble.at, Reached::Look | Reached::Read) {
            world.say(&self.path, News::Recovered);
        }
    }

    fn say_absence<F: Files, C: Clock>(&self, absence: Option<Absence>, world: &mut World<F, C>) {
        match absence {
            Some(Absence::Missing) => world.say(&self.path, News::Missing),
            Some(Absence::Returned) => world.say(&self.path, News::Returned),
            None => {}
        }
    }

    /// Ends following for this poll: says what the artifact waits for, once per change of reason.
    fn rest<F: Files, C: Clock>(
        &mut self,
        until: Option<Instant>,
        world: &mut World<F, C>,
    ) -> Option<Instant> {
        let waiting = self.tracker.waiting();
        if let Some(reason) = waiting
            && self.waiting != waiting
            && !(self.listed && reason == Waiting::Missing)
        {
            world.say(&self.path, News::Waiting(reason));
        }
        self.waiting = waiting;
        until
    }
}

/// A path that leads nowhere, as opposed to one that cannot be followed.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// What makes two failures the same.
pub(crate) fn cause_of(error: &io::Error) -> (ErrorKind, Option<i32>) {
    (error.kind(), error.raw_os_error())
}
