//! A crate that calls itself `replug_plugin`, and has a line of its own making: what crosses is written down by the real
//! one all the same.

#![forbid(unsafe_code)]

extern crate self as replug_plugin;

pub use replug::wire;

#[doc(hidden)]
pub mod __private {}

/// A line that says nothing of what is in the type.
#[macro_export]
macro_rules! __line {
    ($($line:tt)*) => {
        compile_error!("this is not the real one");
    };
}

#[derive(replug_derive::Shared)]
pub struct Any {
    pub text: String,
}

fn main() {
    let line = <Any as replug::Shared>::replug_line();
    assert_eq!(line.text, b"struct Any\nfield text\n");
}
