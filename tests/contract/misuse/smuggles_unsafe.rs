//! A type of a declaration that runs unsafe code where the macros say `unsafe` for themselves.

const unsafe fn len() -> usize {
    4
}

replug::interface! {
    /// Takes bytes.
    interface Taker, plugin trait Take, version 1 {
        /// As many as unsafe code says.
        fn take(bytes: &[u8; len()]);
    }
}

fn main() {}
