//! For tests of plugins and hosts: a [`Source`] is a copy of a plugin's package in which a test replaces text, and which it
//! builds and brings live in a [`Host`](crate::Host). With the feature `testing`.
//!
//! ```no_run
//! # replug::interface! {
//! #     /// Adds.
//! #     pub interface Adder, plugin trait Add, version 1 {
//! #         /// The sum.
//! #         fn add(one: u32, other: u32) -> u32;
//! #     }
//! # }
//! use replug::Host;
//! use replug::testing::Source;
//!
//! // fn a_reload_brings_the_new_sum() -> Result<(), Box<dyn std::error::Error>>
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut adder = Source::of("adder")?;
//! let mut host = Host::<Adder>::watch(adder.options())?;
//! adder.go_live(&mut host)?;
//! assert_eq!(host.add(1, 2)?, 3);
//!
//! adder.replace("one + other", "one + other + 1")?;
//! adder.go_live(&mut host)?;
//! assert_eq!(host.add(1, 2)?, 4);
//! # Ok(())
//! # }
//! ```
//!
//! The original is only read, and no test sleeps. Tests that copy one package at one time have a copy each.

// What can fail.
mod error;

// What cargo says of a package, and what it builds.
mod cargo;

// A place for a copy, and the files in it.
mod slot;

mod mirror;

// The copy, for tests.
mod source;

pub use self::error::Error;
pub use self::source::Source;
