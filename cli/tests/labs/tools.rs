//! A lab for builds and copies that are made by the tools that people use.

use std::fs;
use std::process::Command;
use std::time::Duration;

use replug::Digest;
use vocabulary::{Artifact, Halted, Package, Program, Scratch, library, mixable, version};

use crate::assert_installed;

/// How long a shut gate is seen to hold.
const A_WHILE: Duration = Duration::from_millis(500);

#[test]
fn what_rsync_copies_is_loaded_once_and_whole() {
    assert_installed("rsync");
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.overwrite(&mixable(1));
    let mut program = Program::watch(&scratch, artifact.path(), &[]);
    program.wait_for_answer(&version(1));
    // The ways of rsync: in place, in place with only the differing parts, and by renaming.
    let ways: [&[&str]; 3] = [
        &["--inplace", "--whole-file"],
        &["--inplace", "--no-whole-file"],
        &[],
    ];
    for (options, number) in ways.into_iter().zip(2..) {
        let build = mixable(number);
        let source = scratch.join("built.so");
        fs::write(&source, &build).unwrap();
        let copied = Command::new("rsync")
            .arg("--ignore-times")
            .args(options)
            .args([&source, artifact.path()])
            .status()
            .unwrap();
        assert!(copied.success(), "rsync {options:?}");
        let loaded = program.wait_for_event("loaded");
        assert_eq!(
            loaded.text("sha256"),
            Digest::of(&build).to_string(),
            "{options:?}"
        );
        program.wait_for_answer(&version(number));
    }
    let ended = program.stop();
    ended.assert_quiet_success();
    assert_eq!(ended.said("loaded").len(), 1 + ways.len());
    assert_eq!(ended.said("kept").len(), 0);
    scratch.assert_nothing_staged();
}

#[test]
fn a_build_by_nightly_cargo_is_waited_for_and_loaded_once() {
    let nightly = || {
        let mut cargo = Command::new("rustup");
        cargo.args(["run", "nightly", "cargo", "build"]);
        cargo
    };
    let installed = Command::new("rustup")
        .args(["run", "nightly", "cargo", "--version"])
        .output()
        .expect("this lab needs rustup");
    assert!(
        installed.status.success(),
        "this lab needs a nightly toolchain: {}",
        String::from_utf8_lossy(&installed.stderr)
    );
    let scratch = Scratch::new();
    let package = Package::plugin(&scratch, "as it was");
    package.build_with(nightly());
    let lock = package.library().with_file_name(".cargo-artifact-lock");
    assert!(
        lock.exists(),
        "this lab needs a cargo of 1.96 or later, for its other locks"
    );
    let mut program = Program::watch(&scratch, &package.library(), &[]);
    program.wait_for_answer("as it was");
    package.edit("as edited");
    let build = Halted::start(nightly(), &package);
    // Cargo lets go of its locks right after it has linked a library, so what it finds locked is linked by somebody else.
    Artifact::at(package.library()).link(&library(2));
    program.wait_for_waiting("gated");
    program.go_on_for(A_WHILE);
    assert_eq!(
        program.said.iter().filter(is_gated).count(),
        1,
        "the build was seen and waited for: {:#?}",
        program.said
    );
    assert_eq!(program.loaded().len(), 1, "{:#?}", program.said);
    build.goes_on();
    let line = program.wait_for_answer("as edited");
    assert_eq!(line.number("generation"), 2);
    let ended = program.stop();
    ended.assert_quiet_success();
    assert_eq!(ended.said("loaded").len(), 2);
    // What cargo links itself can be seen before the lock is let go of.
    let gated = ended.said.iter().filter(is_gated).count();
    assert!((1..=2).contains(&gated), "{:#?}", ended.said);
    assert_eq!(ended.said("kept").len(), 0);
    assert_eq!(ended.said("missing").len(), 0);
    scratch.assert_nothing_staged();
}

#[test]
fn a_check_by_nightly_cargo_or_by_clippy_holds_nothing_back() {
    let scratch = Scratch::new();
    let package = Package::of_type(&scratch, "lib");
    let artifact = Artifact::at(package.library().with_file_name("libplugin01.so"));
    fs::create_dir_all(artifact.path().parent().unwrap()).unwrap();
    artifact.link(&library(1));
    let mut program = Program::watch(&scratch, artifact.path(), &[]);
    program.wait_for_answer(&version(1));
    let lines = [
        ["run", "nightly", "cargo", "check"],
        ["run", "stable", "cargo", "clippy"],
        ["run", "nightly", "cargo", "clippy"],
    ];
    for (line, number) in lines.into_iter().zip(2..) {
        let mut check = Command::new("rustup");
        check.args(line);
        let check = Halted::start(check, &package);
        artifact.link(&library(number));
        program.wait_for_answer(&version(number));
        check.goes_on();
    }
    let ended = program.stop_cleanly(&scratch);
    let gated = ended.said("waiting").into_iter().filter(is_gated).count();
    assert_eq!(gated, 0, "{:#?}", ended.said);
}

fn is_gated(line: &&vocabulary::Line) -> bool {
    line.event() == "waiting" && line.text("reason") == "gated"
}
