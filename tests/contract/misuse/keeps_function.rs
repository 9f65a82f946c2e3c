//! A host that takes a function out of a generation's table, to call it when that generation may be gone.

replug::interface! {
    /// Does arithmetic.
    interface Arithmetic, plugin trait Compute, version 1 {
        /// The sum.
        fn add(one: u64, other: u64) -> u64;
    }
}

fn main() {
    let host = replug::Host::<Arithmetic>::new();
    let _kept = Arithmetic { add: host.add };
}
