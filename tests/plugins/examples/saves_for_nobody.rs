//! A plugin that saves a state, and forgot to say that it has one.

use replug_plugin::{HookError, Hooks};

fixtures::fixture!(|number| number, Hooks);

impl Hooks for This {
    fn init() -> Result<(), HookError> {
        fixtures::diary::note("init, of a plugin that is kept out");
        Ok(())
    }

    fn save(state: &mut Vec<u8>) -> Result<(), HookError> {
        state.push(1);
        Ok(())
    }
}
