//! A crate that calls itself `core`, and has functions of its own by the names of core's: what crosses is measured by
//! the compiler's core all the same.

#![forbid(unsafe_code)]

extern crate self as core;

/// A module as core has one, which lies.
pub mod mem {
    /// One byte, whatever the type is.
    pub const fn size_of<T>() -> usize {
        1
    }

    /// One byte, whatever the type is.
    pub const fn align_of<T>() -> usize {
        1
    }
}

replug::shared! {
    /// Eight bytes.
    pub struct Eight {
        pub number: u64,
    }
}

replug::interface! {
    /// Takes eight bytes.
    pub interface Taker, plugin trait Take, version 1 {
        fn take(eight: &Eight);
    }
}

fn main() {
    let declaration = <Taker as replug::Interface>::DECLARATION;
    std::assert!(declaration.contains("type Eight size 8 align 8 "), "{declaration}");
}
