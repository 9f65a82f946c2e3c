//! Every way of ending: by a signal in each state, by the count, by whoever reads the output.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::ioctl_fionread;
use rustix::pipe::PipeFlags;
use rustix::process::{Pid, Signal, kill_process};
use vocabulary::{
    Doorbell, Ended, Package, Program, Scratch, Terminal, library, program, sleeper, version,
    wait_for_exit, wait_until,
};

/// Far more time than stopping takes, and far less than anything else that the program could wait for: these tests
/// let it poll and call once a day.
const PROMPT: Duration = Duration::from_secs(10);

/// A day, in milliseconds.
const RARELY: &str = "86400000";

const SIGNALS: [Signal; 3] = [Signal::INT, Signal::TERM, Signal::HUP];

/// Brings a program into a state for each signal, sends the signal, and checks that the program ends well and soon.
#[track_caller]
fn assert_signals_end(reach: impl Fn(&Scratch) -> Program) {
    for signal in SIGNALS {
        let scratch = Scratch::new();
        let program = reach(&scratch);
        let ended = end_by(signal, program);
        ended.assert_quiet_success();
        let stopped = ended.said.last().expect("it has said something");
        assert_eq!(stopped.event(), "stopped", "{signal:?}: {stopped:?}");
        scratch.assert_nothing_staged();
    }
}

#[track_caller]
fn end_by(signal: Signal, program: Program) -> Ended {
    program.signal(signal);
    let told = Instant::now();
    let ended = program.end();
    let took = told.elapsed();
    assert!(took < PROMPT, "{signal:?}: it took {took:?} to end");
    ended
}

#[test]
fn a_signal_ends_it_while_it_waits_for_a_file() {
    assert_signals_end(|scratch| {
        let options = ["--interval-ms", RARELY, "--every-ms", RARELY];
        let mut program = Program::watch(scratch, scratch.artifact().path(), &options);
        program.wait_for_event("waiting");
        program
    });
}

#[test]
fn a_signal_ends_it_while_it_serves() {
    assert_signals_end(|scratch| {
        scratch.artifact().replace_with(&library(1));
        let options = ["--interval-ms", RARELY, "--every-ms", RARELY];
        let mut program = Program::watch(scratch, scratch.artifact().path(), &options);
        program.wait_for_answer(&version(1));
        program
    });
}

#[test]
fn a_signal_ends_it_while_it_calls_without_a_pause() {
    assert_signals_end(|scratch| {
        scratch.artifact().replace_with(&library(1));
        let options = ["--interval-ms", "1", "--every-ms", "0"];
        let mut program = Program::watch(scratch, scratch.artifact().path(), &options);
        program.wait_for_answer(&version(1));
        program
    });
}

#[test]
fn a_signal_ends_it_while_a_file_is_incomplete() {
    assert_signals_end(|scratch| {
        let artifact = scratch.artifact();
        artifact.overwrite(&library(1)[..1000]);
        let mut program = Program::watch(scratch, artifact.path(), &[]);
        program.wait_for_waiting("incomplete");
        program
    });
}

#[test]
fn a_signal_ends_it_while_a_build_holds_the_gate_shut() {
    for signal in SIGNALS {
        let scratch = Scratch::new();
        scratch.artifact().replace_with(&library(1));
        let lock = File::create(scratch.join(".cargo-lock")).unwrap();
        lock.try_lock().expect("nobody else knows of this lock");
        let options = ["--gate-max-ms", RARELY];
        let mut program = Program::watch(&scratch, scratch.artifact().path(), &options);
        let line = program.wait_for_event("waiting");
        assert_eq!(line.text("reason"), "gated");
        let ended = end_by(signal, program);
        ended.assert_quiet_success();
        assert_eq!(ended.said("loaded").len(), 0);
        scratch.assert_nothing_staged();
    }
}

#[test]
fn a_signal_ends_it_while_cargo_builds() {
    for signal in SIGNALS {
        let scratch = Scratch::new();
        let doorbell = Doorbell::new();
        let program = building(&scratch, &doorbell);
        let _build_script = doorbell.wait();
        let ended = end_by(signal, program);
        assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
        assert_eq!(ended.said("loaded").len(), 0);
        scratch.assert_nothing_staged();
    }
}

#[test]
fn a_build_that_was_stopped_goes_on_nowhere() {
    let scratch = Scratch::new();
    let doorbell = Doorbell::new();
    let program = building(&scratch, &doorbell);
    let build_script = doorbell.wait();
    end_by(Signal::TERM, program);
    build_script.wait_for_end();
}

/// The program while cargo runs a build script that rings at `doorbell`, and then waits for us to hang up or to
/// be ended.
fn building(scratch: &Scratch, doorbell: &Doorbell) -> Program {
    let package = Package::plugin(scratch, "never built");
    let script = format!(
        "fn main() {{
            let mut bell = std::net::TcpStream::connect({:?}).unwrap();
            let _ = std::io::Read::read(&mut bell, &mut [0]);
        }}",
        doorbell.address()
    );
    package.write("build.rs", &script);
    let mut command = Program::command(scratch);
    command.args(package.options());
    Program::start(command)
}

#[test]
fn a_signal_ends_it_inside_a_call_that_never_returns() {
    for signal in SIGNALS {
        let scratch = Scratch::new();
        let doorbell = Doorbell::new();
        scratch.artifact().replace_with(&sleeper());
        let options = ["--arg", doorbell.address()];
        let program = Program::watch(&scratch, scratch.artifact().path(), &options);
        let _call = doorbell.wait();
        let ended = end_by(signal, program);
        ended.assert_failed(0, &["did not return in time"]);
        assert_eq!(ended.said("loaded").len(), 1);
        assert_eq!(ended.said.last().unwrap().event(), "stopped");
        scratch.assert_nothing_staged();
    }
}

#[test]
fn a_second_signal_is_the_same_request() {
    let scratch = Scratch::new();
    let doorbell = Doorbell::new();
    scratch.artifact().replace_with(&sleeper());
    let options = ["--arg", doorbell.address()];
    let program = Program::watch(&scratch, scratch.artifact().path(), &options);
    let _call = doorbell.wait();
    program.signal(Signal::INT);
    program.signal(Signal::INT);
    let ended = end_by(Signal::TERM, program);
    assert_eq!(ended.status.code(), Some(0));
    assert_eq!(ended.said("stopped").len(), 1);
    scratch.assert_nothing_staged();
}

#[test]
fn a_signal_ends_it_while_nobody_reads_its_output() {
    let scratch = Scratch::new();
    scratch.artifact().replace_with(&library(1));
    let mut child = Program::command(&scratch)
        .args(["--every-ms", "0"])
        .arg(scratch.artifact().path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // A pipe holds 16 pages, and a line that does not fit into one begins the next.
    const ALMOST_FULL: u64 = 16 * (4096 - 512);
    let output = child.stdout.take().unwrap();
    wait_until("full pipe", || {
        rustix::io::ioctl_fionread(&output).unwrap() > ALMOST_FULL
    });
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), Signal::INT).unwrap();
    let told = Instant::now();
    let status = wait_for_exit(&mut child);
    assert!(told.elapsed() < PROMPT);
    assert_eq!(status.code(), Some(0));
    scratch.assert_nothing_staged();
}

#[test]
fn a_reader_that_has_seen_enough_ends_it_quietly() {
    let scratch = Scratch::new();
    scratch.artifact().replace_with(&library(1));
    for style in [&["--json"][..], &[]] {
        let mut child = Command::new(program())
            .args(["run", "--every-ms", "1", "--stage-dir"])
            .arg(scratch.stage())
            .args(style)
            .arg(scratch.artifact().path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // As `head -1` does: reads a line, and closes.
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert!(line.contains("libplugin01.so"), "{line}");
        assert_eq!(wait_for_exit(&mut child).code(), Some(0));
        let mut stderr = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut stderr)
            .unwrap();
        assert_eq!(stderr, "");
        scratch.assert_nothing_staged();
    }
}

#[test]
fn a_count_of_three_ends_it_after_exactly_three_results() {
    let scratch = Scratch::new();
    scratch.artifact().replace_with(&library(1));
    let options = ["--count", "3"];
    let ended = Program::watch(&scratch, scratch.artifact().path(), &options).end();
    ended.assert_quiet_success();
    assert_eq!(ended.said("result").len(), 3);
    assert_eq!(ended.said.last().unwrap().event(), "stopped");
    scratch.assert_nothing_staged();
}

#[test]
fn a_count_is_kept_to_among_several_plugins() {
    let scratch = Scratch::new();
    let directory = scratch.join("plugins");
    fs::create_dir(&directory).unwrap();
    for number in 1..=3 {
        fs::write(directory.join(format!("lib{number}.so")), library(number)).unwrap();
    }
    let ended = Program::watch(&scratch, &directory, &["--count", "100"]).end();
    ended.assert_quiet_success();
    assert_eq!(ended.said("loaded").len(), 3, "too few calls to see this");
    assert_eq!(ended.said("result").len(), 100);
    scratch.assert_nothing_staged();
}

#[test]
fn its_last_line_counts_polls_digests_and_reloads() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.replace_with(&library(1));
    let mut program = Program::watch(&scratch, artifact.path(), &[]);
    for number in 2..=4 {
        program.wait_for_answer(&version(number - 1));
        artifact.replace_with(&library(number));
    }
    program.wait_for_answer(&version(4));
    let ended = program.stop();
    let stopped = ended.said.last().unwrap();
    assert_eq!(stopped.event(), "stopped");
    assert_eq!(stopped.number("reloads"), 3, "the first load is none");
    let (polls, digests) = (stopped.number("polls"), stopped.number("digests"));
    // Each build is read once or, without better evidence, twice, and once more if its snapshot was racy.
    assert!((4..=4 * 3).contains(&digests), "{stopped:?}");
    assert!(polls >= digests, "no poll reads twice: {stopped:?}");
}

#[test]
fn on_a_terminal_the_status_stays_on_one_line_and_no_result_is_repeated() {
    /// Too few columns for the status, which must be cut instead of going on in the next line.
    const COLUMNS: u16 = 40;
    const CLEAR_LINE: &str = "\r\x1b[2K";
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.replace_with(&library(1));
    let mut command = Command::new(program());
    command
        .args(["run", "--interval-ms", "20", "--every-ms", "20"])
        .arg("--stage-dir")
        .arg(scratch.stage())
        .arg(artifact.path());
    let mut terminal = Terminal::start(&mut command, COLUMNS);
    let lines_with = |terminal: &Terminal, text: &str| -> usize {
        let screen = terminal.screen();
        screen.iter().filter(|line| line.contains(text)).count()
    };
    let status_changes = |terminal: &Terminal| terminal.text().matches(CLEAR_LINE).count();

    terminal.wait_for("answer", |it| lines_with(it, &version(1)) > 0);
    let before = status_changes(&terminal);
    terminal.wait_for("changing status", |it| status_changes(it) > before + 30);
    assert_eq!(lines_with(&terminal, &version(1)), 1);

    artifact.replace_with(&library(2));
    terminal.wait_for("next answer", |it| lines_with(it, &version(2)) > 0);
    let before = status_changes(&terminal);
    terminal.wait_for("changing status", |it| status_changes(it) > before + 30);
    assert_eq!(lines_with(&terminal, &version(2)), 1);
    let screen = terminal.screen();
    let status = screen.last().unwrap();
    assert!(status.starts_with("generation 2 | "), "{screen:#?}");
    assert_eq!(lines_with(&terminal, " | "), 1, "{screen:#?}");
    for status in terminal.text().split(CLEAR_LINE) {
        let width = status.chars().count();
        let is_status = !status.contains('\n');
        assert!(
            !is_status || width < COLUMNS.into(),
            "{status:?} is too wide"
        );
    }

    rustix::process::kill_process(terminal.id(), Signal::INT).unwrap();
    assert_eq!(terminal.end().code(), Some(0));
    let screen = terminal.screen();
    assert_eq!(lines_with(&terminal, " | "), 0, "the status is left behind");
    let [.., last, end] = screen.as_slice() else {
        panic!("{screen:#?}")
    };
    assert!(last.starts_with("stopped"), "{screen:#?}");
    assert_eq!(end, "", "the shell's prompt belongs at the start of a line");
    scratch.assert_nothing_staged();
}

/// Room in a pipe that a program fills before anybody reads from it, in bytes.
const PIPE: u64 = 64 * 1024;

/// A pipe whose writer does not wait for room, as some parents leave theirs: the reader and the writer.
fn impatient_pipe() -> (File, File) {
    let (reader, writer) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).unwrap();
    let flags = fcntl_getfl(&writer).unwrap();
    fcntl_setfl(&writer, flags | OFlags::NONBLOCK).unwrap();
    (reader.into(), writer.into())
}

/// Waits until hardly anything more fits into a pipe.
#[track_caller]
fn wait_until_full(reader: &File) {
    /// More than one line.
    const LINE: u64 = 4 * 1024;
    wait_until("a full pipe", || {
        ioctl_fionread(reader).unwrap() > PIPE - LINE
    });
}

#[test]
fn a_reader_who_is_slow_gets_every_line_whole_though_the_pipe_waits_for_nobody() {
    const CALLS: usize = 2000;
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.link(&library(1));
    let (mut reader, writer) = impatient_pipe();
    let mut command = Program::command(&scratch);
    command.args(["--every-ms", "0", "--count", &CALLS.to_string()]);
    command
        .arg(artifact.path())
        .stdout(writer)
        .stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    // The command has the writer open, too.
    drop(command);
    wait_until_full(&reader);
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(wait_for_exit(&mut child).code(), Some(0));
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is whole"))
        .collect();
    let results = lines.iter().filter(|line| line["event"] == "result");
    assert_eq!(results.count(), CALLS);
    assert_eq!(lines.last().unwrap()["event"], "stopped");
    scratch.assert_nothing_staged();
}

#[test]
fn a_signal_ends_it_while_it_waits_for_a_reader_of_such_a_pipe() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.link(&library(1));
    let (reader, writer) = impatient_pipe();
    let mut command = Program::command(&scratch);
    command.args(["--every-ms", "0"]).arg(artifact.path());
    let mut child = command
        .stdout(writer)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    drop(command);
    wait_until_full(&reader);
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(wait_for_exit(&mut child).code(), Some(0));
    scratch.assert_nothing_staged();
}
