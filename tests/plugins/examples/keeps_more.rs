//! The plugin that counts its calls, with a new field that has a default, and hooks of its own.

use fixtures::diary::note;
use replug_plugin::{HookError, Hooks};
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
struct Book {
    calls: u64,
    #[serde(default)]
    added: u64,
}

fixtures::fixture!(
    |added| {
        let mut book = This::state();
        book.calls += 1;
        book.added += added;
        book.calls * 100 + book.added
    },
    Hooks,
    state: Book as serde_json
);

impl Hooks for This {
    fn init() -> Result<(), HookError> {
        note("init");
        Ok(())
    }

    fn stop() -> Result<(), HookError> {
        note("stop");
        Ok(())
    }
}
