//! A plugin whose `init` says no.

use replug_plugin::{HookError, Hooks};

fixtures::fixture!(|number| number, Hooks);

impl Hooks for This {
    fn init() -> Result<(), HookError> {
        Err("no licence".into())
    }

    fn stop() -> Result<(), HookError> {
        fixtures::diary::note("stop, without having begun");
        Ok(())
    }
}
