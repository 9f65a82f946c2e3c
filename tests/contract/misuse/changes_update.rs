//! An update of a poller, whose copy is taken out for another.

use replug::watch::{Ready, Staged};

fn exchange(ready: &mut Ready, other: Staged) {
    ready.staged = other;
    *ready.staged() = other;
}

fn main() {}
