//! A plugin whose `save` panics.

use replug_plugin::{HookError, Hooks};

fixtures::fixture!(|number| number, Hooks);

impl Hooks for This {
    const STATE: Option<u32> = Some(1);

    fn save(_: &mut Vec<u8>) -> Result<(), HookError> {
        panic!("save went wrong")
    }
}
