//! A thread that keeps the functions of one generation for longer than the loan of them.

replug::interface! {
    /// Does arithmetic.
    interface Arithmetic, plugin trait Compute, version 1 {
        /// The sum.
        fn add(one: u64, other: u64) -> u64;
    }
}

fn main() {
    let host = replug::Host::<Arithmetic>::new();
    let mut caller = host.handle().caller();
    let functions = caller.live();
    drop(caller);
    let _ = functions.add(1, 2);
}
