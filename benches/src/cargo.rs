//! cargo, as everybody has it.

use std::env;
use std::path::Path;
use std::process::{Command, Stdio};

/// Its command of this name for a package, with a target directory of that package's own.
pub fn command(name: &str, manifest: &Path, target: &Path) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .args([name, "--quiet", "--manifest-path"])
        .arg(manifest)
        .arg("--target-dir")
        .arg(target)
        .stdin(Stdio::null());
    command
}

/// Builds a package.
pub fn build(manifest: &Path, target: &Path, arguments: &[&str]) {
    let mut build = command("build", manifest, target);
    let status = build.args(arguments).status();
    let status = status.expect("cargo can be started");
    assert!(
        status.success(),
        "`{}` does not compile",
        manifest.display()
    );
}
