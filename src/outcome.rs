//! What became of an update: what the second half has to say, as [`News`] is what the first half has.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use replug_plugin::CallError;

use crate::boundary::{Mapped};
use crate::change::Waiting;
use crate::digest::Digest;
use crate::error::Error;
use crate::pulse::Stall;
use crate::update::{Kept, News, Ready};

/// What became of an update: its news after the host acted on it. What was ready is now loaded, or kept out.
#[derive(Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// A new generation is live.
    Loaded(Loaded),
    /// An artifact was kept out; what was live still is.
    Kept(Kept),
    /// The artifact is not there yet, or not ready.
    Waiting(Waiting),
    /// The artifact is gone.
    Missing,
    /// The artifact is back.
    Returned,
    /// The artifact cannot be looked at or read for now.
    Degraded(Error),
    /// The worker has waited for the filesystem for this long, and cannot say so itself. The live generation stays.
    Stalled(Duration),
    /// The artifact can be looked at and read again.
    Recovered,
    /// A generation that was retired before, while something had still to do with it, has been stopped or unmapped.
    Retired(Retired),
}

impl Outcome {
    /// What there is to say of news without acting on them; or what is ready, which somebody must act on.
    pub(crate) fn of(news: News) -> Result<Outcome, Ready> {
        Ok(match news {
            News::Ready(ready) => return Err(ready),
            News::Kept(kept) => Outcome::Kept(kept),
            News::Waiting(reason) => Outcome::Waiting(reason),
            News::Missing => Outcome::Missing,
            News::Returned => Outcome::Returned,
            News::Degraded(error) => Outcome::Degraded(error),
            News::Recovered => Outcome::Recovered,
        })
    }
}

impl From<Stall> for Outcome {
    fn from(stall: Stall) -> Outcome {
        match stall {
            Stall::Begun(since) => Outcome::Stalled(since),
            Stall::Over => Outcome::Recovered,
        }
    }
}

/// A new generation, and how it came to be live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// Its number; the first is 1.
    pub generation: u64,
    /// The digest of its bytes.
    pub digest: Digest,
    /// The private copy that was loaded.
    pub staged: PathBuf,
    /// From the first sight of the change to the swap.
    pub latency: Duration,
    /// How long the owner thread was held.
    pub pause: Duration,
    /// What it took the place of.
    pub retired: Option<Retired>,
}

/// A generation that was taken out of use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retired {
    /// Its number.
    pub generation: u64,
    /// Why its image is still mapped; `None` if it is not.
    pub mapped: Option<Mapped>,
    /// What its `stop` said, if it failed.
    pub stop: Option<CallError>,
}

/// A generation did not become live in time.
#[derive(Debug, thiserror::Error)]
#[error("generation {number} did not become live in time; {}", Instead(*live))]
pub struct NotLive {
    pub(crate) number: u64,
    pub(crate) live: Option<u64>,
    /// What was kept out last.
    #[source]
    pub(crate) kept: Option<Error>,
}

struct Instead(Option<u64>);

impl fmt::Display for Instead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(live) => write!(f, "generation {live} is"),
            None => f.write_str("none is"),
        }
    }
}
