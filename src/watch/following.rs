//! How an artifact is followed: the meaning of a look at the artifact, the orders of its
//! [`Tracker`](crate::decide::change::Tracker) one after the other, and the reason of each wait, reported once.

use std::io;
use std::path::PathBuf;
use std::time::Instant;

use super::artifact::Artifact;
use super::doubt;
use super::followed::Followed;
use super::shared::Shared;
use super::update::News;
use crate::decide::change::{Waiting, Whereabouts};
use crate::decide::settle::Order;
use crate::decide::trouble::{Cause, Reached};
use crate::error::Error;
use crate::look::clock::Clock;
use crate::look::files::{Files, is_absent};
use crate::look::home::Home;
use crate::look::snapshot::{Kind, Snapshot};
use crate::look::way::device_above;
use crate::stage::copies::Stage;
use crate::warning::Warning;

/// Takes one look into account and follows the artifact as far as that leads now. Returns when to look again, if
/// before the next poll.
pub(super) fn follow<F: Files, S: Stage, C: Clock>(
    artifact: &mut Artifact,
    now: Instant,
    look: io::Result<Snapshot>,
    shared: &mut Shared<F, S, C>,
) -> Option<Instant> {
    let has_moved = artifact.has_moved()
        | artifact.notice_siblings(&shared.files)
        | artifact.notice_admission(now, shared);
    if !has_moved && artifact.is_quiet(now, &look) {
        return None;
    }
    artifact.note_kind(&look);
    if has_moved {
        artifact.tracker.moved(now);
    }
    Followed { artifact, shared }.take(now, look)
}

impl<F: Files, S: Stage, C: Clock> Followed<'_, F, S, C> {
    fn take(&mut self, now: Instant, look: io::Result<Snapshot>) -> Option<Instant> {
        match look {
            Ok(snapshot) => self.seen(snapshot),
            Err(error) if is_absent(&error) => match self.doubt_about_absence() {
                Some((cause, error)) => {
                    if cause == Cause::MountLost && !self.artifact.listed {
                        self.shared.notice_loss(&self.artifact.path, None);
                    }
                    self.cannot_look(cause, error)
                }
                None => {
                    let Artifact {
                        path, listed, way, ..
                    } = &mut *self.artifact;
                    if !*listed {
                        self.shared.notice_absence(now, path, way);
                    }
                    // Nothing can be wrong with a file that is gone.
                    self.recovered(Reached::Beside);
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

    /// The reason why a file that is not found may be there all the same, if there is one.
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
            rules,
            ..
        } = &mut *self.shared;
        match tracker.is_missing() {
            true => None,
            false => doubt::about_absence(files, names, path, home.as_ref(), rules.place.locality),
        }
    }

    fn cannot_look(&mut self, cause: Cause, error: Error) -> Option<Instant> {
        self.artifact.tracker.is_unsure();
        self.fail(Reached::Look, cause, error);
        let trouble = self.artifact.trouble.as_deref_mut();
        trouble.map(|trouble| self.shared.next_look(trouble))
    }

    fn seen(&mut self, snapshot: Snapshot) -> Option<Instant> {
        self.recovered(Reached::Look);
        if snapshot.kind != Kind::File {
            let (path, kind) = (self.path(), snapshot.kind);
            let error = Error::NotAFile { path, kind };
            self.fail(Reached::Kind, Cause::Kind(kind), error);
            return None;
        }
        if let Some(limit) = self.shared.rules.exceeded_by(&snapshot) {
            let (path, size) = (self.path(), snapshot.size);
            let error = Error::TooLarge { path, size, limit };
            self.fail(Reached::Kind, Cause::TooLarge, error);
            // What it waited for is over, and is news if it begins again.
            self.artifact.waiting = None;
            return None;
        }
        self.recovered(Reached::Kind);
        self.note_names(&snapshot);
        let target = self.remember_the_way(snapshot.device);
        // The time is asked for only now: an idle poll asks no clock.
        let now = self.shared.clock.now();
        let (mut order, whereabouts) =
            self.artifact
                .tracker
                .sees(now, snapshot, &self.shared.rules);
        self.say_whereabouts(whereabouts);
        loop {
            order = match order {
                Order::Rest(until) => return self.rest(until),
                Order::Ask => {
                    let Shared { gates, files, .. } = &mut *self.shared;
                    let gate = gates.ask(&self.artifact.path, target.as_deref(), files);
                    let now = self.shared.clock.now();
                    self.artifact.tracker.gate(now, gate, &self.shared.rules)
                }
                // The next poll comes at once, and goes on here.
                _ if self.shared.readings_left == 0 => return self.rest(Some(now)),
                Order::Digest => self.digest(&snapshot),
                Order::Stage => self.stage(&snapshot),
            }
        }
    }

    /// Warns of a file without a name. Some servers and daemons do not count names.
    fn note_names(&mut self, snapshot: &Snapshot) {
        match snapshot.links == 0 && !self.shared.rules.place.is_remote() {
            true => self.warn(Warning::NoName),
            false => self.unwarn(Warning::NoName.about()),
        }
    }

    /// Learns the way to the artifact, which was seen on this device, while it is suspect. Returns the path at the end of
    /// the way.
    fn remember_the_way(&mut self, device: u64) -> Option<PathBuf> {
        let Artifact {
            path,
            listed,
            way,
            home,
            ..
        } = &mut *self.artifact;
        let files = &self.shared.files;
        // If the way cannot be followed any more, the next look will see that.
        let end = self.shared.learn(way, path, !*listed).ok();
        let above = end.is_some().then(|| device_above(way.end(path), files));
        if let Some(Ok(above)) = above
            // If the directory was unmounted since the look at the artifact, its device is the wrong home.
            && files.look(path).is_ok()
        {
            *home = Some(Home::at_the_end_of(way, above));
        } else if let Some(home) = home {
            home.note_seen(way, device);
        }
        end
    }

    #[cfg(not(feature = "trial"))]
    fn is_tried(&self) -> bool {
        false
    }

    fn say_whereabouts(&mut self, whereabouts: Option<Whereabouts>) {
        match whereabouts {
            Some(Whereabouts::Missing) => self.say(News::Missing),
            Some(Whereabouts::Returned) => self.say(News::Returned),
            None => {}
        }
    }

    /// Ends a trouble with what the artifact brings along, once the artifact is decided about: its bytes may need nothing
    /// beside it any more.
    fn need_nothing_beside(&mut self) {
        let trouble = self.artifact.trouble.as_deref();
        if trouble.is_some_and(|it| it.at == Reached::Beside) && !self.artifact.tracker.is_suspect()
        {
            self.recovered(Reached::Beside);
        }
    }

    /// Ends following for this poll: says what the artifact waits for, once per change of reason, and the end of a wait
    /// of which nothing came.
    fn rest(&mut self, until: Option<Instant>) -> Option<Instant> {
        self.need_nothing_beside();
        // Whoever waits for other rights, for room or for a library beside, was told so. While something is said to be
        // degraded, that is what is waited for: its return, said at once, would end a wait that is said in between
        // without a word.
        let is_told = self.artifact.is_kept_out()
            || self.artifact.is_degraded()
            || self.shared.is_directory_degraded;
        let waiting = self.artifact.tracker.waiting().filter(|_| !is_told);
        let is_as_said = |now: &Waiting| {
            let said = self.artifact.waiting.as_ref();
            said.is_some_and(|said| said.is_for_the_same(now))
        };
        let is_new = !waiting.as_ref().is_some_and(is_as_said);
        self.artifact.waiting = waiting;
        let is_name_only = self.artifact.listed && !self.artifact.owes_a_word;
        if let Some(reason) = waiting
            && is_new
            // A name in a directory that leads to nothing was not waited for.
            && !(is_name_only && reason == Waiting::Missing)
        {
            // Who writes is asked only when it is said: the system has to look through all that is open.
            let reason = match reason {
                Waiting::Written(None) => {
                    Waiting::Written(self.shared.files.opener(&self.artifact.path))
                }
                reason => reason,
            };
            self.say(News::Waiting(reason));
        }
        if self.artifact.owes_a_word
            && !self.is_tried()
            && let Some(digest) = self.artifact.tracker.settled_on()
        {
            self.say(News::Unchanged { digest });
        }
        until
    }
}
