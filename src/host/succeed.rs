//! The way from one generation to the next: the hooks before the swap, in their order, and what the host does itself.

use replug_plugin::{CallError, HookError};

use super::build::Build;
use crate::boundary::{BoundHooks, State};
use crate::error::Hook;

/// The two generations of a handover: both can be called, and nobody else calls the new one yet.
#[derive(Debug)]
#[non_exhaustive]
pub struct Handover<'a, T> {
    /// The functions of the generation that is about to be live. It is initialised, and has restored its state.
    pub new: &'a T,
    /// The functions of the live generation, which goes on if the handover fails; `None` before the first one.
    pub old: Option<&'a T>,
}

/// What a host does in a handover.
pub(super) type HandOver<'f, T> = &'f mut dyn FnMut(Handover<'_, T>) -> Result<(), HookError>;

/// Runs the hooks on the way to a new generation, in their order, and returns the state that it took over. Whatever fails, the
/// old generation is as it was.
pub(super) fn prepare(
    build: &Build,
    new: Option<&BoundHooks>,
    old: Option<&BoundHooks>,
) -> Result<Option<State>, (Hook, CallError)> {
    if let Some(new) = new {
        new.init().map_err(|error| (Hook::Init, error))?;
    }
    let restored = carry_over(new, old);
    if restored.is_err() {
        stop_in_vain(build, new);
    }
    restored
}

/// Stops what was initialised and does not go live.
pub(super) fn stop_in_vain(build: &Build, new: Option<&BoundHooks>) {
    if let Some(Err(error)) = new.map(BoundHooks::stop) {
        tracing::warn!(
            artifact = %build.artifact(),
            digest = %build.digest,
            %error,
            "what was initialised in vain did not stop"
        );
    }
}

fn carry_over(
    new: Option<&BoundHooks>,
    old: Option<&BoundHooks>,
) -> Result<Option<State>, (Hook, CallError)> {
    let saved = old.map_or(Ok(None), BoundHooks::save);
    let Some(state) = saved.map_err(|error| (Hook::Save, error))? else {
        return Ok(None);
    };
    restore(new, &state).map_err(|error| (Hook::Restore, error))?;
    Ok(Some(state))
}

/// Lets a build take over a state.
pub(super) fn restore(new: Option<&BoundHooks>, state: &State) -> Result<(), CallError> {
    match new {
        Some(new) => new.restore(state),
        None => Err(CallError::Refused("it has no hooks".to_owned())),
    }
}
