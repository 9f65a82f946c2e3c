//! `Refused`: why a manifest is not followed. Pure.

use replug::shown::shown;

use super::manifest::MOST;

/// Why a manifest is not followed. What was there before goes on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("it has more than {MOST} bytes")]
    TooLarge,
    #[error("it has no signature behind it")]
    Unsigned,
    #[error("its signature was made with another key than those that are required")]
    AnothersKey,
    #[error("its signature is not one of these bytes")]
    Changed,
    #[error("it is no manifest that this program can read: {}", shown(.0))]
    NoManifest(String),
    #[error(
        "it is for the fleet `{}`, and this directory belongs to `{}`",
        shown(theirs),
        shown(ours)
    )]
    Foreign { theirs: String, ours: String },
    #[error(
        "it is older than what was seen: its sequence number is {sequence}, and {seen} was there before"
    )]
    Older { sequence: u64, seen: u64 },
    #[error("there was another one with its sequence number, {0}")]
    Twice(u64),
}

impl Refused {
    /// The reason in one word, for programs.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Refused::TooLarge => "too-large",
            Refused::Unsigned => "unsigned",
            Refused::AnothersKey => "anothers-key",
            Refused::Changed => "changed",
            Refused::NoManifest(_) => "no-manifest",
            Refused::Foreign { .. } => "foreign",
            Refused::Older { .. } => "older",
            Refused::Twice(_) => "twice",
        }
    }
}
