//! The plugins that are loaded: `benches/plugins/`, built once for each run.

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cargo;

fn target() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/plugins")
}

/// Builds them.
pub fn build() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins/Cargo.toml");
    let profile = ["--profile", "plugin", "--examples"];
    cargo::build(&manifest, &target(), &profile);
    let source = target().join("smallest.c");
    fs::write(&source, "int nothing;").expect("cargo has made the directory");
    let status = Command::new("cc")
        .args(["-shared", "-nostdlib", "-s", "-Wl,-z,noseparate-code", "-o"])
        .args([smallest(), source])
        .status()
        .expect("the compiler that Rust links with can be started");
    assert!(status.success(), "the smallest plugin does not compile");
}

/// One that holds nothing, for those who need thousands.
pub fn smallest() -> PathBuf {
    target().join("smallest.so")
}

/// The one that has this name.
pub fn library(name: &str) -> PathBuf {
    example(format!("{DLL_PREFIX}{name}{DLL_SUFFIX}"))
}

/// The same before it is linked.
pub fn archive(name: &str) -> PathBuf {
    example(format!("lib{name}.a"))
}

fn example(file: String) -> PathBuf {
    target().join("plugin/examples").join(file)
}
