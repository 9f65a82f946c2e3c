//! Functions that take a pointer, of which nobody knows how long it is good.

use std::ptr;

/// What a function of an interface does with each thing that it takes.
fn take(_: impl replug::wire::Argument) {}

fn main() {
    take(ptr::null::<u64>());
    take(&"text");
}
