//! Bad input: paths that hold no library, and options that make no sense. Each is reported in words of its own.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::fs::{CWD, Mode, mkfifoat};
use vocabulary::{Ended, Line, Program, Scratch, for_each_case, library, program, version};

/// Time for many polls and some repeated attempts: a report that is made once must not be made again in it.
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
fn what_is_neither_a_file_nor_a_directory_cannot_be_watched() {
    let scratch = Scratch::new();
    let fifo = scratch.join("libplugin01.so");
    mkfifoat(CWD, &fifo, Mode::RWXU).unwrap();
    let cases: [(&str, &Path, &[&str]); 2] = [
        (
            "a FIFO",
            &fifo,
            &["cannot watch", "libplugin01.so", "it is a FIFO"],
        ),
        (
            "a device",
            Path::new("/dev/null"),
            &["cannot watch `/dev/null`", "it is a device"],
        ),
    ];
    for_each_case(cases, |path, telling| {
        let ended = Program::watch(&scratch, path, &[]).end();
        ended.assert_failed(2, telling);
        assert_eq!(ended.said, []);
        scratch.assert_nothing_staged();
    });
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

// Files that are no library, or no library for this host. Each takes the place of a live one.

#[test]
fn what_is_no_library_for_this_host_is_kept_out_and_said_to_be_what_it_is() {
    let program = fs::read(program()).unwrap();
    let object = with_header_field(TYPE, RELOCATABLE);
    let (foreign, name) = match std::env::consts::ARCH {
        "aarch64" => (X86_64, "x86_64"),
        _ => (AARCH64, "aarch64"),
    };
    let other = with_header_field(MACHINE, foreign);
    let other_is = format!("it is for {name}");
    let host_is = format!("this host is {}", std::env::consts::ARCH);
    let cases: [(&str, &[u8], &[&str]); 4] = [
        (
            "a text file, whose beginning is quoted",
            b"#!/bin/sh\necho hello\n",
            &["not a shared library", "#!/bin/sh"],
        ),
        (
            "an executable",
            &program,
            &["it is an executable, not a shared library"],
        ),
        (
            "an object file",
            &object,
            &["it is an object file, not a shared library"],
        ),
        (
            "a library for another processor, and both processors are named",
            &other,
            &[&other_is, &host_is],
        ),
    ];
    for_each_case(cases, assert_kept_out);
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

/// Larger than any number that the program can count to.
const HUGE: &str = "99999999999999999999999999";

/// Bad usage: a name for it, the options, and words of the complaint.
const BAD_USAGE: [(&str, &[&str], &[&str]); 19] = [
    (
        "an empty name of a function",
        &["--call", "", "libx.so"],
        &["--call", "a symbol has a name"],
    ),
    (
        "an interval of zero",
        &["--interval-ms", "0", "libx.so"],
        &["--interval-ms", "0 is not in"],
    ),
    (
        "an interval longer than a day",
        &["--interval-ms", "86400001", "libx.so"],
        &["--interval-ms", "86400001 is not in"],
    ),
    (
        "an interval too large for any clock",
        &["--interval-ms", HUGE, "libx.so"],
        &["--interval-ms", HUGE],
    ),
    (
        "a time to settle too large for any clock",
        &["--settle-ms", HUGE, "libx.so"],
        &["--settle-ms", HUGE],
    ),
    (
        "a time at the gate too large for any clock",
        &["--gate-max-ms", HUGE, "libx.so"],
        &["--gate-max-ms", HUGE],
    ),
    (
        "a time between calls too large for any clock",
        &["--every-ms", HUGE, "libx.so"],
        &["--every-ms", HUGE],
    ),
    (
        "a count too large for any number",
        &["--count", HUGE, "libx.so"],
        &["--count", HUGE],
    ),
    (
        "a depth too large for any number",
        &["--depth", HUGE, "libx.so"],
        &["--depth", HUGE],
    ),
    (
        "a size that is none",
        &["--max-size", "4X", "libx.so"],
        &["--max-size", "K, M or G"],
    ),
    (
        "a count of zero",
        &["--count", "0", "libx.so"],
        &["--count", "0 is not in"],
    ),
    (
        "a number that is none",
        &["--every-ms", "soon", "libx.so"],
        &["--every-ms", "soon"],
    ),
    (
        "an unknown gate policy, and the known ones are named",
        &["--gate", "maybe", "libx.so"],
        &["maybe", "auto", "off", "require"],
    ),
    (
        "an unknown option",
        &["--inotify", "libx.so"],
        &["unexpected argument", "--inotify"],
    ),
    (
        "neither a path nor a package",
        &[],
        &["required arguments", "<PATH>"],
    ),
    (
        "both a path and a package",
        &["-p", "plugin01", "libx.so"],
        &["cannot be used with", "--package"],
    ),
    (
        "a release build without a package",
        &["--release", "libx.so"],
        &["--package"],
    ),
    (
        "the profile of a build without a package",
        &["--profile", "dev", "libx.so"],
        &["--package"],
    ),
    (
        "the target directory of a build without a package",
        &["--target-dir", "x", "libx.so"],
        &["--package"],
    ),
];

#[test]
fn options_that_make_no_sense_are_bad_usage() {
    for_each_case(BAD_USAGE, |options, telling| {
        refused(options).assert_failed(2, telling);
    });
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

// The stage directory.

#[test]
fn a_stage_directory_that_cannot_be_made_is_an_error() {
    let scratch = Scratch::new();
    fs::write(scratch.join("file"), "").unwrap();
    let cases = [
        ("one that does not exist", "nowhere", "No such file"),
        ("one that is a file", "file", "Not a directory"),
    ];
    for_each_case(cases, |parent, reason| {
        let telling = ["cannot make a stage directory in", parent, reason];
        staged_in(&scratch, &scratch.join(parent)).assert_failed(1, &telling);
    });
}

#[test]
fn an_error_that_nobody_can_hear_still_has_its_status() {
    let scratch = Scratch::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let status = Command::new(program())
        .args(["run", "libx.so", "--stage-dir"])
        .arg(scratch.join("nowhere"))
        .stderr(writer)
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(1));
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

/// The places of type and machine in an ELF header, and some of their values (`man 5 elf`).
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

/// Puts `bad` in the place of a live library. It is kept out in words that hold all of `telling`, the live library
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

/// The ended `replug run`, after options that it refuses.
#[track_caller]
fn refused(options: &[&str]) -> Ended {
    let mut command = Command::new(program());
    command.arg("run").args(options);
    let ended = Program::start(command).end();
    assert_eq!(ended.said, []);
    ended
}

/// The ended program, after an order to keep its staged copies in `parent`.
#[track_caller]
fn staged_in(scratch: &Scratch, parent: &Path) -> Ended {
    let mut command = Command::new(program());
    command
        .args(["run", "--json", "--stage-dir"])
        .arg(parent)
        .arg(scratch.artifact().path());
    let ended = Program::start(command).end();
    assert_eq!(ended.said, []);
    ended
}
