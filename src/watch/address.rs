//! The address of a watched directory: its path, the way there, and where that is at home.

use std::io;
use std::mem;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::shared::Shared;
use crate::look::clock::Clock;
use crate::look::files::{Files, is_absent};
use crate::look::home::Home;
use crate::look::snapshot::Snapshot;
use crate::look::way::Way;
use crate::stage::copies::Stage;

/// The address of a directory, between two polls.
#[derive(Debug)]
pub(super) struct Address {
    path: Arc<Path>,
    way: Way,
    /// Where the directory was found last.
    home: Home,
    /// Whether the way was found to lead elsewhere when it was last asked for names.
    has_turned: bool,
}

impl Address {
    /// The address of a directory that was seen at `home`.
    pub(super) fn new(path: Arc<Path>, home: Home) -> Address {
        Address {
            path,
            way: Way::default(),
            home,
            has_turned: false,
        }
    }

    pub(super) fn path(&self) -> &Arc<Path> {
        &self.path
    }

    /// The path at the end of the way.
    pub(super) fn end(&self) -> &Path {
        self.way.end(&self.path)
    }

    /// Looks at the directory, and asks for the names on the way to it before.
    pub(super) fn look<F: Files, S: Stage, C: Clock>(
        &mut self,
        shared: &mut Shared<F, S, C>,
    ) -> io::Result<Snapshot> {
        shared.begin_look();
        if shared.rules.place.is_remote() || self.way.has_links() {
            shared.ask_on(&mut self.way, &self.path, true, &mut self.has_turned)?;
        }
        let look = shared.files.look(&self.path);
        if look.as_ref().is_err_and(is_absent) {
            shared.expect_a_link(&mut self.way, &self.path);
        }
        look
    }

    /// Whether the way leads elsewhere than before, as a look has found since this was last asked.
    pub(super) fn has_turned(&mut self) -> bool {
        mem::take(&mut self.has_turned)
    }

    /// Forgets the way, because the directory is on another device than before. The directory may have been the root of its
    /// mount, above which nobody was asked.
    pub(super) fn forget_the_way(&mut self) {
        self.way.forget();
    }

    /// Whether the directory is on another device by now than a look said.
    pub(super) fn is_moving<F: Files, S: Stage, C: Clock>(
        &self,
        seen: Snapshot,
        shared: &Shared<F, S, C>,
    ) -> bool {
        let again = shared.files.look(&self.path);
        again.is_ok_and(|again| again.device != seen.device)
    }

    /// Whether the directory that was seen on a device has left since: there is nothing now, or what is there is on
    /// another one.
    pub(super) fn has_left<F: Files, S: Stage, C: Clock>(
        &self,
        device: u64,
        shared: &Shared<F, S, C>,
    ) -> bool {
        match shared.files.look(&self.path) {
            Ok(again) => again.device != device,
            Err(error) => is_absent(&error),
        }
    }

    /// Whether the directory has gone since it was looked at.
    pub(super) fn has_gone<F: Files, S: Stage, C: Clock>(&self, shared: &Shared<F, S, C>) -> bool {
        let again = shared.files.look(&self.path);
        again.is_err_and(|error| is_absent(&error))
    }

    /// Takes note of where the directory would be, which is not there.
    pub(super) fn notice_absence<F: Files, S: Stage, C: Clock>(
        &mut self,
        now: Instant,
        shared: &mut Shared<F, S, C>,
    ) {
        shared.notice_absence(now, &self.path, &mut self.way);
    }

    /// Takes down that the directory is on this device. If the way cannot be followed, nobody knows where that is, and the
    /// next look will see why.
    pub(super) fn take_home<F: Files, S: Stage, C: Clock>(
        &mut self,
        device: u64,
        shared: &Shared<F, S, C>,
    ) {
        let is_learned = self.way.is_learned_for(&shared.rules.place);
        if !is_learned && shared.learn(&mut self.way, &self.path, true).is_err() {
            return;
        }
        if !self.home.is_at_the_end_of(&self.way, device) {
            self.home = Home::at_the_end_of(&self.way, device);
        }
    }

    /// Whether what has this home was on the filesystem that the directory was on last.
    pub(super) fn is_at_home_with(&self, other: &Home) -> bool {
        self.home.is_on_that_of(other)
    }

    /// Whether the directory, which is not found now, was on a filesystem that is gone.
    pub(super) fn is_lost<F: Files, S: Stage, C: Clock>(
        &self,
        shared: &Shared<F, S, C>,
    ) -> io::Result<bool> {
        self.home.is_lost(&self.path, &shared.files)
    }
}
