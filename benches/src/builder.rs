//! Who builds a package at each save, as its own documentation says. It is a process beside the host.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::cargo;
use crate::outside::Package;

/// The version of cargo-watch, which hot-lib-reloader's documentation names.
const CARGO_WATCH: &str = "8.5.3";

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
            "hot-lib-reloader" if !ours.join("target/peers/bin/cargo-watch").exists() => {
                let mut install = Command::new("cargo");
                install.args(["install", "--quiet", "--locked", "cargo-watch", "--version"]);
                install.arg(CARGO_WATCH).arg("--root");
                let status = install.arg(ours.join("target/peers")).status();
                let status = status.expect("cargo can be started");
                assert!(status.success(), "cargo-watch cannot be installed");
            }
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
                command = Command::new(ours.join("target/peers/bin/cargo-watch"));
                // The package lies where git and cargo-watch look at nothing.
                command.args(["watch", "--quiet", "--ignore-nothing", "-w", "src"]);
                command.args(["-x", "build --quiet"]);
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
