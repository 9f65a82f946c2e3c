//! A plugin whose `stop` panics.

use replug_plugin::{HookError, Hooks};

fixtures::fixture!(|number| number, Hooks);

impl Hooks for This {
    fn stop() -> Result<(), HookError> {
        panic!("stop went wrong")
    }
}
