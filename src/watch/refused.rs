//! What a person's checks did not let run, until they do.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::look::digest::Digest;

/// How long after a refusal the checks are asked again, at the next poll: a person who has just allowed a build waits for it.
const ASK_AGAIN: Duration = Duration::from_secs(2);

/// Bytes that were refused: of the artifact, or of a library that it brings along.
#[derive(Debug)]
pub(super) struct Refused {
    path: PathBuf,
    digest: Digest,
    ask_at: Instant,
}

impl Refused {
    pub(super) fn new(path: &Path, digest: Digest, now: Instant) -> Refused {
        Refused {
            path: path.to_owned(),
            digest,
            ask_at: now + ASK_AGAIN,
        }
    }

    /// Whether the checks let them run now, by the answer of `ask`. They are not asked at each poll.
    pub(super) fn is_admitted_now(
        &mut self,
        now: Instant,
        ask: impl FnOnce(&Path, Digest) -> bool,
    ) -> bool {
        if now < self.ask_at {
            return false;
        }
        self.ask_at = now + ASK_AGAIN;
        ask(&self.path, self.digest)
    }
}
