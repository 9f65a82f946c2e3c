//! A plugin that counts its calls in a state that `export!` keeps.

use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
struct Book {
    calls: u64,
}

fixtures::fixture!(
    |_| {
        let mut book = This::state();
        book.calls += 1;
        book.calls
    },
    state: Book as serde_json
);
