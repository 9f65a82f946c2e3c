//! An artifact while it is followed: what a look at it means, which order of its [`Tracker`](crate::change::Tracker) is
//! carried out next, and what is said of that, each thing once.

use std::io;
use std::path::PathBuf;
use std::time::Instant;

use super::{Artifact, Shared, doubt};
use crate::change::{Waiting, Whereabouts};
use crate::error::{Error, chain};
use crate::files::{Clock, Files};
use crate::hops::{Hops, directory_of};
use crate::settle::{Order, Rules};
use crate::snapshot::{Kind, Snapshot};
use crate::trouble::{Cause, Reached, Trouble, is_absent};
use crate::update::{Kept, News};

/// An artifact while it is followed.
pub(super) struct Following<'a, F: Files, C: Clock> {
    pub(super) artifact: &'a mut Artifact,
    pub(super) shared: &'a mut Shared<F, C>,
    pub(super) rules: Rules,
}

impl<F: Files, C: Clock> Following<'_, F, C> {
    pub(super) fn look(&mut self, now: Instant, look: io::Result<Snapshot>) -> Option<Instant> {
        match look {
            Ok(snapshot) => self.seen(snapshot),
            Err(error) if is_absent(&error) => match self.doubt_about_absence() {
                Some((cause, error)) => self.cannot_look(cause, error),
                None => {
                    // Nothing can be wrong with what is gone.
                    self.recovered(Reached::Stage);
                    let (until, whereabouts) = self.artifact.tracker.absent(now);
                    self.say_whereabouts(whereabouts);
                    self.rest(until)
                }
            },
            Err(source) => {
                let (cause, path) = (Cause::from(&source), self.path());
                self.cannot_look(cause, Error::Look { path, source })
            }
        }
    }

    /// Why a file that is not found may be there all the same.
    fn doubt_about_absence(&mut self) -> Option<(Cause, Error)> {
        let Artifact {
            path,
            home,
            tracker,
            ..
        } = &*self.artifact;
        let Shared {
            files,
            names,
            locality,
            ..
        } = &mut *self.shared;
        match tracker.is_missing() {
            true => None,
            false => doubt::about_absence(files, names, path, *home, *locality),
        }
    }

    fn cannot_look(&mut self, cause: Cause, error: Error) -> Option<Instant> {
        self.fail(Reached::Look, cause, error);
        let trouble = self.artifact.trouble.as_deref_mut();
        trouble.map(|trouble| self.shared.look_again(trouble))
    }

    pub(super) fn path(&self) -> PathBuf {
        self.artifact.path.to_path_buf()
    }

    fn seen(&mut self, snapshot: Snapshot) -> Option<Instant> {
        self.recovered(Reached::Look);
        if snapshot.kind != Kind::File {
            let (path, kind) = (self.path(), snapshot.kind);
            let error = Error::NotAFile { path, kind };
            self.fail(Reached::Kind, Cause::Kind(kind), error);
            return None;
        }
        self.recovered(Reached::Kind);
        let target = self.remember_the_way();
        // Asked only now: an idle poll asks no clock.
        let now = self.shared.clock.now();
        let (mut order, whereabouts) = self.artifact.tracker.look(now, snapshot, &self.rules);
        self.say_whereabouts(whereabouts);
        loop {
            order = match order {
                Order::Rest(until) => return self.rest(until),
                Order::Ask => {
                    let Shared { gates, files, .. } = &mut *self.shared;
                    let gate = gates.ask(&self.artifact.path, target.as_deref(), files);
                    let now = self.shared.clock.now();
                    self.artifact.tracker.gate(now, gate, &self.rules)
                }
                // The next poll goes on here, at once.
                _ if self.shared.readings_left == 0 => return self.rest(Some(now)),
                Order::Digest => self.digest(&snapshot),
                Order::Stage => self.stage(&snapshot),
            }
        }
    }

    /// Learns, while something is suspect, what leads to the artifact: the links on the way, and where it is at home.
    /// Returns where the way ends.
    fn remember_the_way(&mut self) -> Option<PathBuf> {
        let files = &self.shared.files;
        // A way that cannot be followed any more: the next look will see that.
        let route = files.route(&self.artifact.path).ok();
        let hops = route.as_ref().and_then(|route| Hops::of(route, files));
        self.artifact.hops = hops;
        if let Ok(directory) = files.look(directory_of(&self.artifact.path))
            // Were it unmounted since the look at the artifact, that would be the wrong home.
            && files.look(&self.artifact.path).is_ok()
        {
            self.artifact.home = Some(directory.device);
        }
        route.map(|route| route.end)
    }

    /// Says a failure, once for each cause until it is over.
    pub(super) fn fail(&mut self, at: Reached, cause: Cause, error: Error) {
        let now = self.shared.clock.now();
        let trouble = Trouble::go_on(&mut self.artifact.trouble, at, now);
        if !trouble.is_news(now, cause) {
            tracing::debug!("{}", chain(&error));
            return;
        }
        self.say(match at.is_degradation() {
            true => News::Degraded(error),
            false => News::Kept(Kept {
                digest: None,
                error,
            }),
        });
    }

    /// Ends a trouble that is overcome by having come as far as `reached`.
    pub(super) fn recovered(&mut self, reached: Reached) {
        let Some(trouble) = &mut self.artifact.trouble else {
            return;
        };
        if !trouble.is_over(self.shared.clock.now(), reached) {
            return;
        }
        let overcome = self.artifact.trouble.take();
        if overcome.is_some_and(|trouble| trouble.has_degraded()) {
            self.say(News::Recovered);
        }
    }

    fn say_whereabouts(&mut self, whereabouts: Option<Whereabouts>) {
        match whereabouts {
            Some(Whereabouts::Missing) => self.say(News::Missing),
            Some(Whereabouts::Returned) => self.say(News::Returned),
            None => {}
        }
    }

    pub(super) fn say(&mut self, news: News<F::Staged>) {
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
