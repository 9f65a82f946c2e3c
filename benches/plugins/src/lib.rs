//! What the libraries that are loaded have in common, so that all tools load the same.

use std::cell::RefCell;
use std::hint::black_box;

replug_plugin::interface! {
    /// What replug calls them by.
    pub interface Bench, plugin trait Behave, version 1 {
        /// Which of the libraries this is.
        fn version() -> u64;
        /// The sum, and nothing else.
        fn sum(one: u64, other: u64) -> u64;
        /// Makes a thread-local that has a destructor.
        fn touch(number: u64);
    }
}

/// The text that is compiled in, and that whoever makes another library of the same size writes over.
static VERSION: [u8; 16] = *b"version-00000000";

/// The number in it.
pub fn version() -> u64 {
    // Not known to the compiler: it is another one in each library.
    let digits = &black_box(&VERSION)[8..];
    digits
        .iter()
        .fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
}

/// See [`Bench`].
pub fn sum(one: u64, other: u64) -> u64 {
    one.wrapping_add(other)
}

thread_local! {
    static TOUCHED: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// See [`Bench`].
pub fn touch(number: u64) {
    TOUCHED.with_borrow_mut(|touched| touched.push(number));
}

/// Makes half a megabyte of it, as much as a small plugin with a few dependencies has.
#[used]
static BALLAST: [u8; 90 << 10] = [1; 90 << 10];
