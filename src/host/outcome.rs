//! Outcomes: what became of an update. The second half has outcomes to tell, as the first half has [`News`].

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use replug_plugin::CallError;

use crate::boundary::Mapped;
use crate::decide::change::Waiting;
use crate::error::{Error, chain};
use crate::look::digest::Digest;
use crate::look::place::Place;
use crate::warning::Warning;
use crate::watch::pulse::Stall;
use crate::watch::update::{News, Ready};

/// What became of an update: its news after the host acted on it. An artifact that was ready is now loaded, or kept
/// out.
///
/// Its `Display` is one line in the words of the program `replug`, with all causes, and without the name of the
/// plugin.
#[derive(Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// A new generation is live.
    Loaded(Loaded),
    /// An artifact was kept out; the generation that was live still is.
    Kept(Kept),
    /// The artifact is not there yet, or not ready.
    Waiting(Waiting),
    /// A helper process tries the build of this digest before it is handed over; `Loaded` or `Kept` says what came of that, unless a
    /// newer build comes before.
    Trying(Digest),
    /// The artifact need not be waited for any longer: it holds the bytes that were decided about before.
    Unchanged(Digest),
    /// The artifact is gone.
    Missing,
    /// The artifact is back. An owner who takes news seldom need not have heard that it was gone.
    Returned,
    /// The artifact cannot be looked at or read for now.
    Degraded(Error),
    /// The worker has waited for the filesystem for this long, and cannot say so itself. The live generation stays.
    Stalled(Duration),
    /// The artifact can be looked at and read again.
    Recovered,
    /// The watched path is on another filesystem than was said before, and is looked at as is right there.
    Placed(Place),
    /// Something about the artifact that a person should know. Nothing has failed.
    Warned(Warning),
    /// A generation that was retired before, and could not be stopped or unmapped then, has been stopped or unmapped.
    Retired(Retired),
}

impl Outcome {
    /// The reason of a change of health, or why an artifact is kept out, for a person: what is wrong and what to do, or
    /// that all is well again. `None` for other outcomes.
    pub fn reason(&self) -> Option<String> {
        match self {
            Outcome::Degraded(error) => Some(why(error)),
            Outcome::Kept(kept) => Some(kept.reason()),
            Outcome::Stalled(since) => Some(hangs(*since)),
            Outcome::Recovered => Some(RECOVERED.to_owned()),
            _ => None,
        }
    }
}

const RECOVERED: &str = "it can be looked at and read again";

fn why(error: &Error) -> String {
    let advice = error.advice().map(|advice| format!("; {advice}"));
    chain(error) + &advice.unwrap_or_default()
}

fn hangs(since: Duration) -> String {
    format!(
        "the filesystem has not answered for {} s; what was loaded goes on, and nothing is reloaded until it answers; if \
         it stays so, start its server or daemon",
        since.as_secs()
    )
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Loaded(loaded) => loaded.fmt(f),
            Outcome::Kept(kept) => kept.fmt(f),
            Outcome::Waiting(reason) => write!(f, "waiting: {reason}"),
            Outcome::Trying(digest) => {
                write!(f, "{} is tried in a helper process", digest.short())
            }
            Outcome::Unchanged(digest) => {
                write!(
                    f,
                    "unchanged: the bytes are those of before ({})",
                    digest.short()
                )
            }
            Outcome::Missing => f.write_str("the library is gone; what was loaded stays"),
            Outcome::Returned => f.write_str("the library is back"),
            Outcome::Degraded(error) => write!(f, "degraded, {}", why(error)),
            Outcome::Stalled(since) => write!(f, "stalled, {}", hangs(*since)),
            Outcome::Recovered => write!(f, "recovered, {RECOVERED}"),
            Outcome::Placed(place) => write!(f, "on another filesystem now: {place}"),
            Outcome::Warned(warning) => write!(f, "warning, {warning}"),
            Outcome::Retired(retired) => retired.fmt(f),
        }
    }
}

/// The next step of a host that has taken news.
pub(super) enum Next {
    /// To load a library that is ready.
    Load(Ready),
    /// To tell the outcome.
    Tell(Outcome),
}

impl Next {
    /// The step after news of an artifact, while the generation `live` runs.
    pub(super) fn after(news: News, live: Option<u64>) -> Next {
        Next::Tell(match news {
            News::Ready(ready) => return Next::Load(ready),
            News::Kept { digest, error } => Outcome::Kept(Kept {
                live,
                digest,
                error,
            }),
            News::Waiting(reason) => Outcome::Waiting(reason),
            News::Trying { digest } => Outcome::Trying(digest),
            News::Unchanged { digest } => Outcome::Unchanged(digest),
            News::Missing => Outcome::Missing,
            News::Returned => Outcome::Returned,
            News::Degraded(error) => Outcome::Degraded(error),
            News::Recovered => Outcome::Recovered,
            News::Placed(place) => Outcome::Placed(place),
            News::Warned(warning) => Outcome::Warned(warning),
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

/// An artifact that was kept out, and why.
#[derive(Debug)]
pub struct Kept {
    /// The generation that goes on; `None` if none is live yet.
    pub live: Option<u64>,
    /// The digest of the artifact, if it could be read.
    pub digest: Option<Digest>,
    /// The step that failed, and the cause.
    pub error: Error,
}

impl Kept {
    /// The reason why the artifact is kept out, for a person, with all causes and what to do.
    pub fn reason(&self) -> String {
        why(&self.error)
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.live {
            Some(live) => write!(f, "kept generation {live}, not")?,
            None => f.write_str("kept out")?,
        }
        if let Some(digest) = self.digest {
            write!(f, " {}", digest.short())?;
        }
        if self.live.is_none() {
            f.write_str(", nothing is loaded yet")?;
        }
        write!(f, ": {}", self.reason())
    }
}

/// A new generation, and how it came to be live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// The generation's number; the first is 1.
    pub generation: u64,
    /// The digest of the generation's bytes.
    pub digest: Digest,
    /// The private copy that was loaded.
    pub staged: PathBuf,
    /// The time from the first sight of the change to the swap.
    pub latency: Duration,
    /// How long the owner thread was held.
    pub pause: Duration,
    /// The generation that this one took the place of.
    pub retired: Option<Retired>,
}

impl fmt::Display for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Loaded {
            generation,
            digest,
            latency,
            ..
        } = self;
        write!(
            f,
            "generation {generation} ({}) is live, {} ms after the change was seen",
            digest.short(),
            latency.as_millis()
        )
    }
}

/// A generation that was taken out of use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retired {
    /// The generation's number.
    pub generation: u64,
    /// Why the image is still mapped; `None` if it is not.
    pub mapped: Option<Mapped>,
    /// The error of the generation's `stop`, if that failed.
    pub stop: Option<CallError>,
}

impl fmt::Display for Retired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "generation {} is retired, ", self.generation)?;
        match &self.mapped {
            Some(mapped) => mapped.fmt(f)?,
            None => f.write_str("and unmapped: nothing can reach it any more")?,
        }
        match &self.stop {
            Some(error) => write!(f, "; it did not stop: {error}"),
            None => Ok(()),
        }
    }
}

/// A generation did not become live in time. `Debug` is a line for people, as of [`Error`], for tests that unwrap.
#[derive(thiserror::Error)]
#[error("generation {number} did not become live in time; {}", Instead(*live))]
pub struct NotLive {
    pub(crate) number: u64,
    pub(crate) live: Option<u64>,
    /// The reason why a build was kept out last.
    #[source]
    pub(crate) kept: Option<Error>,
}

impl fmt::Debug for NotLive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&chain(self))
    }
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
