//! The demo of README, done as README says, line by line: nothing in it is older than the program.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Instant;

use replug::outcome::Waiting;
use rustix::process::{Pid, Signal, kill_process};
use vocabulary::{DEADLINE, Scratch, program, wait_for_exit, workspace};

/// What README shows of the program, one list of lines for each block, and the command of the first.
struct Demo {
    arguments: Vec<String>,
    blocks: Vec<Vec<String>>,
}

impl Demo {
    fn of_readme() -> Demo {
        let readme = fs::read_to_string(workspace().join("README.md")).unwrap();
        let blocks = readme.split("```console\n").skip(1);
        let blocks = blocks.map(|rest| rest.split("```").next().unwrap());
        let mut blocks: Vec<Vec<String>> = blocks
            .map(|block| block.lines().map(str::to_owned).collect())
            .collect();
        let command = blocks[0].remove(0);
        let (_, arguments) = command.split_once("$ cargo run -- ").unwrap();
        Demo {
            arguments: arguments.split(' ').map(str::to_owned).collect(),
            blocks,
        }
    }
}

/// A line without what differs from run to run: digests, milliseconds, and the name of the filesystem.
fn shape(line: &str) -> String {
    let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    for at in 0..words.len() {
        let bare = words[at].trim_matches(['(', ')', ':', ',']).to_owned();
        let is_digest = bare.len() == 8 && bare.chars().all(|it| it.is_ascii_hexdigit());
        let is_time = words.get(at + 1).is_some_and(|next| next == "ms");
        let is_filesystem = at > 0 && words[at - 1] == "filesystem";
        if is_digest || is_time || is_filesystem {
            words[at] = words[at].replace(&bare, "..");
        }
    }
    words.join(" ")
}

fn is_waiting(line: &str) -> bool {
    line.starts_with("plugin01: waiting: ")
}

fn is_answer(line: &str) -> bool {
    line.contains(" says ")
}

/// Waits until the program has said the lines of a block, in order. In between it may say that it waits, for a poll
/// may fall into a write or not, and repeat its last answer.
#[track_caller]
fn wait_for(block: &[String], lines: &Receiver<String>, answer: &mut String) {
    let deadline = Instant::now() + DEADLINE;
    let mut wanted = block.iter().filter(|line| !is_waiting(line)).peekable();
    while let Some(next) = wanted.peek() {
        let left = deadline.saturating_duration_since(Instant::now());
        let said = lines.recv_timeout(left);
        let said = said.unwrap_or_else(|error| panic!("no {next:?}: {error}"));
        if shape(&said) == shape(next) {
            wanted.next();
            if is_answer(&said) {
                *answer = said;
            }
        } else {
            let is_expected = is_waiting(&said) || said == *answer;
            assert!(is_expected, "{said:?} instead of {next:?}");
        }
    }
}

#[test]
fn the_demo_says_what_readme_says() {
    let demo = Demo::of_readme();
    let scratch = Scratch::new();
    let source: PathBuf = scratch.join("plugin01/src/lib.rs");
    fs::create_dir_all(source.parent().unwrap()).unwrap();
    fs::copy(workspace().join("plugin01/src/lib.rs"), &source).unwrap();
    let manifest = "[package]\nname = \"plugin01\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[lib]\ncrate-type = [\"cdylib\"]\n";
    fs::write(scratch.join("plugin01/Cargo.toml"), manifest).unwrap();
    let members = "[workspace]\nresolver = \"3\"\nmembers = [\"plugin01\"]\n";
    fs::write(scratch.join("Cargo.toml"), members).unwrap();

    let mut running = Command::new(program())
        .args(&demo.arguments)
        .current_dir(scratch.path())
        .env("TMPDIR", scratch.stage())
        .env_remove("CARGO_TARGET_DIR")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (sender, lines) = mpsc::channel();
    let output = BufReader::new(running.stdout.take().unwrap());
    thread::spawn(move || {
        for line in output.lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    let [started, built, garbage] = demo.blocks.as_slice() else {
        panic!("README shows {} blocks", demo.blocks.len());
    };
    let mut answer = String::new();
    wait_for(started, &lines, &mut answer);

    let edited = fs::read_to_string(&source).unwrap();
    fs::write(&source, edited.replace("\"0.1.0\"", "\"0.2.0\"")).unwrap();
    let build = Command::new("cargo")
        .args(["build", "--quiet", "-p", "plugin01"])
        .current_dir(scratch.path())
        .env_remove("CARGO_TARGET_DIR")
        .status();
    assert!(
        build.unwrap().success(),
        "the edited plugin does not compile"
    );
    wait_for(built, &lines, &mut answer);

    let hurt = Command::new("sh")
        .args(["-c", "echo garbage > target/debug/libplugin01.so"])
        .current_dir(scratch.path())
        .status();
    assert!(hurt.unwrap().success());
    wait_for(garbage, &lines, &mut answer);

    kill_process(Pid::from_child(&running), Signal::INT).unwrap();
    assert!(wait_for_exit(&mut running).success());
    scratch.assert_nothing_staged();
}

#[test]
fn what_readme_shows_of_waiting_is_what_the_program_says_then() {
    let reasons = [
        Waiting::Missing,
        Waiting::Gated,
        Waiting::Settling,
        Waiting::Incomplete,
    ];
    let said =
        reasons.map(|reason| format!("plugin01: waiting: {reason} (target/debug/libplugin01.so)"));
    let blocks = Demo::of_readme().blocks.concat();
    let shown: Vec<_> = blocks.iter().filter(|line| is_waiting(line)).collect();
    assert!(!shown.is_empty());
    for line in shown {
        assert!(said.contains(line), "{line}");
    }
}
