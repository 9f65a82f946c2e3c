//! The cargo that runs the tests, for what they build themselves.

use std::process::Command;

/// The cargo that runs the tests, or else the one on the path.
pub fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// `cargo build`, by that cargo.
pub fn cargo_build() -> Command {
    let mut cargo = cargo();
    cargo.arg("build");
    cargo
}
