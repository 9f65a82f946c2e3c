//! A plugin whose `init` panics.

use replug_plugin::{HookError, Hooks};

fixtures::fixture!(|number| number, Hooks);

impl Hooks for This {
    fn init() -> Result<(), HookError> {
        panic!("init went wrong")
    }
}
