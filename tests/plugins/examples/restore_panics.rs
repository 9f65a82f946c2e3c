//! A plugin whose `restore` panics.

use replug_plugin::{HookError, Hooks};

fixtures::fixture!(|number| number, Hooks);

impl Hooks for This {
    fn restore(_: u32, _: &[u8]) -> Result<(), HookError> {
        panic!("restore went wrong")
    }
}
