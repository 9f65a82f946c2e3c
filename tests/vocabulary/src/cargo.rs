//! The cargo and the compiler that run the tests, for what they build themselves. Where tests run on another system than
//! they were built on, `CARGO_BUILD_TARGET` names that system, as it does to cargo.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The cargo that runs the tests, or else the one on the path.
pub fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// `cargo build`, by that cargo.
pub fn cargo_build() -> Command {
    let mut cargo = cargo();
    cargo.arg("build");
    cargo
}

/// Where that cargo leaves what it builds with a profile into a target directory, such as `debug`.
pub fn built(target: &Path, profile: &str) -> PathBuf {
    match env::var_os("CARGO_BUILD_TARGET") {
        Some(name) => target.join(name).join(profile),
        None => target.join(profile),
    }
}

/// The compiler, for libraries that the running test can load.
pub fn rustc() -> Command {
    let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    let Ok(name) = env::var("CARGO_BUILD_TARGET") else {
        return rustc;
    };
    // What cargo would give the compiler for that system.
    let flags = name.replace('-', "_").to_uppercase();
    let flags = env::var(format!("CARGO_TARGET_{flags}_RUSTFLAGS")).unwrap_or_default();
    rustc.args(["--target", &name]);
    rustc.args(flags.split_whitespace());
    rustc
}
