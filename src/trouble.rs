//! What went wrong and has not ended: enough of a failure to say it once, and to notice its end.

use std::io::{self, ErrorKind};

use crate::snapshot::Kind;

/// A failure that has been said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) at: Reached,
    pub(crate) cause: Cause,
}

impl Trouble {
    /// Whether the artifact itself cannot be reached or read, as opposed to being of no use.
    pub(crate) fn is_degradation(&self) -> bool {
        matches!(self.at, Reached::Look | Reached::Read)
    }
}

/// How far an artifact came before it failed. Coming further ends the trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reached {
    Look,
    Kind,
    Read,
    Stage,
}

/// What makes two failures the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    System(ErrorKind, Option<i32>),
    Kind(Kind),
}

impl From<&io::Error> for Cause {
    fn from(error: &io::Error) -> Cause {
        Cause::System(error.kind(), error.raw_os_error())
    }
}

/// Whether a path leads nowhere, as opposed to one that cannot be followed.
pub(crate) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}
