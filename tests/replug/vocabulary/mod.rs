//! The words the tests are written in.

mod artifact;
mod by_hand;
mod doorbell;
mod fixture;
mod package;
mod program;
mod scratch;
mod spy;
mod terminal;

pub use artifact::Artifact;
pub use by_hand::{ByHand, Hands, os_files};
pub use doorbell::Doorbell;
pub use fixture::{Build, key_taker, library, mixable, plugin, sleeper, version};
pub use package::Package;
pub use program::{DEADLINE, Ended, Line, Program, pause, wait_for_exit, wait_until};
pub use scratch::{Scratch, copies_in};
pub use spy::{Asked, Spy};
pub use terminal::Terminal;
