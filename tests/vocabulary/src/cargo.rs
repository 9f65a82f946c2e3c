//! The cargo that runs the tests, for what they build themselves.

use std::process::Command;

/// `cargo build`, by the cargo that runs the tests, or else by the one on the path.
pub fn cargo_build() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.arg("build");
    cargo
}
