//! The plugin that counts its calls, with a new field that has no default.

use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
struct Book {
    calls: u64,
    added: u64,
}

fixtures::fixture!(|_| This::state().calls + This::state().added, state: Book as serde_json);
