//! One library that a build makes, loaded and called as `replug run` does it, and what is known of its bytes.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use replug::watch::{News, Ready, Update};
use replug::{Digest, Outcome};

use super::said::{self, Times};
use crate::args::Serving;
use crate::output::Output;
use crate::run::{Failure, Session};

/// One library and its plugin.
pub(super) struct Plugin<'a> {
    pub(super) path: PathBuf,
    pub(super) session: Session<'a>,
    output: Output,
    built: Option<Built>,
    /// The generation that is live, with the digest of its own bytes, whatever the library brings along.
    live: Option<(u64, Digest)>,
    pub(super) times: Times,
}

/// What the last build made.
struct Built {
    digest: Digest,
    ended: Instant,
    /// Whether it was said what became of it.
    is_told: bool,
}

impl<'a> Plugin<'a> {
    /// Begins to watch a library that was just built, and says so.
    pub(super) fn watch(
        args: &'a Serving,
        output: &Output,
        path: PathBuf,
    ) -> Result<Plugin<'a>, Failure> {
        let session = Session::watch(args, output.clone(), path.clone())?;
        session.started()?;
        Ok(Plugin {
            path,
            session,
            output: output.clone(),
            built: None,
            live: None,
            times: Times::default(),
        })
    }

    /// Has the library looked at now, without waiting for the look.
    pub(super) fn look_now(&self) {
        // The answer comes as an update, if there is anything to say.
        let _ = self.session.plugins.watcher().poll_now(Duration::ZERO);
    }

    /// Takes down what cargo has built, which took so long and ended then.
    pub(super) fn built(
        &mut self,
        digest: Digest,
        took: Duration,
        ended: Instant,
    ) -> io::Result<()> {
        self.times = Times {
            built: Some(took),
            live: None,
        };
        self.built = Some(Built {
            digest,
            ended,
            is_told: false,
        });
        if self.live.is_some_and(|(_, live)| live == digest) {
            said::unchanged(&self.output, &self.path, digest)?;
            self.note_told();
        }
        Ok(())
    }

    /// Takes down what is to be live, though it was not built now.
    pub(super) fn wait_for(&mut self, digest: Digest, ended: Instant) {
        self.times = Times::default();
        let is_told = self.live.is_some_and(|(_, live)| live == digest);
        self.built = Some(Built {
            digest,
            ended,
            is_told,
        });
    }

    fn note_told(&mut self) {
        if let Some(built) = &mut self.built {
            built.is_told = true;
        }
    }

    /// Applies an update. Says whether a new generation is live.
    pub(super) fn apply(&mut self, update: Update) -> io::Result<bool> {
        let own = match &update.news {
            News::Ready(ready) if self.is_outdated(ready) => return Ok(false),
            News::Ready(ready) => Some(ready.own_digest()),
            _ => None,
        };
        let applied = self.session.plugins.apply(update);
        let loaded = match (applied.as_ref().map(|(_, outcome)| outcome), own) {
            (Some(Outcome::Loaded(loaded)), Some(own)) => Some((loaded.generation, own)),
            // It was said already, when the build ended.
            (Some(Outcome::Unchanged(digest)), _) if self.has_told(*digest) => return Ok(false),
            _ => None,
        };
        let is_new = self.session.tell(applied)?;
        if let Some((generation, own)) = loaded {
            self.live = Some((generation, own));
            self.prove(generation, own)?;
        }
        Ok(is_new)
    }

    /// Whether a build that was seen before the end of the last one is another one than that: it was in place for a moment, and
    /// is no more.
    fn is_outdated(&self, ready: &Ready) -> bool {
        let is_older = |built: &Built| ready.first_seen() < built.ended;
        self.built
            .as_ref()
            .is_some_and(|built| is_older(built) && ready.own_digest() != built.digest)
    }

    fn has_told(&self, digest: Digest) -> bool {
        let built = self.built.as_ref();
        built.is_some_and(|built| built.is_told && built.digest == digest)
    }

    /// Compares what is live with what cargo built, and says which it is.
    fn prove(&mut self, generation: u64, own: Digest) -> io::Result<()> {
        let Some(built) = self.built.as_mut() else {
            return Ok(());
        };
        if built.digest != own {
            return said::not_built(&self.output, &self.path, own);
        }
        if !std::mem::replace(&mut built.is_told, true) {
            self.times.live = Some(built.ended.elapsed());
        }
        said::live(&self.output, &self.path, generation, own, &self.times)
    }

    /// The generation that is live, and the digest of its bytes.
    pub(super) fn live(&self) -> Option<(u64, Digest)> {
        self.live
    }

    /// Whether a build is ready that is not live.
    pub(super) fn is_ready(&self) -> bool {
        let built = self.built.as_ref();
        built.is_some_and(|built| self.live.is_none_or(|(_, live)| live != built.digest))
    }
}
