//! A host that takes an answer for granted.

replug::interface! {
    /// Does arithmetic.
    interface Arithmetic, plugin trait Compute, version 1 {
        /// The sum.
        fn add(one: u64, other: u64) -> u64;
    }
}

fn main() {
    let host = replug::Host::<Arithmetic>::new();
    let _sum: u64 = host.add(1, 2);
}
