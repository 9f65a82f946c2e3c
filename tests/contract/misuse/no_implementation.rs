//! A library of a type that does not implement the interface.

replug::interface! {
    /// Does arithmetic.
    interface Arithmetic, plugin trait Compute, version 1 {
        /// The sum.
        fn add(one: u64, other: u64) -> u64;
    }
}

struct Plugin;

replug::export!(Plugin: Arithmetic);

fn main() {}
