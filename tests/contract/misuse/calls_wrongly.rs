//! A host that calls with another type than was declared.

replug::interface! {
    /// Does arithmetic.
    interface Arithmetic, plugin trait Compute, version 1 {
        /// The sum.
        fn add(one: u64, other: u64) -> u64;
    }
}

fn main() {
    let host = replug::Host::<Arithmetic>::new();
    let _ = host.add(1_u32, 2);
}
