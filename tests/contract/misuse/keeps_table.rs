//! A host that keeps the functions of one generation over a reload.

replug::interface! {
    /// Does arithmetic.
    interface Arithmetic, plugin trait Compute, version 1 {
        /// The sum.
        fn add(one: u64, other: u64) -> u64;
    }
}

fn main() {
    let mut host = replug::Host::<Arithmetic>::new();
    let functions: &Arithmetic = &host;
    host.poll();
    let _ = functions.add(1, 2);
}
