//! Attributes of an interface that may change its functions after they were written down.

replug::interface! {
    /// Counts.
    #[derive(Debug)]
    interface Counter, plugin trait Count, version 1 {
        /// The next number.
        #[cfg(any())]
        fn count() -> u64;
    }
}

fn main() {}
