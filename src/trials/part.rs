//! Part in trials: which hosts of this program can be asked to try a build, and whether this process was started for that.

use std::collections::HashSet;
use std::env;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use super::Trial;
use crate::boundary;

/// The variable by which a process is told that it is a helper, and of which kind its plugin is.
pub(super) const VARIABLE: &str = "REPLUG_TRIAL";

/// The kinds of hosts for which this program has asked whether it is a helper.
static KINDS: LazyLock<Mutex<HashSet<&'static str>>> = LazyLock::new(Mutex::default);

fn kinds() -> MutexGuard<'static, HashSet<&'static str>> {
    KINDS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Why builds cannot be tried.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoTrial {
    /// The program never asked whether it is a helper, so it would start itself as a second host.
    #[error(
        "the helper is this program, started once more, and it would be a second host: let `main` begin with \
         `replug::trial::run_if_asked` for a host of `{0}`"
    )]
    NoPart(&'static str),
    /// This process is a helper, and comes to watch something itself.
    #[error(
        "this process was started to try a build, and is not to watch any: let `main` begin with \
         `replug::trial::run_if_asked` for a host of `{0}`"
    )]
    IsHelper(String),
    /// The process has more rights than the user who started it.
    #[error(
        "this process has more rights than the user who started it, who could then ask it to load anything; start it with \
         that user's rights, or without trials"
    )]
    MoreRights,
}

/// The kind of host that this process was asked to be, by whoever started it as a helper. Who has more rights than the user who
/// started him takes no orders from that user's environment.
pub(crate) fn asked() -> Option<String> {
    let kind = env::var(VARIABLE).ok()?;
    (!boundary::has_more_rights()).then_some(kind)
}

/// Takes down that this program asks, before it does anything else, whether it is a helper with this kind of host.
pub(crate) fn takes_part(kind: &'static str) {
    kinds().insert(kind);
}

/// Whether this process can watch, and try builds if that is wanted.
pub(crate) fn check(trial: Option<&Trial>) -> Result<(), NoTrial> {
    match (asked(), trial) {
        (Some(kind), _) => Err(NoTrial::IsHelper(kind)),
        (None, None) => Ok(()),
        (None, Some(_)) if boundary::has_more_rights() => Err(NoTrial::MoreRights),
        (None, Some(trial)) if !kinds().contains(trial.kind) => Err(NoTrial::NoPart(trial.kind)),
        (None, Some(_)) => Ok(()),
    }
}
