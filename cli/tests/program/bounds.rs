//! What is too much: files of any size that cost nobody anything, limits of the process, directories that cannot be read
//! or hold too much. None of it ends the program, fills its disk, or keeps the neighbours waiting.

use std::fs::{self, File, Permissions};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use vocabulary::{Artifact, Program, Scratch, library, version};

const MANY_POLLS: Duration = Duration::from_millis(500);

const GIB: u64 = 1 << 30;

/// A directory to watch, with a neighbour in it that is to be loaded whatever lies beside it.
fn with_neighbour(scratch: &Scratch) -> (std::path::PathBuf, Artifact) {
    let directory = scratch.join("plugins");
    fs::create_dir(&directory).unwrap();
    let neighbour = Artifact::at(directory.join("libz.so"));
    neighbour.restore(&library(1));
    (directory, neighbour)
}

/// Makes a file that begins with `head`, ends with `tail`, and is nothing in between.
fn make_sparse(path: &Path, head: &[u8], size: u64, tail: &[u8]) {
    let mut file = File::create(path).unwrap();
    file.write_all(head).unwrap();
    file.set_len(size).unwrap();
    file.seek(SeekFrom::End(-(tail.len() as i64))).unwrap();
    file.write_all(tail).unwrap();
}

/// How many bytes the program has read so far, from files, pipes and all else.
fn bytes_read(program: &Program) -> u64 {
    let counts = fs::read_to_string(format!("/proc/{}/io", program.id())).unwrap();
    let read = counts.lines().find_map(|line| line.strip_prefix("rchar: "));
    read.unwrap().parse().unwrap()
}

/// Sets what the running program may have of something; returns what it might have before.
fn limit(program: &Program, resource: Resource, current: Option<u64>) -> Option<u64> {
    let pid = Pid::from_raw(program.id() as i32);
    let usual = rustix::process::getrlimit(resource);
    let new = Rlimit { current, ..usual };
    prlimit(pid, resource, new).unwrap().current
}

#[test]
fn a_file_larger_than_a_library_can_be_is_kept_out_unread_and_its_neighbour_is_loaded() {
    let scratch = Scratch::new();
    let (directory, _) = with_neighbour(&scratch);
    let large = directory.join("liba.so");
    make_sparse(&large, b"\x7fELF", 5 * GIB, b"");
    let mut program = Program::watch(&scratch, &directory, &[]);
    program.wait_for_answer(&version(1));
    program.go_on_for(MANY_POLLS);
    let kept = program.said("kept");
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!(kept[0].text("plugin"), "a");
    assert_eq!(kept[0].text("step"), "stage");
    for told in ["5368709120 bytes", "4294967296", "--max-size"] {
        assert!(kept[0].text("reason").contains(told), "{kept:?}");
    }
    assert!(bytes_read(&program) < GIB / 4);
    Artifact::at(&large).restore(&library(2));
    program.wait_for_answer(&version(2));
    program.stop_cleanly(&scratch);
}

#[test]
fn a_file_that_grows_without_end_is_said_once() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    let options = ["--max-size", "64K"];
    let mut program = Program::watch(&scratch, artifact.path(), &options);
    program.wait_for_event("started");
    make_sparse(artifact.path(), b"\x7fELF", 65 * 1024, b"");
    program.wait_for_event("kept");
    for more in 1..10 {
        let file = File::options().write(true).open(artifact.path()).unwrap();
        file.set_len((65 + more) * 1024).unwrap();
        program.go_on_for(MANY_POLLS / 10);
    }
    program.go_on_for(MANY_POLLS);
    assert_eq!(program.said("kept").len(), 1);
    program.stop_cleanly(&scratch);
}

#[test]
fn the_head_of_a_large_file_tells_that_it_is_no_library_before_the_rest_is_read() {
    let scratch = Scratch::new();
    let (directory, _) = with_neighbour(&scratch);
    let text = directory.join("liba.so");
    make_sparse(&text, b"#!/bin/sh\n", GIB, b"exit");
    let mut program = Program::watch(&scratch, &directory, &["--audit", "off"]);
    let kept = program.wait_for_event("kept");
    assert_eq!(kept.text("step"), "vet");
    assert!(
        kept.text("reason").contains("it starts with `#!/bin/sh"),
        "{kept:?}"
    );
    assert!(
        kept.0["sha256"].is_null(),
        "nobody knows its digest: {kept:?}"
    );
    program.wait_for_answer(&version(1));
    program.go_on_for(MANY_POLLS);
    assert_eq!(program.said("kept").len(), 1);
    assert!(bytes_read(&program) < GIB / 4);
    Artifact::at(&text).restore(&library(2));
    program.wait_for_answer(&version(2));
    program.stop_cleanly(&scratch);
}

#[test]
fn a_large_file_that_is_still_zeros_is_waited_for_without_being_read() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    make_sparse(artifact.path(), b"", GIB, b"");
    let mut program = Program::watch(&scratch, artifact.path(), &[]);
    program.wait_for_waiting("incomplete");
    program.go_on_for(MANY_POLLS);
    assert!(bytes_read(&program) < GIB / 4);
    assert_eq!(program.said("kept").len(), 0);
    artifact.restore(&library(1));
    program.wait_for_answer(&version(1));
    program.stop_cleanly(&scratch);
}

/// The system ends a process by a signal that writes more than it may.
#[test]
fn a_copy_larger_than_the_process_may_write_is_kept_out_until_it_may() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.replace_with(&library(1));
    let mut program = Program::watch(&scratch, artifact.path(), &[]);
    program.wait_for_answer(&version(1));
    let usual = limit(&program, Resource::Fsize, Some(10_000));
    artifact.replace_with(&library(2));
    let kept = program.wait_for_event("kept");
    let waits = program.said("waiting").len();
    assert_eq!(kept.text("step"), "stage");
    let size = library(2).len().to_string();
    for told in [size.as_str(), "10000", "ulimit -f"] {
        assert!(kept.text("reason").contains(told), "{kept:?}");
    }
    program.go_on_for(MANY_POLLS);
    assert_eq!(program.said("kept").len(), 1);
    assert_eq!(program.said("waiting").len(), waits, "it was told so");
    program.wait_for_answer(&version(1));
    limit(&program, Resource::Fsize, usual);
    program.wait_for_answer(&version(2));
    program.stop_cleanly(&scratch);
}

#[test]
fn a_process_that_may_open_no_more_files_says_so_and_goes_on_when_it_may() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.restore(&library(1));
    let mut program = Program::watch(&scratch, artifact.path(), &[]);
    program.wait_for_answer(&version(1));
    let usual = limit(&program, Resource::Nofile, Some(0));
    artifact.overwrite(&library(2));
    let line = program.wait_for_event("kept");
    assert!(line.text("reason").contains("ulimit -n"), "{line:?}");
    program.wait_for_answer(&version(1));
    limit(&program, Resource::Nofile, usual);
    program.wait_for_answer(&version(2));
    program.stop_cleanly(&scratch);
}

#[test]
fn a_library_for_which_there_is_no_memory_is_kept_out() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.replace_with(&library(1));
    let mut program = Program::watch(&scratch, artifact.path(), &[]);
    program.wait_for_answer(&version(1));
    let status = fs::read_to_string(format!("/proc/{}/status", program.id())).unwrap();
    let used = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
    let used = used.and_then(|it| it.trim().strip_suffix(" kB")).unwrap();
    let used: u64 = used.parse().unwrap();
    limit(&program, Resource::As, Some(used * 1024 + GIB / 2));
    let source = "char large[1 << 30];
        char *plugin_function(const char *input) { (void)input; return large; }
        void plugin_free(char *answer) { (void)answer; }";
    artifact.replace_with(&vocabulary::c_library(source, &scratch));
    let kept = program.wait_for_event("kept");
    assert_eq!(kept.text("step"), "load");
    assert_eq!(kept.number("generation"), 1);
    artifact.replace_with(&library(2));
    program.wait_for_answer(&version(2));
    program.stop_cleanly(&scratch);
}

#[test]
fn a_directory_below_that_may_not_be_read_is_said_and_all_others_are_loaded() {
    let scratch = Scratch::new();
    let directory = scratch.join("plugins");
    let (hidden, open) = (directory.join("hidden"), directory.join("open"));
    fs::create_dir_all(&hidden).unwrap();
    fs::create_dir_all(&open).unwrap();
    let in_hidden = Artifact::at(hidden.join("liba.so"));
    in_hidden.restore(&library(1));
    let mode = |mode| fs::set_permissions(&hidden, Permissions::from_mode(mode)).unwrap();
    let mut program = Program::start(unprivileged(&scratch, &directory));
    program.wait_for_answer(&version(1));
    // Its files can be reached, and their names not read.
    mode(0o711);
    let line = program.wait_for_event("warning");
    assert_eq!(line.text("about"), "unlisted");
    assert_eq!(line.text("path"), directory.to_str().unwrap());
    for told in [hidden.to_str().unwrap(), "permission denied"] {
        assert!(line.text("reason").contains(told), "{line:?}");
    }
    Artifact::at(open.join("libb.so")).restore(&library(2));
    program.wait_for_answer(&version(2));
    in_hidden.restore(&library(3));
    program.wait_for_answer(&version(3));
    Artifact::at(hidden.join("libc.so")).restore(&library(4));
    // Longer than an absence takes to be said.
    program.go_on_for(Duration::from_millis(2500));
    assert_eq!(program.said("warning").len(), 1);
    assert_eq!(
        program.said("missing").len() + program.said("degraded").len(),
        0
    );
    mode(0o755);
    program.wait_for_answer(&version(4));
    program.stop_cleanly(&scratch);
}

/// A program that searches two levels, as a user who may not do everything.
fn unprivileged(scratch: &Scratch, directory: &Path) -> Command {
    let mut command = Program::unprivileged_command(scratch);
    command
        .args(["--interval-ms", "20", "--every-ms", "20", "--depth", "2"])
        .arg(directory);
    command
}

#[test]
fn of_more_libraries_than_anybody_has_the_first_are_loaded_and_the_rest_is_said_to_be_left_out() {
    const MOST: u64 = 16 * 1024;
    let scratch = Scratch::new();
    let directory = scratch.join("plugins");
    fs::create_dir(&directory).unwrap();
    let empty = directory.join("libb.so");
    File::create(&empty).unwrap();
    for number in 0..MOST + 2 {
        fs::write(directory.join(format!("libc{number:05}.so")), "").unwrap();
    }
    Artifact::at(directory.join("liba.so")).restore(&library(1));
    let mut program = Program::watch(&scratch, &directory, &[]);
    let line = program.wait_for_event("warning");
    assert_eq!(line.text("about"), "too-many");
    for told in [MOST.to_string().as_str(), "4 are left out"] {
        assert!(line.text("reason").contains(told), "{line:?}");
    }
    program.wait_for_answer(&version(1));
    program.stop_cleanly(&scratch);
}
