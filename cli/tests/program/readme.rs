//! The demo of README, done as README says, line by line: nothing in it is older than the program.

use std::fs;
use std::process::Command;

use replug::outcome::Waiting;
use replug::watch::Holder;
use vocabulary::{Scratch, Speaker, program, workspace, workspace_of_plugin01};

use crate::likeness::shape;

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

fn is_waiting(line: &str) -> bool {
    line.starts_with("plugin01: waiting: ")
}

/// Whether cargo said a line, on stderr: it begins with a word of its own, set to the right.
fn is_of_cargo(line: &str) -> bool {
    line.starts_with("   ")
}

fn is_answer(line: &str) -> bool {
    line.contains(" says ")
}

/// Waits until the program has said the lines of a block, in order. In between it may say that it waits, for a poll may fall
/// into a write or not, that cargo builds, and its last answer once more.
#[track_caller]
fn wait_for(block: &[String], program: &mut Speaker, answer: &mut String) {
    let mut wanted = block.iter().filter(|line| !is_waiting(line)).peekable();
    while let Some(next) = wanted.peek() {
        let said = program.next_line(next);
        if shape(&said) == shape(next) {
            wanted.next();
            if is_answer(&said) {
                *answer = said;
            }
        } else {
            let is_expected = is_waiting(&said) || is_of_cargo(&said) || said == *answer;
            assert!(is_expected, "{said:?} instead of {next:?}");
        }
    }
}

#[test]
fn the_demo_says_what_readme_says() {
    let demo = Demo::of_readme();
    let scratch = Scratch::new();
    let source = workspace_of_plugin01(&scratch);

    let mut command = Command::new(program());
    command.args(&demo.arguments).current_dir(scratch.path());
    let mut running = Speaker::start(&mut command, &scratch);
    let [started, built, garbage] = demo.blocks.as_slice() else {
        panic!("README shows {} blocks", demo.blocks.len());
    };
    let mut answer = String::new();
    wait_for(started, &mut running, &mut answer);

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
    wait_for(built, &mut running, &mut answer);

    let hurt = Command::new("sh")
        .args(["-c", "echo garbage > target/debug/libplugin01.so"])
        .current_dir(scratch.path())
        .status();
    assert!(hurt.unwrap().success());
    wait_for(garbage, &mut running, &mut answer);

    running.end(&scratch);
}

#[test]
fn what_readme_shows_of_waiting_is_what_the_program_says_then() {
    let reasons = [
        Waiting::Missing,
        Waiting::Gated(Some(Holder::new(4711, Some(b"build")))),
        Waiting::Settling,
        Waiting::Incomplete,
        Waiting::Written(None),
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
