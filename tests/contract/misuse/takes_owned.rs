//! Functions that take memory of the host's allocator.

/// What a function of an interface does with each thing that it takes.
fn take(_: impl replug::wire::Argument) {}

fn main() {
    take(Vec::<u8>::new());
    take(Box::new(1_u64));
    take(String::new());
}
