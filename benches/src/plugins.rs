//! The plugins that are loaded: `benches/plugins/`, built once for each run.

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn target() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/plugins")
}

/// Builds them.
pub fn build() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins/Cargo.toml");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--profile", "plugin", "--examples"])
        .arg("--manifest-path")
        .arg(manifest)
        .arg("--target-dir")
        .arg(target())
        .status()
        .expect("cargo can be started");
    assert!(status.success(), "the plugins do not compile");
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
    let file = format!("{DLL_PREFIX}{name}{DLL_SUFFIX}");
    target().join("plugin/examples").join(file)
}
