//! Functions that take a pointer, of which nobody knows how long it is good.

use std::ptr;

/// A function that takes any type which a function of an interface can take.
fn take(_: impl replug::wire::Argument) {}

fn main() {
    take(ptr::null::<u64>());
    take(&"text");
}
