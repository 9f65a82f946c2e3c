//! A trial is a process of its own: this program, told to be the child. What it returns is the last line that it
//! prints, after a mark, for a plugin may print too.

use std::env;
use std::fs;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cargo;
use crate::row::{Figures, Row};

/// What stands before the child's result.
const MARK: &str = "result: ";

/// Between two looks at whether the child has ended. It measures by its own clock.
const PAUSE: Duration = Duration::from_millis(10);

/// How this program is built for a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// As it runs now: with optimisation.
    Optimised,
    /// As `cargo build` makes it, without: a debug host, whose profile has no lines.
    Unoptimised,
}

impl Program {
    /// Where it is. What is not built is built first.
    fn path(self) -> PathBuf {
        match self {
            Program::Optimised => this_program(),
            Program::Unoptimised => {
                let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/unoptimised");
                let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
                cargo::build(&manifest, &target, &["--locked"]);
                target.join("debug").join(env!("CARGO_PKG_NAME"))
            }
        }
    }
}

/// How a trial ended.
pub enum Ended {
    /// With what the child returned.
    Well(Value),
    /// By a signal or a panic, or not within its time.
    Badly(String),
}

impl Ended {
    /// What the child returned. If it ended badly, that is counted, and there is nothing to return.
    pub fn or_crashed(self, figures: &mut Figures) -> Option<Value> {
        figures.trials += 1;
        match self {
            Ended::Well(value) => Some(value),
            Ended::Badly(how) => {
                figures.mishaps.crashed += 1;
                figures.note(how);
                None
            }
        }
    }
}

/// Runs one trial of `row` by `tool`.
pub fn run(row: &str, tool: &str, arguments: &[String], timeout: Duration) -> Ended {
    start(vec![this_program()], row, tool, arguments, timeout)
}

/// The same under a tracer, which is told what to run by its last arguments.
pub fn run_under(
    tracer: &[&str],
    row: &str,
    tool: &str,
    arguments: &[String],
    timeout: Duration,
) -> Ended {
    let command = tracer.iter().map(PathBuf::from).chain([this_program()]);
    start(command.collect(), row, tool, arguments, timeout)
}

/// Starts a trial by this command, and waits for its end.
fn start(
    command: Vec<PathBuf>,
    row: &str,
    tool: &str,
    arguments: &[String],
    timeout: Duration,
) -> Ended {
    let scratch = tempfile::tempdir().expect("a place for the trial's files");
    let mut printed = tempfile::tempfile().expect("a file for what it prints");
    let mut said = tempfile::tempfile().expect("a file for what it says");
    let mut command = command.into_iter();
    let mut child = Command::new(command.next().expect("at least this program"))
        .args(command)
        .args(["trial", row, tool])
        .args(arguments)
        .env("TMPDIR", scratch.path())
        // What a panic costs in memory and time depends on it.
        .env_remove("RUST_BACKTRACE")
        .stdin(Stdio::null())
        .stdout(printed.try_clone().expect("a second handle"))
        .stderr(said.try_clone().expect("a second handle"))
        .spawn()
        .expect("this program can be started");
    let deadline = Instant::now() + timeout;
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            break status;
        }
        if Instant::now() > deadline {
            // It may have ended in between.
            let _ = child.kill();
            let _ = child.wait();
            return Ended::Badly(format!("not over after {timeout:?}"));
        }
        thread::sleep(PAUSE);
    };
    let result = text(&mut printed)
        .lines()
        .rev()
        .find_map(|line| Some(line.split_once(MARK)?.1.to_owned()));
    match result {
        Some(result) if status.success() => {
            Ended::Well(serde_json::from_str(&result).expect("a child returns JSON"))
        }
        _ => {
            let said = text(&mut said);
            let first = said.lines().find(|line| !line.is_empty()).unwrap_or("");
            Ended::Badly(format!("{status} {first}").trim_end().to_owned())
        }
    }
}

/// Runs one trial for each of `arguments`, all at the same time: for those that wait more than they work. Returns what
/// those saw that ended well.
pub fn together(
    figures: &mut Figures,
    program: Program,
    row: &str,
    tool: &str,
    arguments: &[Vec<String>],
    timeout: Duration,
) -> Vec<Value> {
    let path = program.path();
    let one = |arguments: &Vec<String>| start(vec![path.clone()], row, tool, arguments, timeout);
    let ended: Vec<_> = thread::scope(|scope| {
        let trials: Vec<_> = arguments
            .iter()
            .map(|arguments| scope.spawn(|| one(arguments)))
            .collect();
        let ended = trials.into_iter().map(|trial| trial.join());
        ended
            .map(|ended| ended.expect("whoever waits for a child does not panic"))
            .collect()
    });
    let seen = ended.into_iter().map(|ended| ended.or_crashed(figures));
    seen.flatten().collect()
}

fn text(file: &mut fs::File) -> String {
    let mut bytes = Vec::new();
    file.rewind().expect("a file can be read again");
    file.read_to_end(&mut bytes).expect("a file can be read");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// This program.
pub fn this_program() -> PathBuf {
    env::current_exe().expect("this program has a path")
}

/// The child's side.
pub fn be_the_child(row: &dyn Row, tool: &str, arguments: &[String]) {
    println!("\n{MARK}{}", row.trial(tool, arguments));
}
