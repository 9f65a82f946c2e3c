//! Bad input: paths that hold no library, and options that make no sense. Each is said in words of its own.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::fs::{CWD, Mode, mkfifoat};

use crate::vocabulary::{Ended, Line, Program, Scratch, library, version};

/// Enough for many polls and some repeated attempts: what is said once must not be said again in it.
const MANY_POLLS: Duration = Duration::from_millis(400);

// Paths.

#[test]
fn a_path_that_does_not_exist_is_waited_for_and_said_once() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    let mut program = Program::watch(&scratch, artifact.path(), &[]);
    let line = program.wait_for_event("waiting");
    assert_eq!(line.text("reason"), "missing");
    assert_eq!(line.text("plugin"), "plugin01");
    program.go_on_for(MANY_POLLS);
    assert_eq!(program.said("waiting").len(), 1);
    artifact.replace_with(&library(1));
    program.wait_for_answer(&version(1));
    stop_and_leave_nothing(program, &scratch);
}

#[test]
fn a_path_in_a_directory_that_does_not_exist_is_waited_for() {
    let scratch = Scratch::new();
    let path = scratch.join("target/debug/libplugin01.so");
    let mut program = Program::watch(&scratch, &path, &[]);
    assert_eq!(program.wait_for_event("waiting").text("reason"), "missing");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, library(1)).unwrap();
    program.wait_for_answer(&version(1));
    stop_and_leave_nothing(program, &scratch);
}

#[test]
fn a_directory_without_libraries_is_waited_for_and_said_once() {
    let scratch = Scratch::new();
    let directory = scratch.join("plugins");
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("README"), "nothing here").unwrap();
    let mut program = Program::watch(&scratch, &directory, &[]);
    let line = program.wait_for_event("waiting");
    assert_eq!(line.text("reason"), "missing");
    assert_eq!(line.text("plugin"), "plugins");
    program.go_on_for(MANY_POLLS);
    assert_eq!(program.said("waiting").len(), 1);
    fs::write(directory.join("libplugin01.so"), library(1)).unwrap();
    program.wait_for_answer(&version(1));
    stop_and_leave_nothing(program, &scratch);
}

#[test]
fn a_fifo_cannot_be_watched() {
    let scratch = Scratch::new();
    let fifo = scratch.join("libplugin01.so");
    mkfifoat(CWD, &fifo, Mode::RWXU).unwrap();
    let ended = Program::watch(&scratch, &fifo, &[]).end();
    ended.assert_failed(2, &["cannot watch", "libplugin01.so", "it is a FIFO"]);
    assert_eq!(ended.said, []);
    scratch.assert_nothing_staged();
}

#[test]
fn a_device_cannot_be_watched() {
    let scratch = Scratch::new();
    let ended = Program::watch(&scratch, Path::new("/dev/null"), &[]).end();
    ended.assert_failed(2, &["cannot watch `/dev/null`", "it is a device"]);
    assert_eq!(ended.said, []);
    scratch.assert_nothing_staged();
}

#[test]
fn a_fifo_in_the_place_of_a_live_library_is_kept_out_and_not_waited_on() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.replace_with(&library(1));
    let mut program = Program::watch(&scratch, artifact.path(), &[]);
    program.wait_for_answer(&version(1));
    let aside = scratch.join("fifo");
    mkfifoat(CWD, &aside, Mode::RWXU).unwrap();
    fs::rename(&aside, artifact.path()).unwrap();
    let line = program.wait_for_event("kept");
    assert_eq!(line.text("step"), "stage");
    assert_eq!(line.number("generation"), 1);
    assert_holds(line.text("reason"), &["cannot read", "it is a FIFO"]);
    program.go_on_for(MANY_POLLS);
    assert_eq!(program.said("kept").len(), 1);
    program.wait_for_answer(&version(1));
    artifact.replace_with(&library(2));
    program.wait_for_answer(&version(2));
    stop_and_leave_nothing(program, &scratch);
}

#[test]
fn a_directory_in_the_place_of_a_live_library_leaves_it_live() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.replace_with(&library(1));
    let mut program = Program::watch(&scratch, artifact.path(), &[]);
    program.wait_for_answer(&version(1));
    artifact.remove();
    fs::create_dir(artifact.path()).unwrap();
    program.wait_for("word about the directory", |line| {
        matches!(line.event(), "waiting" | "kept" | "missing")
    });
    program.wait_for_answer(&version(1));
    fs::remove_dir(artifact.path()).unwrap();
    artifact.replace_with(&library(2));
    program.wait_for_answer(&version(2));
    stop_and_leave_nothing(program, &scratch);
}

#[test]
fn a_file_that_may_not_be_read_degrades_the_watch_until_it_may() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.replace_with(&library(1));
    let readable = |mode| {
        fs::set_permissions(artifact.path(), fs::Permissions::from_mode(mode)).unwrap();
    };
    readable(0o000);
    let mut command = Program::unprivileged_command(&scratch);
    command
        .args(["--interval-ms", "20", "--every-ms", "20"])
        .arg(artifact.path());
    let mut program = Program::start(command);
    let line = program.wait_for_event("degraded");
    assert_eq!(line.text("path"), artifact.path().to_str().unwrap());
    assert_holds(line.text("reason"), &["cannot read", "Permission denied"]);
    program.go_on_for(MANY_POLLS);
    assert_eq!(program.said("degraded").len(), 1);
    assert_eq!(program.said("recovered").len(), 0);
    readable(0o644);
    let line = program.wait_for_event("recovered");
    assert_eq!(line.text("path"), artifact.path().to_str().unwrap());
    program.wait_for_answer(&version(1));
    stop_and_leave_nothing(program, &scratch);
}

#[test]
fn a_loop_of_links_degrades_the_watch_until_it_is_untied() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    let other = scratch.join("other");
    symlink(&other, artifact.path()).unwrap();
    symlink(artifact.path(), &other).unwrap();
    let mut program = Program::watch(&scratch, artifact.path(), &[]);
    let line = program.wait_for_event("degraded");
    assert_holds(line.text("reason"), &["cannot look at", "symbolic links"]);
    program.go_on_for(MANY_POLLS);
    assert_eq!(program.said("degraded").len(), 1);
    artifact.replace_with(&library(1));
    program.wait_for_event("recovered");
    program.wait_for_answer(&version(1));
    stop_and_leave_nothing(program, &scratch);
}

// Files that are no library, or none for this host. Each takes the place of one that is live.

#[test]
fn a_text_file_is_kept_out_and_its_beginning_quoted() {
    assert_kept_out(
        b"#!/bin/sh\necho hello\n",
        &["not a shared library", "#!/bin/sh"],
    );
}

#[test]
fn an_executable_is_kept_out() {
    let program = fs::read(env!("CARGO_BIN_EXE_replug")).unwrap();
    assert_kept_out(&program, &["it is an executable, not a shared library"]);
}

#[test]
fn an_object_file_is_kept_out() {
    assert_kept_out(
        &with_header_field(TYPE, RELOCATABLE),
        &["it is an object file, not a shared library"],
    );
}

#[test]
fn a_library_for_another_processor_is_kept_out_and_both_processors_are_named() {
    let (foreign, name) = match std::env::consts::ARCH {
        "aarch64" => (X86_64, "x86_64"),
        _ => (AARCH64, "aarch64"),
    };
    let host = format!("this host is {}", std::env::consts::ARCH);
    assert_kept_out(
        &with_header_field(MACHINE, foreign),
        &[&format!("it is for {name}"), &host],
    );
}

#[test]
fn an_empty_file_is_waited_for_as_one_that_is_being_written() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.overwrite(b"");
    let mut program = Program::watch(&scratch, artifact.path(), &[]);
    program.wait_for("word of an incomplete file", |line| {
        line.event() == "waiting" && line.text("reason") == "incomplete"
    });
    program.go_on_for(MANY_POLLS);
    let incomplete = |line: &&&Line| line.text("reason") == "incomplete";
    assert_eq!(program.said("waiting").iter().filter(incomplete).count(), 1);
    assert_eq!(program.said("kept").len(), 0);
    artifact.overwrite(&library(1));
    program.wait_for_answer(&version(1));
    stop_and_leave_nothing(program, &scratch);
}

#[test]
fn a_library_without_the_function_is_kept_out_and_the_function_named() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.replace_with(&library(1));
    let mut program = Program::watch(&scratch, artifact.path(), &["--call", "nosuch"]);
    let line = program.wait_for_event("kept");
    assert_eq!(line.text("step"), "vet");
    assert!(line.0["generation"].is_null(), "{line:?}");
    assert_eq!(line.text("sha256").len(), 64);
    assert_holds(
        line.text("reason"),
        &["cannot vet", "does not export `nosuch`"],
    );
    program.go_on_for(MANY_POLLS);
    assert_eq!(program.said("kept").len(), 1);
    assert_eq!(program.said("loaded").len(), 0);
    stop_and_leave_nothing(program, &scratch);
}

// Options.

#[test]
fn an_empty_name_of_a_function_is_bad_usage() {
    refused(&["--call", "", "libx.so"]).assert_failed(2, &["--call", "a symbol has a name"]);
}

#[test]
fn an_interval_of_zero_is_bad_usage() {
    refused(&["--interval-ms", "0", "libx.so"]).assert_failed(2, &["--interval-ms", "0 is not in"]);
}

#[test]
fn an_interval_longer_than_a_day_is_bad_usage() {
    refused(&["--interval-ms", "86400001", "libx.so"])
        .assert_failed(2, &["--interval-ms", "86400001 is not in"]);
}

#[test]
fn a_number_too_large_for_any_clock_is_bad_usage() {
    const HUGE: &str = "99999999999999999999999999";
    for option in [
        "--interval-ms",
        "--settle-ms",
        "--gate-max-ms",
        "--every-ms",
        "--count",
        "--depth",
    ] {
        refused(&[option, HUGE, "libx.so"]).assert_failed(2, &[option, HUGE]);
    }
}

#[test]
fn the_largest_numbers_that_are_allowed_do_no_harm() {
    const DAY: &str = "86400000";
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    let options = [
        "--interval-ms",
        DAY,
        "--settle-ms",
        DAY,
        "--gate-max-ms",
        DAY,
    ];
    let calls = [
        "--every-ms",
        DAY,
        "--depth",
        "64",
        "--count",
        "18446744073709551615",
    ];
    let mut program = Program::watch(&scratch, artifact.path(), &[&options[..], &calls].concat());
    program.wait_for_event("waiting");
    stop_and_leave_nothing(program, &scratch);
}

#[test]
fn a_count_of_zero_is_bad_usage() {
    refused(&["--count", "0", "libx.so"]).assert_failed(2, &["--count", "0 is not in"]);
}

#[test]
fn a_number_that_is_none_is_bad_usage() {
    refused(&["--every-ms", "soon", "libx.so"]).assert_failed(2, &["--every-ms", "soon"]);
}

#[test]
fn an_unknown_gate_policy_is_bad_usage_and_the_known_ones_are_named() {
    refused(&["--gate", "maybe", "libx.so"]).assert_failed(2, &["maybe", "auto", "off", "require"]);
}

#[test]
fn an_unknown_option_is_bad_usage() {
    refused(&["--inotify", "libx.so"]).assert_failed(2, &["unexpected argument", "--inotify"]);
}

#[test]
fn neither_a_path_nor_a_package_is_bad_usage() {
    refused(&[]).assert_failed(2, &["required arguments", "<PATH>"]);
}

#[test]
fn both_a_path_and_a_package_are_bad_usage() {
    refused(&["-p", "plugin01", "libx.so"]).assert_failed(2, &["cannot be used with", "--package"]);
}

#[test]
fn options_of_a_build_without_a_package_are_bad_usage() {
    for option in [
        &["--release"][..],
        &["--profile", "dev"],
        &["--target-dir", "x"],
    ] {
        refused(&[option, &["libx.so"]].concat()).assert_failed(2, &["--package"]);
    }
}

// The stage directory.

#[test]
fn a_stage_directory_that_does_not_exist_is_an_error() {
    let scratch = Scratch::new();
    let parent = scratch.join("nowhere");
    staged_in(&scratch, &parent).assert_failed(
        1,
        &[
            "cannot make a stage directory in",
            "nowhere",
            "No such file",
        ],
    );
}

#[test]
fn an_error_that_nobody_can_hear_still_has_its_status() {
    let scratch = Scratch::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let status = Command::new(env!("CARGO_BIN_EXE_replug"))
        .args(["run", "libx.so", "--stage-dir"])
        .arg(scratch.join("nowhere"))
        .stderr(writer)
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(1));
}

#[test]
fn a_stage_directory_that_is_a_file_is_an_error() {
    let scratch = Scratch::new();
    let parent = scratch.join("file");
    fs::write(&parent, "").unwrap();
    staged_in(&scratch, &parent).assert_failed(
        1,
        &[
            "cannot make a stage directory in",
            "file",
            "Not a directory",
        ],
    );
}

#[test]
fn a_stage_directory_that_may_not_be_written_is_an_error() {
    let scratch = Scratch::new();
    let mut command = Program::unprivileged_command(&scratch);
    fs::set_permissions(scratch.stage(), fs::Permissions::from_mode(0o555)).unwrap();
    command.arg(scratch.artifact().path());
    let ended = Program::start(command).end();
    ended.assert_failed(
        1,
        &[
            "cannot make a stage directory in",
            "stage",
            "Permission denied",
        ],
    );
    assert_eq!(ended.said, []);
    scratch.assert_nothing_staged();
}

/// Where an ELF header has its type and its machine, and values of them (`man 5 elf`).
const TYPE: usize = 16;
const MACHINE: usize = 18;
const RELOCATABLE: u16 = 1;
const X86_64: u16 = 62;
const AARCH64: u16 = 183;

/// A library with another value in a 16-bit field of its header.
fn with_header_field(at: usize, value: u16) -> Vec<u8> {
    let mut bytes = library(9);
    bytes[at..at + 2].copy_from_slice(&value.to_ne_bytes());
    bytes
}

/// Puts `bad` in the place of a live library: it is kept out in words that hold all of `telling`, the live one
/// stays, and the next good one is loaded.
#[track_caller]
fn assert_kept_out(bad: &[u8], telling: &[&str]) {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.replace_with(&library(1));
    let mut program = Program::watch(&scratch, artifact.path(), &[]);
    program.wait_for_answer(&version(1));
    artifact.replace_with(bad);
    let line = program.wait_for_event("kept");
    assert_eq!(line.text("step"), "vet");
    assert_eq!(line.number("generation"), 1);
    assert_eq!(
        line.text("sha256"),
        replug::Digest::of(bad).to_string(),
        "{line:?}"
    );
    assert_holds(line.text("reason"), &["cannot vet", "libplugin01.so"]);
    assert_holds(line.text("reason"), telling);
    program.go_on_for(MANY_POLLS);
    assert_eq!(program.said("kept").len(), 1);
    program.wait_for_answer(&version(1));
    artifact.replace_with(&library(2));
    program.wait_for_answer(&version(2));
    stop_and_leave_nothing(program, &scratch);
}

#[track_caller]
fn assert_holds(text: &str, telling: &[&str]) {
    for part in telling {
        assert!(text.contains(part), "no {part:?} in {text:?}");
    }
}

#[track_caller]
fn stop_and_leave_nothing(program: Program, scratch: &Scratch) {
    program.stop().assert_quiet_success();
    scratch.assert_nothing_staged();
}

/// What is left of `replug run` with options that it refuses.
#[track_caller]
fn refused(options: &[&str]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_replug"));
    command.arg("run").args(options);
    let ended = Program::start(command).end();
    assert_eq!(ended.said, []);
    ended
}

/// What is left of a program that was to keep its staged copies in `parent`.
#[track_caller]
fn staged_in(scratch: &Scratch, parent: &Path) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_replug"));
    command
        .args(["run", "--json", "--stage-dir"])
        .arg(parent)
        .arg(scratch.artifact().path());
    let ended = Program::start(command).end();
    assert_eq!(ended.said, []);
    ended
}
