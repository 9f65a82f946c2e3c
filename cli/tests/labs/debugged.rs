//! A lab for those who read a plugin's debug information while it is reloaded: gdb, and the standard library for the
//! backtrace of a panic. They map whole files, and keep them.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};
use vocabulary::{Program, Scratch, backtracer, program, version, wait_for_exit, wait_until};

use crate::assert_installed;
use crate::mounts::{Mounted, with_mounts};

/// The line of [`source`] at which gdb is to stop.
const STOP: usize = 8;

/// A plugin in C, in which a local variable has its number.
fn source(number: u32) -> String {
    format!(
        r#"#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
char *plugin_function(const char *input) {{
    int number = {number};
    int process = getpid();
    char *answer = malloc(100);
    snprintf(answer, 100, "number %d in process %d for %s", number, process, input);
    return answer;
}}
void plugin_free(char *answer) {{ free(answer); }}
"#
    )
}

/// Builds the plugin of this number, and puts it in place.
fn build(scratch: &Scratch, number: u32) {
    let (source_path, built) = (scratch.join("stopped.c"), scratch.join("built.so"));
    fs::write(&source_path, source(number)).unwrap();
    let compiled = Command::new("cc")
        .args(["-g", "-O0", "-shared", "-fPIC", "-o"])
        .args([&built, &source_path])
        .status();
    assert!(compiled.expect("cc can be started").success());
    fs::rename(built, scratch.artifact().path()).unwrap();
}

#[test]
fn a_breakpoint_that_was_set_once_stops_in_each_generation() {
    assert_installed("gdb");
    let scratch = Scratch::new();
    let [script, told, said] = ["script", "told", "said"].map(|name| scratch.join(name));
    let mut command = Program::command(&scratch);
    command
        .args(["--interval-ms", "20", "--every-ms", "100"])
        .arg(scratch.artifact().path());
    let arguments: Vec<_> = command.get_args().filter_map(OsStr::to_str).collect();
    fs::write(
        &script,
        format!(
            "set debuginfod enabled off\nset pagination off\nset breakpoint pending on\n\
             break stopped.c:{STOP}\ncommands\nsilent\nframe\ninfo locals\ncontinue\nend\n\
             handle SIGTERM nostop noprint pass\nrun {} > {}\n",
            arguments.join(" "),
            said.display()
        ),
    )
    .unwrap();
    build(&scratch, 1);
    let mut gdb = Command::new("gdb");
    gdb.args(["-nx", "-batch", "-x"])
        .arg(&script)
        .arg(command.get_program())
        .stdout(File::create(&told).unwrap())
        .stderr(File::create(scratch.join("errors")).unwrap());
    let mut gdb = gdb.spawn().expect("gdb can be started");
    for number in 1..=3 {
        if number > 1 {
            build(&scratch, number);
        }
        wait_until(&format!("stop in generation {number}"), || {
            stops(&told).contains(&number)
        });
    }
    let process = value_after(&fs::read_to_string(&told).unwrap(), "process = ");
    let process = process.expect("a local variable has it");
    let process = Pid::from_raw(process.try_into().unwrap()).unwrap();
    kill_process(process, Signal::TERM).unwrap();
    wait_for_exit(&mut gdb);
    let told = fs::read_to_string(&told).unwrap();
    assert!(told.contains("exited normally"), "the host lives: {told}");
    scratch.assert_nothing_staged();
}

/// The numbers that gdb has read from the local variable at the right line.
fn stops(told: &Path) -> Vec<u32> {
    let told = fs::read_to_string(told).unwrap();
    let frames = told.split("plugin_function").skip(1);
    let right = frames.filter(|frame| frame.contains(&format!("stopped.c:{STOP}\n")));
    right
        .filter_map(|frame| value_after(frame, "number = "))
        .collect()
}

fn value_after(text: &str, name: &str) -> Option<u32> {
    let (_, rest) = text.split_once(name)?;
    rest.split(|c: char| !c.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}

/// A copy of the program without debug information. Each plugin's copy of the standard library keeps for itself what it
/// has read of the program's: 45 MB of memory each.
fn stripped_program(scratch: &Scratch) -> PathBuf {
    let copy = scratch.join("replug");
    let mut strip = Command::new("strip");
    let stripped = strip.arg("-o").args([&copy, &program()]).status();
    assert!(stripped.expect("this lab needs strip").success());
    copy
}

#[test]
fn a_storm_of_builds_that_panic_and_leave_threads_taking_backtraces_kills_nothing() {
    /// 960 builds passed as well, nearly as many as a process has thread-local keys for, in three minutes.
    const BUILDS: u32 = 100;
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    let mut command = Command::new(stripped_program(&scratch));
    command.args(Program::command(&scratch).get_args());
    command
        .env("RUST_BACKTRACE", "1")
        .args(["--interval-ms", "2", "--every-ms", "1000"])
        .arg(artifact.path());
    // The C library's own, where it is installed, is read by each of them as well.
    let hidden = Path::new("/usr/lib/debug");
    let mounts = hidden
        .exists()
        .then(|| Mounted::tmpfs(hidden, "size=64k".to_owned()));
    let mut program = Program::start(with_mounts(&command, mounts.as_slice()));
    for number in 1..=BUILDS {
        artifact.link(&backtracer(number));
        let answer = format!("{} true true", version(number));
        program.wait_for_answer(&answer);
    }
    let ended = program.stop();
    assert!(ended.status.success(), "{}", ended.status);
    assert!(ended.stderr.contains("to see its backtrace"));
    assert_eq!(ended.said("loaded").len(), BUILDS as usize);
    scratch.assert_nothing_staged();
}
