//! A plugin that panics with things that are no message.

use std::panic::panic_any;

/// A thing that panics once more when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("and once more");
    }
}

fixtures::fixture!(|number| match number {
    0 => panic_any(0_u8),
    1 => panic_any(Bomb),
    _ => number,
});
