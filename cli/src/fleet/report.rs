//! `Report`: what a mirror says of its host, as one small object in the storage. Pure.
//!
//! Reports are not signed: whoever can write one can hold a rollout up, or vouch for a host that is his. No mirror reads them.

use replug::Digest;
use serde::{Deserialize, Serialize};

use super::manifest::{hex, maybe_hex};

/// The most bytes of a report.
pub(crate) const MOST: u64 = 16 * 1024;

/// The most characters of a reason in it: a host's own can be long.
const LONGEST_WHY: usize = 2000;

/// What a mirror says of its host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) fleet: String,
    pub(crate) host: String,
    /// The number of the manifest that it follows.
    pub(crate) sequence: u64,
    /// The build that the manifest has for this host.
    #[serde(with = "maybe_hex")]
    pub(crate) wanted: Option<Digest>,
    /// The build that is in the directory.
    #[serde(with = "maybe_hex")]
    pub(crate) published: Option<Digest>,
    pub(crate) health: Health,
    /// The build that is live at the host, as far as it says.
    pub(crate) live: Option<LiveBuild>,
    /// For how long the wanted build has been live without a break, in whole seconds of the mirror's own clock. The report was
    /// true when it was written, so this is never too much.
    pub(crate) live_s: u64,
    /// Why it is not well.
    pub(crate) why: Option<String>,
}

/// The build that is live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LiveBuild {
    #[serde(with = "hex")]
    pub(crate) sha256: Digest,
    pub(crate) generation: u64,
}

/// What the host has made of the wanted build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Health {
    /// Nobody tells the mirror.
    Unknown,
    /// It is not live yet.
    Waiting,
    Live,
    /// The host has kept it out.
    Kept,
    /// The host ended without a word while it was live, or a check of the host says that it is not well.
    Died,
    /// It was live, and the host went to another build by itself.
    Left,
    /// The mirror has not published it: it is no library that could be loaded.
    Refused,
    /// The mirror could not get it.
    Trouble,
}

impl Health {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Health::Unknown => "unknown",
            Health::Waiting => "waiting",
            Health::Live => "live",
            Health::Kept => "kept",
            Health::Died => "died",
            Health::Left => "left",
            Health::Refused => "refused",
            Health::Trouble => "trouble",
        }
    }

    /// Whether it speaks against the build.
    pub(crate) fn is_bad(self) -> bool {
        matches!(
            self,
            Health::Kept | Health::Died | Health::Left | Health::Refused
        )
    }
}

impl Report {
    pub(crate) fn text(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers are JSON") + "\n"
    }

    /// Reads a report; `None` for what is none.
    pub(crate) fn parse(text: &[u8]) -> Option<Report> {
        serde_json::from_slice(text).ok()
    }

    /// Whether another report says nothing new: time alone is no news.
    pub(crate) fn is_like(&self, other: &Report) -> bool {
        let timeless = |report: &Report| Report {
            live_s: 0,
            ..report.clone()
        };
        timeless(self) == timeless(other)
    }
}

/// A reason, as long as a report has room for.
pub(crate) fn why(text: &str) -> String {
    text.chars().take(LONGEST_WHY).collect()
}
