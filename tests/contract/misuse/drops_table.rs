//! Functions of an interface that call themselves when they are dropped, which is after their plugin has gone.

replug::interface! {
    /// Counts.
    interface Counter, plugin trait Count, version 1 {
        /// The next number.
        fn count() -> u64;
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        let _ = self.count();
    }
}

fn main() {}
