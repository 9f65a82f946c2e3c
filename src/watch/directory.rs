//! A directory of libraries: which libraries there are, what it means if the directory or its filesystem is gone, and
//! each artifact in turn. No artifact that anything ever came of is given up because of a listing.

use std::io;
use std::mem;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::address::Address;
use super::artifact::Artifact;
use super::following::follow;
use super::listed;
use super::shared::Shared;
use super::update::News;
use crate::decide::absence::Absence;
use crate::decide::change::Waiting;
use crate::decide::rounds::Rounds;
use crate::decide::settle::LOOK_AGAIN;
use crate::decide::trouble::{Cause, Reached, Trouble};
use crate::error::Error;
use crate::look::clock::Clock;
use crate::look::files::{Files, Listing, Locality, is_absent};
use crate::look::home::Home;
use crate::look::scan::Scan;
use crate::look::snapshot::{Kind, Snapshot};
use crate::stage::copies::Stage;
use crate::warning::Warning;

/// A watched directory, between two polls.
#[derive(Debug)]
pub(super) struct Directory {
    address: Address,
    scan: Scan,
    artifacts: Vec<Artifact>,
    /// The trouble with the directory itself, and since when it is gone.
    trouble: Option<Box<Trouble>>,
    absence: Absence,
    /// On a remote filesystem, when all artifacts are looked at; and what the scan had found at the last round.
    rounds: Rounds,
    changes_seen: u64,
    /// Whether it was last said that there is no library.
    is_empty: bool,
    /// The warnings about the directory that hold and were said.
    warned: Vec<Warning>,
    /// The artifact to go on with, if the last poll made as many readings as a poll may.
    turn: usize,
}

/// The end of a poll of a directory.
pub(super) enum Polled {
    /// When the directory wants to be polled again, if before the next poll.
    Until(Option<Instant>),
    /// The path holds something else than a directory now.
    NoDirectory,
}

impl Directory {
    /// The directory at `root`, which was seen at `home`. `was_said_empty` if it was said that there is no library at this
    /// path.
    pub(super) fn new(
        root: Arc<Path>,
        home: Home,
        depth: usize,
        was_said_empty: bool,
    ) -> Directory {
        Directory {
            scan: Scan::new(root.to_path_buf(), depth),
            address: Address::new(root, home),
            artifacts: Vec::new(),
            trouble: None,
            absence: Absence::default(),
            rounds: Rounds::default(),
            changes_seen: 0,
            is_empty: was_said_empty,
            warned: Vec::new(),
            turn: 0,
        }
    }

    pub(super) fn artifacts(&self) -> &[Artifact] {
        &self.artifacts
    }

    pub(super) fn artifacts_mut(&mut self) -> &mut [Artifact] {
        &mut self.artifacts
    }

    /// Whether the directory itself cannot be looked at or listed.
    pub(super) fn is_troubled(&self) -> bool {
        self.trouble.is_some()
    }

    /// Whether the directory's own trouble was not reported, for it may end by itself.
    pub(super) fn is_failing(&self) -> bool {
        self.trouble.as_deref().is_some_and(Trouble::is_unsaid)
    }

    /// Whether the directory's own trouble was reported.
    pub(super) fn is_degraded(&self) -> bool {
        self.trouble.as_deref().is_some_and(Trouble::has_degraded)
    }

    /// Everything that has failed is tried again at the next poll.
    pub(super) fn end_pauses(&mut self, now: Instant) {
        if let Some(trouble) = &mut self.trouble {
            trouble.end_pause(now);
        }
        self.rounds = Rounds::default();
        let artifacts = self.artifacts.iter_mut();
        artifacts.for_each(|artifact| artifact.end_pauses(now));
    }

    /// Looks at the directory, lists it if that is called for, and follows each artifact.
    pub(super) fn poll<F: Files, S: Stage, C: Clock>(
        &mut self,
        now: Instant,
        shared: &mut Shared<F, S, C>,
    ) -> Polled {
        let trouble = self.trouble.as_deref();
        if let Some(until) = trouble.and_then(|trouble| trouble.pauses_until(now)) {
            return Polled::Until(Some(until));
        }
        let root = match self.address.look(shared) {
            Ok(root) => root,
            Err(error) if is_absent(&error) => {
                return Polled::Until(self.note_absence(now, shared));
            }
            Err(source) => return Polled::Until(Some(self.cannot_look(now, source, shared))),
        };
        if root.kind != Kind::Directory {
            return Polled::NoDirectory;
        }
        let has_turned = self.address.has_turned();
        if has_turned {
            self.turn(now);
        }
        let has_moved = shared.is_elsewhere(root.device);
        if has_moved {
            self.scan.forget();
            self.address.forget_the_way();
        }
        let listed = self.rescan(now, root, shared);
        if has_moved && self.address.is_moving(root, shared) {
            // A mount came or went between the look and the listing, so the names are not of that device. Nothing
            // follows.
            return Polled::Until(Some(now + LOOK_AGAIN));
        }
        // A link that was made to lead elsewhere unmounts nothing, and what is known to be removed is not unmounted.
        let can_be_lost = has_moved && !has_turned && !self.absence.was_said();
        if can_be_lost && matches!(&listed, Ok(Some(listed)) if self.is_mount_lost(listed)) {
            shared.notice_loss(self.address.path(), Some(root.device));
            let path = self.address.path().to_path_buf();
            self.lose_sight();
            let again = self.fail(now, Cause::MountLost, Error::MountLost { path }, shared);
            return Polled::Until(Some(again));
        }
        let again = match listed {
            Ok(listed) => {
                self.arrive(root.device, shared);
                if self.absence.ends() {
                    shared.outbox.say(self.address.path(), News::Returned);
                }
                self.recovered(now, shared);
                listed
                    .into_iter()
                    .for_each(|listed| self.add(listed, shared));
                None
            }
            Err(source) if is_absent(&source) && self.address.has_gone(shared) => {
                return Polled::Until(self.note_absence(now, shared));
            }
            Err(source) => {
                let cause = match is_absent(&source) {
                    // It is there, and was not when it was listed: removed and made again in between, most likely.
                    true => Cause::NotFoundThoughListed,
                    false => Cause::from(&source),
                };
                let path = self.address.path().to_path_buf();
                let again = self.fail(now, cause, Error::List { path, source }, shared);
                if has_moved {
                    // Nobody knows whether this is the directory of before at all.
                    self.lose_sight();
                    return Polled::Until(Some(again));
                }
                Some(again)
            }
        };
        shared.is_directory_degraded = self.is_degraded();
        let followed = self.follow_all(now, root.device, shared);
        let confirmation = self.scan.wants();
        Polled::Until([again, followed, confirmation].into_iter().flatten().min())
    }

    /// Looks at each artifact; on a remote filesystem whose looks take long, between two rounds only at those for which
    /// something is due. Says when the first of them wants to be looked at again.
    fn follow_all<F: Files, S: Stage, C: Clock>(
        &mut self,
        now: Instant,
        device: u64,
        shared: &mut Shared<F, S, C>,
    ) -> Option<Instant> {
        if shared.locality() == Locality::Local {
            return self.follow_each(now, device, true, shared);
        }
        let changes = self.scan.changes_so_far();
        let changed = changes != self.changes_seen;
        let (begun, readings) = (shared.clock.now(), shared.readings_left);
        if !self.rounds.is_due(begun, changed) {
            return self.follow_each(now, device, false, shared);
        }
        let wanted = self.follow_each(now, device, true, shared);
        if !shared.is_out_of_readings() {
            self.changes_seen = changes;
            let ended = shared.clock.now();
            let mut artifacts = self.artifacts.iter();
            let has_found = shared.readings_left < readings
                || artifacts.any(|artifact| artifact.tracker.is_suspect());
            self.rounds.made(begun, ended, changed, has_found);
            shared.round_took = ended.saturating_duration_since(begun);
        }
        wanted
    }

    /// Looks at each artifact, or at each for which something is due, beginning where the last poll had to stop. The
    /// directory was seen on this device.
    fn follow_each<F: Files, S: Stage, C: Clock>(
        &mut self,
        now: Instant,
        device: u64,
        is_round: bool,
        shared: &mut Shared<F, S, C>,
    ) -> Option<Instant> {
        let mut wanted: Option<Instant> = None;
        let count = self.artifacts.len();
        let first = mem::take(&mut self.turn);
        let directory = match shared.locality() {
            Locality::Local => shared.files.open_directory(self.address.path(), count),
            // On a remote filesystem each artifact is opened by its path, so that the server is asked.
            Locality::Remote => None,
        };
        for offset in 0..count {
            let index = (first + offset) % count;
            let artifact = &mut self.artifacts[index];
            if !is_round && artifact.is_at_rest(now) {
                continue;
            }
            let until = match artifact.pauses_until(now) {
                Some(until) => Some(until),
                None => {
                    let look = artifact.look(shared, directory.as_ref());
                    if artifact.can_be_missed()
                        && look.as_ref().is_err_and(is_absent)
                        && self.address.has_left(device, shared)
                    {
                        // The directory went after the look at it. The next look says why, and of all that was in it.
                        self.stop_at(index, shared);
                        return Some(now + LOOK_AGAIN);
                    }
                    follow(artifact, now, look, shared)
                }
            };
            artifact.note(shared);
            wanted = [wanted, until].into_iter().flatten().min();
            if shared.is_out_of_readings() {
                // The next poll is due at once, and goes on here.
                self.stop_at(index, shared);
                return Some(now);
            }
        }
        wanted
    }

    /// Stops a poll at this artifact, from which the next one goes on. The other artifacts are as they were.
    fn stop_at<F: Files, S: Stage, C: Clock>(
        &mut self,
        index: usize,
        shared: &mut Shared<F, S, C>,
    ) {
        self.turn = index;
        self.artifacts
            .iter()
            .for_each(|artifact| artifact.note(shared));
    }

    /// Whether the mount is lost: an unmounted filesystem leaves an empty directory on another device. That is not a
    /// removal.
    fn is_mount_lost(&self, listed: &Listing) -> bool {
        let is_empty = listed.files.is_empty() && listed.unlisted.is_empty();
        is_empty && self.artifacts.iter().any(Artifact::has_decided)
    }

    /// The way leads elsewhere than before, so everything at its end is to be found out anew.
    fn turn(&mut self, now: Instant) {
        self.scan.forget();
        for artifact in &mut self.artifacts {
            artifact.tracker.moved(now);
        }
    }

    /// The directory was listed on this device, so that is where it is at home.
    fn arrive<F: Files, S: Stage, C: Clock>(&mut self, device: u64, shared: &mut Shared<F, S, C>) {
        self.address.take_home(device, shared);
        shared.notice_device(device);
    }

    /// There is no directory: it was removed, unless its filesystem is gone. Says when to look again, if before the
    /// next poll.
    fn note_absence<F: Files, S: Stage, C: Clock>(
        &mut self,
        now: Instant,
        shared: &mut Shared<F, S, C>,
    ) -> Option<Instant> {
        // Should the directory return, nothing is known of its content.
        self.scan.forget();
        let is_lost = match self.absence.was_said() {
            // It was removed before anything could be unmounted.
            true => Ok(false),
            false => self.address.is_lost(shared),
        };
        match is_lost {
            Ok(false) => {}
            Ok(true) => {
                shared.notice_loss(self.address.path(), None);
                let path = self.address.path().to_path_buf();
                self.lose_sight();
                return Some(self.fail(now, Cause::MountLost, Error::MountLost { path }, shared));
            }
            Err(source) => return Some(self.cannot_look(now, source, shared)),
        }
        self.address.notice_absence(now, shared);
        self.recovered(now, shared);
        if self.absence.lasts(now) {
            shared.outbox.say(self.address.path(), News::Missing);
            // So is all that was in it: none of that is lost with a filesystem any more. But what was on another one, which
            // a mount covers, was not removed.
            for artifact in &mut self.artifacts {
                let home = artifact.home.take();
                artifact.home = home.filter(|home| !self.address.is_at_home_with(home));
            }
        }
        None
    }

    /// Nobody can say whether the directory is there, and the last listing proves nothing any more. Says when to look
    /// again.
    fn cannot_look<F: Files, S: Stage, C: Clock>(
        &mut self,
        now: Instant,
        source: io::Error,
        shared: &mut Shared<F, S, C>,
    ) -> Instant {
        self.scan.forget();
        self.lose_sight();
        let (cause, path) = (Cause::from(&source), self.address.path().to_path_buf());
        self.fail(now, cause, Error::Look { path, source }, shared)
    }

    /// Nobody can tell whether the libraries are there until the directory can be looked at: those that were gone may have
    /// come back meanwhile, so an absence that was not said is counted anew.
    fn lose_sight(&mut self) {
        let artifacts = self.artifacts.iter_mut();
        artifacts.for_each(|artifact| artifact.tracker.is_unsure());
    }

    /// Lists the directory if that is called for.
    fn rescan<F: Files, S: Stage, C: Clock>(
        &mut self,
        now: Instant,
        root: Snapshot,
        shared: &mut Shared<F, S, C>,
    ) -> io::Result<Option<Listing>> {
        let locality = shared.locality();
        let listed = self
            .scan
            .changes(now, root, locality, &shared.files, &shared.clock)?;
        if locality == Locality::Remote {
            for listed in [&**self.address.path(), self.address.end()] {
                shared.has_listed(listed, root.device);
            }
        }
        Ok(listed)
    }

    /// The directory cannot be looked at or listed. Nothing follows from that for its known artifacts. Says when to
    /// try again.
    fn fail<F: Files, S: Stage, C: Clock>(
        &mut self,
        now: Instant,
        cause: Cause,
        error: Error,
        shared: &mut Shared<F, S, C>,
    ) -> Instant {
        self.absence.is_unsure();
        let trouble = Trouble::go_on(&mut self.trouble, Reached::Look, now);
        let is_news = trouble.is_news(now, cause);
        let again = shared.next_look(trouble);
        if is_news {
            shared.pulse.say();
            shared
                .outbox
                .say(self.address.path(), News::Degraded(error));
        }
        again
    }

    fn recovered<F: Files, S: Stage, C: Clock>(
        &mut self,
        now: Instant,
        shared: &mut Shared<F, S, C>,
    ) {
        let Some(trouble) = &mut self.trouble else {
            return;
        };
        if !trouble.is_over(now, Reached::Look) {
            return;
        }
        let overcome = self.trouble.take();
        if overcome.is_some_and(|trouble| trouble.has_degraded()) {
            shared.outbox.say(self.address.path(), News::Recovered);
        }
    }

    /// The warning of names that are nearly those of libraries, where there is no library.
    fn names(&self) -> Option<Warning> {
        let seen = match self.is_empty {
            true => self.scan.nearly(),
            false => &[],
        };
        let seen = seen.to_vec();
        (!seen.is_empty()).then_some(Warning::Names { seen })
    }

    /// Takes up what a listing names, and says what a person should know of it.
    fn add<F: Files, S: Stage, C: Clock>(
        &mut self,
        listing: Listing,
        shared: &mut Shared<F, S, C>,
    ) {
        let is_empty = listing.files.is_empty() && self.artifacts.is_empty();
        if is_empty && !self.is_empty {
            shared
                .outbox
                .say(self.address.path(), News::Waiting(Waiting::Missing));
        }
        self.is_empty = is_empty;
        let names = self.names();
        let unlisted = listed::warning_of(&listing.unlisted);
        let too_many = listed::take_up(&mut self.artifacts, listing);
        self.warn(Warning::NAMES, names, shared);
        self.warn(Warning::UNLISTED, unlisted, shared);
        self.warn(Warning::TOO_MANY, too_many, shared);
    }

    /// Says a warning of this subject, unless one was said that still holds. `None` if nothing is to be warned of any more.
    fn warn<F: Files, S: Stage, C: Clock>(
        &mut self,
        about: &str,
        warning: Option<Warning>,
        shared: &mut Shared<F, S, C>,
    ) {
        let said = self.warned.iter().position(|said| said.about() == about);
        let said = said.map(|at| self.warned.swap_remove(at));
        let Some(warning) = warning else {
            return;
        };
        if !said.is_some_and(|said| said.covers(&warning)) {
            let news = News::Warned(warning.clone());
            shared.outbox.say(self.address.path(), news);
        }
        self.warned.push(warning);
    }
}
