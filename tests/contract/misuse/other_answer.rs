//! A plugin that returns another type than was declared.

replug::interface! {
    /// Does arithmetic.
    interface Arithmetic, plugin trait Compute, version 1 {
        /// The sum.
        fn add(one: u64, other: u64) -> u64;
    }
}

struct Plugin;

impl Compute for Plugin {
    fn add(one: u64, other: u64) -> u128 {
        u128::from(one + other)
    }
}

fn main() {}
