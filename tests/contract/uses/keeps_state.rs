//! A plugin that keeps a state in a form of its own, with hooks and an allocator of its own, in a crate that forbids `unsafe` and
//! warnings.

#![forbid(unsafe_code)]
#![deny(warnings)]

use std::sync::atomic::{AtomicBool, Ordering};

#[global_allocator]
static OWN: std::alloc::System = std::alloc::System;

static IS_BEGUN: AtomicBool = AtomicBool::new(false);

replug::interface! {
    /// Does something.
    pub interface Something, plugin trait Do, version 1 {
        /// A number.
        fn number() -> u32;
    }
}

struct Mine;

impl Do for Mine {
    fn number() -> u32 {
        let mut number = Mine::state();
        *number += 1;
        *number
    }
}

impl replug::Hooks for Mine {
    fn init() -> Result<(), replug::HookError> {
        IS_BEGUN.store(true, Ordering::Relaxed);
        Ok(())
    }
}

mod form {
    pub mod decimal {
        pub fn to_vec(state: &u32) -> Result<Vec<u8>, String> {
            Ok(state.to_string().into_bytes())
        }

        pub fn from_slice(bytes: &[u8]) -> Result<u32, String> {
            let text = str::from_utf8(bytes).map_err(|error| error.to_string())?;
            text.parse().map_err(|_| format!("`{text}` is no number"))
        }
    }
}

fn older(_version: u32, bytes: &[u8]) -> Result<u32, &'static str> {
    bytes.try_into().map(u32::from_le_bytes).map_err(|_| "these are not four bytes")
}

replug::export!(Mine: Something + Hooks, state: u32 as form::decimal, version 2, migrate older, own_allocator);

fn main() {
    assert_eq!(Mine::number(), 1);
    assert_eq!(Mine::number(), 2);
}
