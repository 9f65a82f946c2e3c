//! The clock that the first half goes by, as a seam: a test moves one by hand.

use std::time::Instant;

/// A clock that never goes back.
pub trait Clock {
    /// The present.
    fn now(&self) -> Instant;
}

/// The machine's monotonic clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct Monotonic;

impl Clock for Monotonic {
    fn now(&self) -> Instant {
        Instant::now()
    }
}
