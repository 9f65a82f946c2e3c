//! A library that promises hooks, of a type that has none.

replug::interface! {
    /// Does arithmetic.
    interface Arithmetic, plugin trait Compute, version 1 {
        /// The sum.
        fn add(one: u64, other: u64) -> u64;
    }
}

struct Plugin;

impl Compute for Plugin {
    fn add(one: u64, other: u64) -> u64 {
        one + other
    }
}

replug::export!(Plugin: Arithmetic + Hooks);

fn main() {}
