//! Functions that take memory of the host's allocator.

/// A function that takes any type which a function of an interface can take.
fn take(_: impl replug::wire::Argument) {}

fn main() {
    take(Vec::<u8>::new());
    take(Box::new(1_u64));
    take(String::new());
}
