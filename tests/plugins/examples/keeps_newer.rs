//! The plugin that counts its calls, with a state of another version, to which it leads over. When it is asked for 0, it asks
//! for its state twice.

use replug_plugin::HookError;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Book {
    calls: Vec<u64>,
}

impl Default for Book {
    fn default() -> Book {
        Book { calls: vec![0] }
    }
}

fn older(version: u32, bytes: &[u8]) -> Result<Book, HookError> {
    #[derive(Deserialize)]
    struct First {
        calls: u64,
    }
    if version != 1 {
        return Err(format!("nobody knows version {version}").into());
    }
    let First { calls } = serde_json::from_slice(bytes)?;
    Ok(Book { calls: vec![calls] })
}

fixtures::fixture!(
    |number| {
        let mut book = This::state();
        if number == 0 {
            drop(This::state());
        }
        book.calls.push(number);
        book.calls.iter().sum()
    },
    state: Book as serde_json, version 2, migrate older
);
