//! The way from one generation to the next: the hooks before the swap, in their order.

use replug_plugin::CallError;

use super::build::Build;
use crate::boundary::BoundHooks;
use crate::error::Hook;

/// Runs the hooks on the way to a new generation, in their order. Whatever fails, the old generation is as it was.
pub(super) fn prepare(
    build: &Build,
    new: Option<&BoundHooks>,
    old: Option<&BoundHooks>,
) -> Result<(), (Hook, CallError)> {
    if let Some(new) = new {
        new.init().map_err(|error| (Hook::Init, error))?;
    }
    let restored = carry_over(new, old);
    if let (Some(new), Err(_)) = (new, &restored)
        && let Err(error) = new.stop()
    {
        tracing::warn!(
            artifact = %build.artifact(),
            digest = %build.digest,
            %error,
            "what was initialised in vain did not stop"
        );
    }
    restored
}

fn carry_over(new: Option<&BoundHooks>, old: Option<&BoundHooks>) -> Result<(), (Hook, CallError)> {
    let saved = old.map_or(Ok(None), BoundHooks::save);
    let Some(state) = saved.map_err(|error| (Hook::Save, error))? else {
        return Ok(());
    };
    let restored = match new {
        Some(new) => new.restore(&state),
        None => Err(CallError::Refused("it has no hooks".to_owned())),
    };
    restored.map_err(|error| (Hook::Restore, error))
}
