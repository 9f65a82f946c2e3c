//! Plugins that are built from a declaration, by cargo, once per test run; see `tests/plugins`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use crate::{built, cargo_build, library_name, target_tmp, workspace};

/// The directory where cargo leaves the plugins.
static BUILT: LazyLock<PathBuf> = LazyLock::new(|| {
    let target = target_tmp().join("plugins");
    build(&target, &["--examples"]);
    let aborts = ["--features", "aborts", "--example", "aborts"];
    build(
        &target,
        &[
            &aborts[..],
            &["--config", "profile.release.panic = \"abort\""],
        ]
        .concat(),
    );
    built(&target, "release").join("examples")
});

fn build(target: &Path, which: &[&str]) {
    let status = cargo_build()
        .args(["--quiet", "--locked", "--release", "-p", "fixtures"])
        .args(which)
        .arg("--target-dir")
        .arg(target)
        .current_dir(workspace())
        .status()
        .expect("cargo can be started");
    assert!(status.success(), "the fixtures do not compile");
}

/// The fixture of this name. Each number makes another build of it, with other bytes.
pub fn specimen(name: &str, number: u32) -> Vec<u8> {
    let mut bytes = fs::read(BUILT.join(library_name(name))).unwrap();
    // Behind the last section, where no loader looks.
    bytes.extend(number.to_ne_bytes());
    bytes
}

/// The fixture of this name, damaged: with one text in the place of another of its length.
pub fn damaged(name: &str, from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len(), "a damage moves nothing");
    let mut bytes = specimen(name, 0);
    let places = bytes.windows(from.len()).enumerate();
    let places = places.filter_map(|(at, window)| (window == from).then_some(at));
    let places: Vec<_> = places.collect();
    assert!(!places.is_empty(), "there is nothing to damage");
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
    bytes
}
