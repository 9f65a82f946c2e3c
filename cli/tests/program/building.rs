//! Building with `replug run -p PACKAGE`: cargo builds, cargo says where the library is, and from then on it is
//! watched.

use std::path::PathBuf;

use vocabulary::{Ended, Package, Program, Scratch};

/// The program on `package`, built with further `options`.
fn run(scratch: &Scratch, package: &Package, options: &[&str]) -> Program {
    let mut command = Program::command(scratch);
    command
        .args(["--interval-ms", "20", "--every-ms", "20"])
        .args(package.options())
        .args(options);
    Program::start(command)
}

/// The ended program, after a build that gave no library.
#[track_caller]
fn built_in_vain(scratch: &Scratch, package: &Package) -> Ended {
    let ended = run(scratch, package, &[]).end();
    assert_eq!(ended.said, []);
    scratch.assert_nothing_staged();
    ended
}

#[test]
fn a_package_is_built_and_loaded_and_the_next_build_is_generation_two() {
    let scratch = Scratch::new();
    let package = Package::plugin(&scratch, "as it was");
    let mut program = run(&scratch, &package, &["--arg", "everybody"]);
    let started = program.wait_for_event("started");
    assert_eq!(started.text("path"), package.library().to_str().unwrap());
    program.wait_for_answer("as it was, everybody");
    package.edit("as edited");
    package.build(&[]);
    program.wait_for_generation(2);
    program.wait_for_answer("as edited, everybody");
    let ended = program.stop();
    assert_eq!(ended.said("loaded").len(), 2, "one build is one reload");
    assert_eq!(ended.said("kept").len(), 0);
    // Cargo says on stderr what it does, and the program adds nothing.
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("Compiling tiny"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("replug:"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("WARN"), "{}", ended.stderr);
    scratch.assert_nothing_staged();
}

#[test]
fn a_build_that_fails_while_the_plugin_runs_leaves_it_running() {
    let scratch = Scratch::new();
    let package = Package::plugin(&scratch, "as it was");
    let mut program = run(&scratch, &package, &[]);
    program.wait_for_answer("as it was");
    package.write("src/lib.rs", "this is no Rust");
    package.build_in_vain();
    program.wait_for_answer("as it was");
    package.edit("as mended");
    package.build(&[]);
    let line = program.wait_for_answer("as mended");
    assert_eq!(line.number("generation"), 2);
    let ended = program.stop();
    assert_eq!(ended.said("missing").len(), 0);
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    scratch.assert_nothing_staged();
}

#[test]
fn the_release_profile_is_passed_on_to_cargo() {
    assert_library_is_in("release", &["--release"]);
}

#[test]
fn a_profile_is_passed_on_to_cargo() {
    assert_library_is_in("release", &["--profile", "release"]);
}

/// With `options` the library that is loaded is the one in this directory of the target directory.
#[track_caller]
fn assert_library_is_in(directory: &str, options: &[&str]) {
    let scratch = Scratch::new();
    let package = Package::plugin(&scratch, "as it was");
    let mut program = run(&scratch, &package, options);
    let library: PathBuf = program.wait_for_event("loaded").text("path").into();
    assert_eq!(library, package.target().join(directory).join("libtiny.so"));
    assert!(!package.library().exists(), "the dev profile was built too");
    program.wait_for_answer("as it was");
    assert_eq!(program.stop().status.code(), Some(0));
    scratch.assert_nothing_staged();
}

#[test]
fn a_package_that_does_not_exist_is_an_error_in_cargos_words() {
    let scratch = Scratch::new();
    let package = Package::plugin(&scratch, "as it was");
    let mut command = Program::command(&scratch);
    command
        .args(["-p", "nosuch", "--manifest-path"])
        .arg(package.manifest());
    let ended = Program::start(command).end();
    ended.assert_failed(1, &["did not match any packages", "cannot build `nosuch`"]);
    assert_eq!(ended.said, []);
    scratch.assert_nothing_staged();
}

#[test]
fn a_workspace_that_does_not_exist_is_an_error_in_cargos_words() {
    let scratch = Scratch::new();
    let mut command = Program::command(&scratch);
    command
        .args(["-p", "tiny", "--manifest-path"])
        .arg(scratch.join("nowhere/Cargo.toml"));
    let ended = Program::start(command).end();
    ended.assert_failed(1, &["nowhere/Cargo.toml", "cannot build `tiny`"]);
}

#[test]
fn a_package_that_makes_no_library_to_load_is_an_error_that_tells_what_to_write() {
    let scratch = Scratch::new();
    let package = Package::of_type(&scratch, "lib");
    built_in_vain(&scratch, &package).assert_failed(1, &["`tiny`", "crate-type = [\"cdylib\"]"]);
}

#[test]
fn a_build_that_fails_is_an_error_and_the_compilers_words_are_shown() {
    let scratch = Scratch::new();
    let package = Package::plugin(&scratch, "as it was");
    package.write("src/lib.rs", "pub fn answer() -> String { 42 }");
    built_in_vain(&scratch, &package).assert_failed(
        1,
        &[
            "mismatched types",
            "expected `String`, found integer",
            "cannot build `tiny`",
            "its output is above",
        ],
    );
}

#[test]
fn a_cargo_that_cannot_be_started_is_an_error() {
    let scratch = Scratch::new();
    let package = Package::plugin(&scratch, "as it was");
    let mut command = Program::command(&scratch);
    command
        .env("CARGO", scratch.join("no-cargo"))
        .args(package.options());
    let ended = Program::start(command).end();
    ended.assert_failed(1, &["cannot start cargo to build `tiny`", "No such file"]);
}
