//! One artifact, between two polls: its path and its state. Its [`Tracker`] decides when to read the file, and whether
//! to believe the reading.

use std::io;
use std::mem;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::beside::Beside;
use super::refused::Refused;
use super::shared::Shared;
#[cfg(feature = "trial")]
use super::underway::Verdict;
use crate::decide::change::{Tracker, Waiting};
use crate::decide::trouble::{Reached, Trouble};
use crate::look::clock::Clock;
use crate::look::files::{Files, Names, is_absent};
use crate::look::home::Home;
use crate::look::place;
use crate::look::snapshot::{Kind, Snapshot};
use crate::look::way::Way;
use crate::stage::copies::Stage;
use crate::warning::Warning;

/// One watched file, between two polls.
#[derive(Debug)]
pub(super) struct Artifact {
    pub(super) path: Arc<Path>,
    /// Whether the artifact was found in a listing, as opposed to named by the user. Names in a directory come and
    /// go.
    pub(super) listed: bool,
    pub(super) tracker: Tracker,
    /// The reason for waiting that was reported last, and the failure that has not ended.
    pub(super) waiting: Option<Waiting>,
    pub(super) trouble: Option<Box<Trouble>>,
    /// Whether a wait was said, and not yet what came of it.
    pub(super) owes_a_word: bool,
    /// The warnings that hold and were said.
    pub(super) warned: Vec<Warning>,
    /// The libraries that it brings along.
    pub(super) beside: Beside,
    /// What a person's check did not let run.
    pub(super) refused: Option<Refused>,
    /// The bytes that were tried last, and what became of them.
    #[cfg(feature = "trial")]
    pub(super) tried: Option<Box<Verdict>>,
    pub(super) way: Way,
    /// Where a file was found last.
    pub(super) home: Option<Home>,
    /// Whether the watched directory, which listed the artifact once, did not name it when it was last listed.
    pub(super) is_struck: bool,
    /// Whether the way was found to lead elsewhere when it was last asked for names.
    has_turned: bool,
    /// Whether the last look found a regular file.
    was_file: bool,
}

impl Artifact {
    /// An artifact that the user named: its absence is worth reporting.
    pub(super) fn named(path: Arc<Path>) -> Artifact {
        Artifact {
            path,
            listed: false,
            tracker: Tracker::new(),
            waiting: None,
            trouble: None,
            owes_a_word: false,
            warned: Vec::new(),
            beside: Beside::default(),
            refused: None,
            #[cfg(feature = "trial")]
            tried: None,
            way: Way::default(),
            home: None,
            is_struck: false,
            has_turned: false,
            was_file: false,
        }
    }

    /// An artifact that a directory listed.
    pub(super) fn listed(path: Arc<Path>) -> Artifact {
        Artifact {
            listed: true,
            ..Artifact::named(path)
        }
    }

    pub(super) fn path(&self) -> &Arc<Path> {
        &self.path
    }

    /// Whether no file is at the artifact's path, and nothing ever came of the artifact.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting == Some(Waiting::Missing) && self.trouble.is_none()
    }

    /// Whether it was reported that the artifact cannot be looked at or read.
    pub(super) fn is_degraded(&self) -> bool {
        self.trouble.as_deref().is_some_and(Trouble::has_degraded)
    }

    /// Whether the artifact is kept out for a reason beside its content, and that was said: others can change it, or it
    /// or what it brings along cannot be staged.
    pub(super) fn is_kept_out(&self) -> bool {
        let trouble = self.trouble.as_deref();
        trouble.is_some_and(Trouble::keeps_out)
    }

    /// Whether a change is being followed, or something is wrong.
    pub(super) fn is_busy(&self) -> bool {
        self.trouble.is_some() || self.tracker.is_suspect()
    }

    /// Whether nothing is due now but a look, now and then.
    pub(super) fn is_at_rest(&self, now: Instant) -> bool {
        let was_looked_at = self.waiting.is_some() || !self.tracker.is_new();
        was_looked_at && self.trouble.is_none() && self.tracker.is_at_rest(now)
    }

    /// Whether links lead to the artifact, perhaps on to another filesystem.
    pub(super) fn leads_elsewhere(&self) -> bool {
        self.way.has_links()
    }

    /// Whether a build holds a change back, as far as can be seen: what cannot be looked at asks no gate, so nobody would
    /// notice that the build hangs.
    pub(super) fn is_gated(&self) -> bool {
        self.trouble.is_none() && matches!(self.tracker.waiting(), Some(Waiting::Gated(_)))
    }

    /// Whether the gate has let a change pass that will be read next.
    pub(super) fn is_passing(&self) -> bool {
        self.tracker.is_passing()
    }

    /// Whether any content of the artifact was ever handed over or kept out.
    pub(super) fn has_decided(&self) -> bool {
        self.tracker.has_decided()
    }

    /// Whether its absence would be news: somebody has it, or was told to wait for it, and does not know that it is gone.
    pub(super) fn can_be_missed(&self) -> bool {
        let is_known = self.owes_a_word || self.tracker.has_decided();
        is_known && !self.tracker.is_missing()
    }

    /// The end of the pause before the next look, if looks have failed.
    pub(super) fn pauses_until(&self, now: Instant) -> Option<Instant> {
        let trouble = self.trouble.as_deref()?;
        let is_look = trouble.at == Reached::Look;
        trouble.pauses_until(now).filter(|_| is_look)
    }

    /// Ends all pauses: a step that has failed is tried again at the next poll.
    pub(super) fn end_pauses(&mut self, now: Instant) {
        if let Some(trouble) = &mut self.trouble {
            trouble.end_pause(now);
        }
        self.tracker.end_pause(now);
    }

    /// Looks once at the artifact, as the place demands; from the watched directory, should that be open.
    pub(super) fn look<F: Files, S: Stage, C: Clock>(
        &mut self,
        shared: &mut Shared<F, S, C>,
        directory: Option<&F::Directory>,
    ) -> io::Result<Snapshot> {
        shared.begin_look();
        if shared.rules.place.is_remote() || self.way.has_links() {
            self.ask_for_names(shared)?;
        }
        if let Some(directory) = directory {
            return shared.files.look_from(directory, &self.path);
        }
        let asks = shared.rules.place.asks();
        let look = place::look_afresh(&shared.files, &self.path, asks, self.was_file);
        if look.as_ref().is_err_and(is_absent) {
            shared.expect_a_link(&mut self.way, &self.path);
        }
        look
    }

    /// Asks for the names on the way. Those in a watched directory were asked for already, for all artifacts that are
    /// listed there.
    fn ask_for_names<F: Files, S: Stage, C: Clock>(
        &mut self,
        shared: &mut Shared<F, S, C>,
    ) -> io::Result<()> {
        let (path, asks_for_all) = (&self.path, !self.listed);
        shared.ask_on(&mut self.way, path, asks_for_all, &mut self.has_turned)?;
        match self.is_struck && shared.rules.place.asks() == Some(Names::ByListing) {
            // The client may remember the name, and go on finding what it led to.
            true => Err(io::ErrorKind::NotFound.into()),
            false => Ok(()),
        }
    }

    /// Whether a look calls for nothing: all that an idle poll asks.
    pub(super) fn is_quiet(&self, now: Instant, look: &io::Result<Snapshot>) -> bool {
        let Ok(snapshot) = look else {
            return false;
        };
        let is_at_home = self.home.as_ref().is_some_and(Home::is_current);
        self.trouble.is_none() && is_at_home && self.tracker.is_quiet(now, snapshot)
    }

    /// Whether the way to the artifact leads elsewhere than before, as was found out when the way was asked.
    pub(super) fn has_moved(&mut self) -> bool {
        mem::take(&mut self.has_turned)
    }

    /// Whether a library that the artifact brings along has changed. Equal bytes of the artifact are news then.
    pub(super) fn notice_siblings(&mut self, files: &impl Files) -> bool {
        let has_changed = self.beside.has_changed(files, self.tracker.noise());
        if has_changed {
            self.forget();
        }
        has_changed
    }

    /// Whether what was refused may run by now. Then equal bytes of the artifact are news.
    pub(super) fn notice_admission<F: Files, S: Stage, C: Clock>(
        &mut self,
        now: Instant,
        shared: &Shared<F, S, C>,
    ) -> bool {
        let artifact = &self.path;
        let ask = |path: &Path, digest| {
            let asked = shared.ask(path, digest);
            asked.is_ok_and(|admitted| {
                *path != **artifact || shared.compare(artifact, digest, &admitted).is_ok()
            })
        };
        let refused = self.refused.as_mut();
        let is_admitted = refused.is_some_and(|it| it.is_admitted_now(now, ask));
        if is_admitted {
            self.forget();
        }
        is_admitted
    }

    /// Takes down whether a look saw a regular file.
    pub(super) fn note_kind(&mut self, look: &io::Result<Snapshot>) {
        self.was_file = matches!(look, Ok(seen) if seen.kind == Kind::File);
    }

    /// Forgets the decision about the artifact: should it be published again, equal bytes are news.
    pub(super) fn forget(&mut self) {
        self.tracker.taken_back();
    }

    /// Follows the artifact as if it had changed now: equal bytes are staged again.
    pub(super) fn stage_again(&mut self, now: Instant) {
        self.tracker.taken_back();
        self.tracker.moved(now);
    }

    /// Adds this artifact to what the poll has found: whether anything is being followed, or degraded.
    pub(super) fn note<F: Files, S: Stage, C: Clock>(&self, shared: &mut Shared<F, S, C>) {
        shared.is_busy |= self.is_busy();
        shared.is_degraded |= self.is_degraded();
        shared.is_failing |= self.trouble.as_deref().is_some_and(Trouble::is_unsaid);
    }
}
