//! Who builds a package at each save, as its own documentation says. It is a process beside the host.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::cargo;
use crate::outside::Package;

/// cargo-watch, which hot-lib-reloader's documentation names, and its version.
const CARGO_WATCH: [&str; 2] = ["cargo-watch", "8.5.3"];

/// bacon, which cargo-watch's own documentation names as what came after it, and its version.
const BACON: [&str; 2] = ["bacon", "3.26.0"];

/// What bacon is told: to build, and to watch files where git looks at nothing.
const BACON_BUILDS: &str = r#"jobs.lib = { command = ["cargo", "build", "--quiet"], watch = ["src"], default_watch = false, apply_gitignore = false }"#;

/// A builder while it runs.
pub struct Builder {
    child: Child,
}

impl Builder {
    /// Makes what builders are made of, which is no part of a trial.
    pub fn prepare(tool: &str) {
        let ours = Path::new(env!("CARGO_MANIFEST_DIR"));
        match tool {
            "replug" => {
                let manifest = ours.join("../cli/Cargo.toml");
                cargo::build(&manifest, &ours.join("target/program"), &["--release"]);
            }
            "hot-lib-reloader" => install(CARGO_WATCH),
            "hot-lib-reloader, bacon" => install(BACON),
            _ => {}
        }
    }

    /// Starts who builds for `tool`; nobody does for the limit.
    pub fn start(tool: &str, package: &Package) -> Option<Builder> {
        let ours = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut command;
        match tool {
            "replug" => {
                command = Command::new(ours.join("target/program/release/replug"));
                command.args(["dev", "-p", crate::library::NAME, "--manifest-path"]);
                command.arg(package.manifest());
                command.arg("--target-dir").arg(package.target());
                // The host of the trial is the one that loads.
                command.args(["--", "sleep", "3600"]);
            }
            "hot-lib-reloader" => {
                command = Command::new(peer(CARGO_WATCH));
                // The package lies where git and cargo-watch look at nothing.
                command.args(["watch", "--quiet", "--ignore-nothing", "-w", "src"]);
                command.args(["-x", "build --quiet"]);
                command.current_dir(package.directory());
                command.env("CARGO_TARGET_DIR", package.target());
            }
            "hot-lib-reloader, bacon" => {
                command = Command::new(peer(BACON));
                command.args(["--headless", "--job", "lib"]);
                command.args(["--config-toml", BACON_BUILDS]);
                command.current_dir(package.directory());
                command.env("CARGO_TARGET_DIR", package.target());
            }
            _ => return None,
        }
        let streams = command.stdin(Stdio::null()).stdout(Stdio::null());
        let child = streams.stderr(Stdio::null()).spawn();
        Some(Builder {
            child: child.expect("it was prepared"),
        })
    }
}

/// Where a peer's program is, once it is installed.
fn peer([name, _]: [&str; 2]) -> PathBuf {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR"));
    ours.join("target/peers/bin").join(name)
}

fn install(program: [&str; 2]) {
    if peer(program).exists() {
        return;
    }
    let [name, version] = program;
    let mut install = Command::new("cargo");
    install.args(["install", "--quiet", "--locked", name, "--version", version]);
    install.args([
        "--root",
        concat!(env!("CARGO_MANIFEST_DIR"), "/target/peers"),
    ]);
    let status = install.status().expect("cargo can be started");
    assert!(status.success(), "{name} cannot be installed");
}

impl Drop for Builder {
    fn drop(&mut self) {
        // What it has started is to end with it.
        let number = self.child.id().to_string();
        let asked = Command::new("kill").arg(number).status();
        if !asked.is_ok_and(|status| status.success()) {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}
