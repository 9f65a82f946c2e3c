//! The same library, made for replug.

use bench_plugins::{Behave, Bench};

/// The plugin.
struct Declared;

impl Behave for Declared {
    fn version() -> u64 {
        bench_plugins::version()
    }

    fn sum(one: u64, other: u64) -> u64 {
        bench_plugins::sum(one, other)
    }

    fn touch(number: u64) {
        bench_plugins::touch(number);
    }
}

replug_plugin::export!(Declared: Bench);
