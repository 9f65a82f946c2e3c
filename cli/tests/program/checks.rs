//! The gate tells a check from a build: a real cargo halts in its work, with its locks held, and meanwhile a library is
//! finished beside it.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::Duration;

use vocabulary::{Artifact, Halted, Package, Program, Scratch, cargo, library, version};

/// How long a shut gate is seen to hold.
const A_WHILE: Duration = Duration::from_millis(500);

#[test]
fn a_library_that_is_finished_while_cargo_checks_or_documents_is_loaded_meanwhile() {
    let lines: [&[&str]; 3] = [&["check"], &["--color", "never", "-v", "check"], &["doc"]];
    for line in lines {
        let mut beside = Beside::start();
        let mut check = cargo();
        check.args(line);
        beside.is_not_held_back_by(check);
    }
}

#[test]
fn a_check_by_a_cargo_of_another_name_holds_nothing_back_either() {
    let mut beside = Beside::start();
    let other = beside.scratch.join("my-own-build-tool");
    symlink(fs::canonicalize(cargo().get_program()).unwrap(), &other).unwrap();
    let mut check = Command::new(other);
    check.arg("check");
    beside.is_not_held_back_by(check);
}

#[test]
fn a_build_in_the_place_of_a_check_holds_a_library_back_and_is_named() {
    let mut beside = Beside::start();
    let mut build = cargo();
    build.arg("build");
    let build = Halted::start(build, &beside.package);
    let said = beside.is_held_back();
    assert_eq!(said["pid"], build.id());
    assert_eq!(said["command"], "cargo build");
    build.goes_on();
    beside.goes_over();
}

#[test]
fn a_word_that_may_be_an_alias_for_a_build_holds_a_library_back() {
    let mut beside = Beside::start();
    let mut alias = cargo();
    alias.arg("c").env("CARGO_ALIAS_C", "build");
    let alias = Halted::start(alias, &beside.package);
    let said = beside.is_held_back();
    assert_eq!(said["pid"], alias.id());
    assert!(said["command"].is_null(), "{said}");
    alias.goes_on();
    beside.goes_over();
}

#[test]
fn a_check_holds_back_where_the_lock_is_required_to_be_free() {
    let scratch = Scratch::new();
    let package = Package::of_type(&scratch, "lib");
    let mut check = cargo();
    check.arg("check");
    let check = Halted::start(check, &package);
    let lock = package.library().with_file_name(".cargo-lock");
    // A later cargo locks another file while it checks.
    let is_held = File::open(lock).unwrap().try_lock_shared().is_err();
    let artifact = Artifact::at(package.library().with_file_name("libplugin01.so"));
    artifact.link(&library(1));
    let mut program = Program::watch(&scratch, artifact.path(), &["--gate", "require"]);
    if is_held {
        let said = program.wait_for_waiting("gated");
        assert_eq!(said.text("command"), "cargo check");
        program.go_on_for(A_WHILE);
        assert_eq!(program.loaded(), [] as [&str; 0]);
        check.goes_on();
    }
    program.wait_for_bytes(&library(1));
    program.stop_cleanly(&scratch);
}

/// A program that answers from `library(1)`, in a target directory in which a cargo can work at a package.
struct Beside {
    scratch: Scratch,
    package: Package,
    artifact: Artifact,
    program: Program,
}

impl Beside {
    fn start() -> Beside {
        let scratch = Scratch::new();
        let package = Package::of_type(&scratch, "lib");
        let artifact = Artifact::at(package.library().with_file_name("libplugin01.so"));
        fs::create_dir_all(artifact.path().parent().unwrap()).unwrap();
        artifact.link(&library(1));
        let mut program = Program::watch(&scratch, artifact.path(), &[]);
        program.wait_for_answer(&version(1));
        Beside {
            scratch,
            package,
            artifact,
            program,
        }
    }

    #[track_caller]
    fn is_not_held_back_by(&mut self, check: Command) {
        let check = Halted::start(check, &self.package);
        self.artifact.link(&library(2));
        self.program.wait_for_answer(&version(2));
        let waits = self.program.said("waiting").into_iter();
        let is_gated = waits
            .map(|line| line.text("reason"))
            .any(|it| it == "gated");
        assert!(!is_gated, "{:#?}", self.program.said);
        check.goes_on();
    }

    /// Sees that a library is held back. Returns what is said of the wait.
    #[track_caller]
    fn is_held_back(&mut self) -> serde_json::Value {
        self.artifact.link(&library(2));
        let said = self.program.wait_for_waiting("gated");
        self.program.go_on_for(A_WHILE);
        assert_eq!(self.program.loaded().len(), 1, "{:#?}", self.program.said);
        said.0
    }

    #[track_caller]
    fn goes_over(mut self) {
        self.program.wait_for_answer(&version(2));
        self.program.stop_cleanly(&self.scratch);
    }
}
