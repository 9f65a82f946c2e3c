//! One artifact, between two polls and while it is looked at. What follows from a look is carried out in the order of the
//! pipeline. It decides nothing about when to read or what to believe: its [`Tracker`] does.

mod doubt;
mod following;
mod reading;
mod shared;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use crate::change::{Tracker, Waiting};
use crate::files::{Clock, Files, Locality};
use crate::hops::{Hops, directory_of};
use crate::locality;
use crate::snapshot::{Kind, Snapshot};
use crate::trouble::{Reached, Trouble};

use following::Following;
pub(crate) use shared::Shared;

/// One watched file, between two polls.
#[derive(Debug)]
pub(crate) struct Artifact {
    path: Arc<Path>,
    /// Whether it was found in a listing, as opposed to named by the user. Names in a directory come and go.
    listed: bool,
    tracker: Tracker,
    /// What was said last of what it waits for, and of what is wrong with it.
    waiting: Option<Waiting>,
    trouble: Option<Box<Trouble>>,
    /// The symbolic links on the way, if there are any.
    hops: Option<Box<Hops>>,
    /// The device that its directory was on. If it is on another, an absence is not a removal.
    home: Option<u64>,
    /// Whether the last look said that it is a file.
    was_file: bool,
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
            hops: None,
            home: None,
            was_file: false,
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
        self.waiting == Some(Waiting::Missing) && self.trouble.is_none()
    }

    /// Whether it was said that it cannot be looked at or read.
    pub(crate) fn is_degraded(&self) -> bool {
        self.trouble.as_deref().is_some_and(Trouble::has_degraded)
    }

    /// Whether a change is being followed, or something is wrong.
    pub(crate) fn is_busy(&self) -> bool {
        self.trouble.is_some() || self.tracker.is_suspect()
    }

    /// Whether the gate has let a change pass that will be read next.
    pub(crate) fn is_passing(&self) -> bool {
        self.tracker.is_passing()
    }

    /// Whether anything was ever handed over or kept out.
    pub(crate) fn has_decided(&self) -> bool {
        self.tracker.has_decided()
    }

    /// Until when it is not worth looking at, because looks have failed.
    pub(crate) fn pauses_until(&self, now: Instant) -> Option<Instant> {
        let trouble = self.trouble.as_deref()?;
        let is_look = trouble.at == Reached::Look;
        trouble.pauses_until(now).filter(|_| is_look)
    }

    /// What has failed is tried again at the next poll.
    pub(crate) fn end_pauses(&mut self, now: Instant) {
        if let Some(trouble) = &mut self.trouble {
            trouble.end_pause(now);
        }
        self.tracker.end_pause(now);
    }

    /// Looks once, as the locality demands; from the watched directory, should that be open.
    pub(crate) fn look<F: Files, C: Clock>(
        &self,
        shared: &mut Shared<F, C>,
        directory: Option<&F::Directory>,
    ) -> io::Result<Snapshot> {
        shared.begin_look();
        if let Some(directory) = directory {
            return shared.files.look_from(directory, &self.path);
        }
        if shared.locality == Locality::Remote {
            // The names in a watched directory were asked for already, for all that are listed there.
            let own = (!self.listed).then(|| directory_of(&self.path));
            let of_hops = self.hops.iter().flat_map(|hops| hops.directories());
            for directory in own.into_iter().chain(of_hops) {
                shared.ask_for_names(directory);
            }
        }
        locality::look(&shared.files, &self.path, shared.locality, self.was_file)
    }

    /// Takes one look into account and follows it as far as it leads now. Returns when to look again, if
    /// before the next poll.
    pub(crate) fn follow<F: Files, C: Clock>(
        &mut self,
        now: Instant,
        look: io::Result<Snapshot>,
        shared: &mut Shared<F, C>,
    ) -> Option<Instant> {
        let hops = self.hops.as_deref();
        let noise = self.tracker.noise();
        let has_moved = hops.is_some_and(|hops| hops.have_changed(&shared.files, noise));
        if let Ok(snapshot) = &look
            && self.trouble.is_none()
            && !has_moved
            && self.tracker.is_quiet(now, snapshot)
        {
            return None;
        }
        self.was_file = matches!(&look, Ok(seen) if seen.kind == Kind::File);
        if has_moved {
            self.tracker.moved(now);
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
