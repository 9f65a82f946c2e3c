//! `replug run` with plugins that have an interface, of which it calls nothing; and the options that say more about a load.

use std::fs;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::fs::{CWD, Mode, OFlags, fcntl_getfl, fcntl_setfl, mkfifoat};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, kill_process};
use vocabulary::{
    Artifact, Doorbell, Ended, Program, Scratch, c_example, c_library, damaged, is_there, library,
    program, sleeper, specimen, version, wait_for_exit, wait_until,
};

/// A number of builds of a fixture at the path of the artifact, one after the other.
fn watch_two_builds(name: &str, interface: &str, level: &str) {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.replace_with(&specimen(name, 1));
    let mut program = Program::watch(&scratch, artifact.path(), &[]);
    let loaded = program.wait_for_generation(1);
    assert_eq!(loaded.text("interface"), interface);
    assert_eq!(loaded.text("level"), level);
    artifact.replace_with(&specimen(name, 2));
    program.wait_for_bytes(&specimen(name, 2));
    let ended = program.stop_cleanly(&scratch);
    assert_eq!(ended.stderr, "");
    for event in ["kept", "result"] {
        assert_eq!(ended.said(event).len(), 0, "{event}");
    }
}

#[test]
fn a_plugin_with_an_interface_is_loaded_and_reloaded_and_nothing_of_it_is_called() {
    // Were its hooks called, it would be kept out.
    watch_two_builds("init_panics", "Fixture version 1", "plain");
}

#[test]
fn a_plugin_of_the_rust_level_is_loaded_and_reloaded_and_nothing_of_it_is_called() {
    watch_two_builds("costs", "Costs version 1", "rust");
}

#[test]
fn a_directory_holds_plugins_of_either_kind() {
    let scratch = Scratch::new();
    let directory = scratch.join("plugins");
    fs::create_dir(&directory).unwrap();
    let handler = c_library(&c_example("handler.c"), &scratch);
    Artifact::at(directory.join("libhandler.so")).replace_with(&handler);
    Artifact::at(directory.join("libplugin01.so")).replace_with(&library(1));
    let mut program = Program::watch(&scratch, &directory, &[]);
    program.wait_for_answer(&version(1));
    let is_handler = |line: &vocabulary::Line| line.0["interface"] == "Handler version 1";
    if !program.said.iter().any(is_handler) {
        program.wait_for("the handler", is_handler);
    }
    program.stop_cleanly(&scratch);
}

#[test]
fn a_plugin_that_no_host_could_call_is_kept_out_with_the_reason() {
    for (content, words) in [
        (
            specimen("aborts", 1),
            "it was built with `panic = \"abort\"`",
        ),
        (
            damaged("init_panics", b"replug handshake 3", b"replug handshake 9"),
            "its handshake is `replug handshake 9`",
        ),
        (
            damaged("costs", b"layout Entry size 24", b"layout Entry size 32"),
            "a table of replug's own lies differently",
        ),
    ] {
        let scratch = Scratch::new();
        scratch.artifact().replace_with(&content);
        let options = ["--exit-on-kept"];
        let ended = Program::watch(&scratch, scratch.artifact().path(), &options).end();
        let kept = ended.said("kept");
        assert_eq!(kept[0].text("step"), "handshake", "{:?}", kept[0]);
        assert!(kept[0].text("reason").contains(words), "{:?}", kept[0]);
    }
}

#[test]
fn a_function_that_is_named_must_be_one() {
    for (symbol, words) in [
        ("add", "it does not export `add`"),
        (
            "replug_handshake",
            "it exports `replug_handshake` as data, where the host needs a function",
        ),
        (
            "replug_entry",
            "it exports `replug_entry` as data, where the host needs a function",
        ),
    ] {
        let scratch = Scratch::new();
        scratch.artifact().replace_with(&specimen("pure", 1));
        let options = ["--call", symbol, "--exit-on-kept"];
        let ended = Program::watch(&scratch, scratch.artifact().path(), &options).end();
        let kept = ended.said("kept");
        assert_eq!(kept[0].text("step"), "vet", "{:?}", kept[0]);
        assert!(kept[0].text("reason").contains(words), "{:?}", kept[0]);
    }
}

// The end of a run that comes to nothing.

#[test]
fn the_first_build_that_is_kept_out_ends_a_run_that_is_to_end_then() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.replace_with(&library(1));
    let mut program = Program::watch(&scratch, artifact.path(), &["--exit-on-kept"]);
    program.wait_for_answer(&version(1));
    artifact.replace_with(b"#!/bin/sh\n");
    let ended = program.end();
    ended.assert_failed(
        1,
        &["cannot go on: a build was kept out", "`--exit-on-kept`"],
    );
    assert_eq!(ended.said("kept").len(), 1);
    assert_eq!(ended.said.last().unwrap().event(), "stopped");
    scratch.assert_nothing_staged();
}

#[test]
fn a_run_in_which_nothing_comes_to_life_in_time_fails_and_says_what_was_waited_for() {
    let scratch = Scratch::new();
    let options = ["--timeout-s", "1"];
    let ended = Program::watch(&scratch, scratch.artifact().path(), &options).end();
    ended.assert_failed(1, &["after 1 s (`--timeout-s`)", "there is no library yet"]);
    assert_eq!(ended.said.last().unwrap().event(), "stopped");
    scratch.assert_nothing_staged();
}

#[test]
fn a_run_in_which_something_is_live_goes_on_beyond_that_time() {
    let scratch = Scratch::new();
    scratch.artifact().replace_with(&library(1));
    // Calls for 3.6 s.
    let options = ["--timeout-s", "3", "--every-ms", "1200", "--count", "4"];
    let ended = Program::watch(&scratch, scratch.artifact().path(), &options).end();
    ended.assert_quiet_success();
    assert_eq!(ended.said("result").len(), 4);
}

// A command after each load.

#[test]
fn a_command_hears_of_each_load() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.replace_with(&library(1));
    let (heard, aside) = (scratch.join("heard"), scratch.join("aside"));
    let words = "$REPLUG_PLUGIN $REPLUG_GENERATION $REPLUG_DIGEST $REPLUG_PATH $$";
    let command = format!(
        "echo \"{words}\" > '{}' && exec mv '{}' '{}'",
        aside.display(),
        aside.display(),
        heard.display()
    );
    let mut program = Program::watch(&scratch, artifact.path(), &["--on-load", &command]);
    for generation in 1..=2 {
        artifact.replace_with(&library(generation));
        let loaded = program.wait_for_generation(generation.into());
        let (digest, path) = (loaded.text("sha256"), loaded.text("path"));
        let told = format!("plugin01 {generation} {digest} {path} ");
        let mut number = String::new();
        wait_until("word of the load", || {
            let heard = fs::read_to_string(&heard).unwrap_or_default();
            number = heard.strip_prefix(&told).unwrap_or_default().to_owned();
            !number.is_empty()
        });
        // A command that still runs would be ended with the program, which says so.
        wait_until("the end of the command", || !is_there(number.trim()));
    }
    let ended = program.stop_cleanly(&scratch);
    assert_eq!(ended.said("command").len(), 0);
}

#[test]
fn a_command_that_fails_is_said_and_what_it_says_is_no_json_line() {
    let scratch = Scratch::new();
    scratch.artifact().replace_with(&library(1));
    let options = ["--on-load", "echo words of its own; exit 3"];
    let mut program = Program::watch(&scratch, scratch.artifact().path(), &options);
    let failed = program.wait_for_event("command");
    assert_eq!(failed.number("generation"), 1);
    assert_eq!(failed.text("reason"), "it ended with exit status: 3");
    program.wait_for_answer(&version(1));
    let ended = program.stop_cleanly(&scratch);
    assert_eq!(ended.stderr, "words of its own\n");
}

#[test]
fn a_command_that_does_not_end_holds_up_nothing_and_is_ended_with_the_run() {
    /// On a busy machine the run is late, and then it is ended from outside, before it has said what became of the command.
    const TRIES: u32 = 10;
    let mut tries = (0..TRIES).map(|_| end_with_a_command());
    let in_time = tries.find(|ended| !ended.stderr.contains("did not return in time"));
    let ended = in_time.expect("an end from inside");
    let failed = ended.said("command");
    assert_eq!(failed.len(), 1, "the second load was not heard of");
    assert_eq!(failed[0].text("reason"), "it was ended with the run");
}

/// Ends a run whose command of the first load does not end by itself.
#[track_caller]
fn end_with_a_command() -> Ended {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.replace_with(&library(1));
    let fifo = scratch.join("fifo");
    mkfifoat(CWD, &fifo, Mode::RWXU).unwrap();
    // Nobody ever writes to it.
    let command = format!("cat '{}'", fifo.display());
    let mut program = Program::watch(&scratch, artifact.path(), &["--on-load", &command]);
    program.wait_for_answer(&version(1));
    artifact.replace_with(&library(2));
    program.wait_for_answer(&version(2));
    let ended = program.stop_cleanly(&scratch);
    assert_eq!(ended.said.last().unwrap().event(), "stopped");
    ended
}

/// A command that tells its number, and does not end by itself.
struct Endless {
    number: PathBuf,
    fifo: PathBuf,
}

impl Endless {
    fn new(scratch: &Scratch) -> Endless {
        let (number, fifo) = (scratch.join("number"), scratch.join("fifo"));
        mkfifoat(CWD, &fifo, Mode::RWXU).unwrap();
        Endless { number, fifo }
    }

    fn command(&self) -> String {
        format!(
            "echo $$ > '{0}.new' && mv '{0}.new' '{0}' && cat '{1}'",
            self.number.display(),
            self.fifo.display()
        )
    }

    #[track_caller]
    fn wait_for_begin(&self) {
        wait_until("the command", || self.number.exists());
    }

    #[track_caller]
    fn wait_for_end(&self) {
        let number = fs::read_to_string(&self.number).unwrap();
        wait_until("the end of the command", || !is_there(number.trim()));
    }
}

#[test]
fn a_command_is_ended_with_a_run_that_is_stuck_in_a_call() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.replace_with(&sleeper());
    let (doorbell, endless) = (Doorbell::new(), Endless::new(&scratch));
    let options = ["--on-load", &endless.command(), "--arg", doorbell.address()];
    let program = Program::watch(&scratch, artifact.path(), &options);
    let _inside = doorbell.wait();
    endless.wait_for_begin();
    program.stop();
    endless.wait_for_end();
}

#[test]
fn a_command_is_ended_with_a_run_that_is_stuck_though_nobody_takes_its_words() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.replace_with(&sleeper());
    let (doorbell, endless) = (Doorbell::new(), Endless::new(&scratch));
    let (_reader, full) = full_pipe();
    let mut command = Program::command(&scratch);
    command.args(["--on-load", &endless.command(), "--arg", doorbell.address()]);
    command.arg(artifact.path());
    let mut child = command.stdout(Stdio::null()).stderr(full).spawn().unwrap();
    let _inside = doorbell.wait();
    endless.wait_for_begin();
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    wait_for_exit(&mut child);
    endless.wait_for_end();
}

/// A pipe into which nothing fits any more, so that who writes to it waits.
fn full_pipe() -> (OwnedFd, OwnedFd) {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
    let flags = fcntl_getfl(&writer).unwrap();
    fcntl_setfl(&writer, flags | OFlags::NONBLOCK).unwrap();
    while rustix::io::write(&writer, &[b'x'; 4096]).is_ok() {}
    fcntl_setfl(&writer, flags).unwrap();
    (reader, writer)
}

// Misuse.

#[test]
fn a_misuse_of_a_subcommand_names_its_own_usage() {
    let misused = |options: &[&str]| -> Ended {
        let mut command = Command::new(program());
        command.args(options);
        Program::start(command).end()
    };
    for (options, usage) in [
        (
            &["run", "--release", "x"][..],
            "Usage: replug run [OPTIONS] <PATH>",
        ),
        (&["run", "/dev/null"], "Usage: replug run [OPTIONS] <PATH>"),
        (&["run"], "Usage: replug run [OPTIONS] <PATH>"),
        (&["inspect"], "Usage: replug inspect [OPTIONS] <FILE>"),
        (
            &["publish", "x"],
            "Usage: replug publish [OPTIONS] <FILE> <DEST>",
        ),
    ] {
        misused(options).assert_failed(2, &[usage]);
    }
}
