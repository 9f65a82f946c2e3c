//! An attribute that is called by a path which begins like docs.

use changing as doc;

replug::interface! {
    /// Counts.
    #[doc::lengthening]
    interface Counter, plugin trait Count, version 1 {
        /// The next number.
        fn count() -> u64;
    }
}

fn main() {}
