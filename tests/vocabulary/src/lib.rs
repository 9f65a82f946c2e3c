//! The words that the tests of replug are written in. A test says `artifact.replace_with(..)` and
//! `program.wait_for_answer(..)`; how that is done, and how long it may take, is said here once.
//!
//! Nothing here decides whether replug is right: an `assert` of this crate is about a promise that every test relies
//! on, all others stand in the tests.
//!
//! Words for which systems differ are said here as well, so that a test speaks of no system: what a library is called, how
//! a file is put into place, what a failure is called. What a system lacks is in one table, [`Rule`]. The program as
//! another one uses it is spoken of on Linux only, by signals and terminals.

#![cfg(any(target_os = "linux", windows))]
#![expect(
    clippy::new_without_default,
    reason = "a new scratch directory is made on the disk, which nobody expects of a default value"
)]

// What was built, what holds on which system, how long to wait, and how a table is gone through.
mod cargo;
pub mod failure;
mod places;
mod rules;
mod system;
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
#[cfg(unix)]
mod line;
#[cfg(unix)]
pub mod lookers;
#[cfg(unix)]
mod program;
#[cfg(unix)]
mod speaker;
#[cfg(unix)]
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
#[cfg(unix)]
pub use line::Line;
pub use package::{Package, workspace_of_plugin01};
pub use places::{program, target_tmp, workspace};
#[cfg(unix)]
pub use program::{Ended, Program};
pub use rules::{Rule, holds};
pub use saves::Saves;
pub use scratch::{Scratch, copies_in};
#[cfg(unix)]
pub use speaker::Speaker;
pub use specimen::{damaged, specimen};
pub use spy::{Asked, Faults, Nfs, Spy};
pub use system::{
    TEMP_VARIABLE, has_aborted, in_manifest, is_by_the_way, library_name, lock_of_cargo, make_link,
    make_pipe, mapped_below, put_in_place, set_mode, set_modified, unlock,
};
pub use table::for_each_case;
#[cfg(unix)]
pub use terminal::Terminal;
#[cfg(target_os = "linux")]
pub use waiting::is_there;
pub use waiting::{DEADLINE, end, in_time, pause, wait_for_exit, wait_until, wait_until_closed};
pub use world::World;
