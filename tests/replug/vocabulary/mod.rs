//! The words the tests are written in.

mod artifact;
mod fixture;
mod program;
mod scratch;

pub use artifact::Artifact;
pub use fixture::{Build, library, mixable, plugin, version};
pub use program::{DEADLINE, Ended, Line, Program, pause};
pub use scratch::Scratch;
