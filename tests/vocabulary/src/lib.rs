//! The words that the tests of replug are written in. A test says `artifact.replace_with(..)` and
//! `program.wait_for_answer(..)`; how that is done, and how long it may take, is said here once.
//!
//! Nothing here decides whether replug is right: an `assert` of this crate is about a promise that every test relies
//! on, all others stand in the tests.
//!
//! Written for Linux, where replug is proven; the crate is empty elsewhere.

#![cfg(target_os = "linux")]
#![expect(
    clippy::new_without_default,
    reason = "a new scratch directory is made on the disk, which nobody expects of a default value"
)]

// What was built, what holds on which system, how long to wait, and how a table is gone through.
mod cargo;
mod places;
mod rules;
mod table;
mod waiting;

// What is watched.
mod artifact;
mod c;
mod fixture;
mod halted;
mod package;
mod saves;
mod scratch;
mod specimen;

// Who watches, in the test's own process.
mod by_hand;
mod spy;
mod world;

// Who watches, as a process of its own.
mod doorbell;
mod line;
pub mod lookers;
mod program;
mod speaker;
mod terminal;

pub use artifact::Artifact;
pub use by_hand::{ByHand, Hands, stage_in};
pub use c::{c_example, c_library};
pub use cargo::{built, cargo, cargo_build, rustc};
pub use doorbell::{Doorbell, Visitor};
pub use fixture::{
    Build, backtracer, key_taker, library, mixable, plugin, plugin_function, sleeper, version,
};
pub use halted::Halted;
pub use line::Line;
pub use package::{Package, workspace_of_plugin01};
pub use places::{program, target_tmp, workspace};
pub use program::{Ended, Program};
pub use rules::{Rule, holds};
pub use saves::Saves;
pub use scratch::{Scratch, copies_in};
pub use speaker::Speaker;
pub use specimen::{damaged, specimen};
pub use spy::{Asked, Faults, Nfs, Spy};
pub use table::for_each_case;
pub use terminal::Terminal;
pub use waiting::{DEADLINE, pause, wait_for_exit, wait_until};
pub use world::World;
