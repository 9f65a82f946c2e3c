//! A plugin that its developer edits: for replug, for whoever loads by the C ABI, and for hot-lib-reloader.

mod used;

use bench_plugins::{Behave, Bench};

/// What an edit changes.
const NUMBER: u64 = 1;

struct Plugin;

impl Behave for Plugin {
    fn version() -> u64 {
        NUMBER
    }

    fn sum(one: u64, other: u64) -> u64 {
        bench_plugins::sum(one, other)
    }

    fn touch(number: u64) {
        used::touch(number);
    }
}

replug_plugin::export!(Plugin: Bench);

#[unsafe(no_mangle)]
pub extern "C" fn version() -> u64 {
    NUMBER
}

#[unsafe(no_mangle)]
pub extern "C" fn sum(one: u64, other: u64) -> u64 {
    bench_plugins::sum(one, other)
}

#[unsafe(no_mangle)]
pub extern "C" fn touch(number: u64) {
    used::touch(number);
}

#[unsafe(no_mangle)]
pub fn hot_version() -> u64 {
    NUMBER
}

#[unsafe(no_mangle)]
pub fn hot_sum(one: u64, other: u64) -> u64 {
    bench_plugins::sum(one, other)
}

#[unsafe(no_mangle)]
pub fn hot_touch(number: u64) {
    used::touch(number);
}
