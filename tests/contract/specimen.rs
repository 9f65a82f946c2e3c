//! Plugins that are built from a declaration, by cargo, once per test run; see `tests/plugins`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// Where cargo leaves them.
static BUILT: LazyLock<PathBuf> = LazyLock::new(|| {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugins");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args([
            "build",
            "--quiet",
            "--locked",
            "--release",
            "-p",
            "fixtures",
        ])
        .args(["--examples", "--target-dir"])
        .arg(&target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .expect("cargo can be started");
    assert!(built.success(), "the fixtures do not compile");
    target.join("release/examples")
});

/// The fixture of this name; of each number another build, with other bytes.
pub fn specimen(name: &str, number: u32) -> Vec<u8> {
    let mut bytes = fs::read(BUILT.join(format!("lib{name}.so"))).unwrap();
    // Behind the last section, where no loader looks.
    bytes.extend(number.to_ne_bytes());
    bytes
}
