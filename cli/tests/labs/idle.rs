//! A lab for ten idle seconds at the default interval, as the kernel saw them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use vocabulary::{Program, Scratch, library, version, wait_until};

use crate::assert_installed;

/// How long the program is watched.
const IDLE: Duration = Duration::from_secs(10);

/// The polls in that time, at the default interval: the first of them may fall on its beginning.
const POLLS: usize = 10_000 / 250 + 1;

/// The results in that time, at the default time between calls.
const CALLS: usize = 10 + 1;

/// One system call: when it began, on which thread, and how strace writes it.
#[derive(Debug)]
struct Call {
    thread: u32,
    at: Duration,
    text: String,
}

impl Call {
    /// Reads a call from a line of `strace -f -ttt`. A line with the end of a call that began in an earlier line is
    /// no call.
    fn parse(line: &str) -> Option<Call> {
        let (thread, rest) = line.trim_start().split_once(' ')?;
        let (at, text) = rest.trim_start().split_once(' ')?;
        if text.starts_with("<...") || text.starts_with("+++") || text.starts_with("---") {
            return None;
        }
        Some(Call {
            thread: thread.parse().expect("a thread's number"),
            at: Duration::from_secs_f64(at.parse().expect("seconds since 1970")),
            text: text.to_owned(),
        })
    }

    fn name(&self) -> &str {
        self.text.split('(').next().unwrap()
    }

    fn is_look_at(&self, path: &Path) -> bool {
        self.name() == "statx" && self.text.contains(&format!("\"{}\"", path.display()))
    }
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// The thread of a process that has this name.
#[track_caller]
fn thread_called(name: &str, process: u32) -> u32 {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let mut numbers = tasks.map(|task| task.unwrap().file_name().into_string().unwrap());
    let found = numbers.find(|number| {
        let comm = fs::read_to_string(format!("/proc/{process}/task/{number}/comm"));
        comm.is_ok_and(|comm| comm.trim_end() == name)
    });
    found
        .unwrap_or_else(|| panic!("no thread is called {name}"))
        .parse()
        .unwrap()
}

fn tally<'a>(calls: impl Iterator<Item = &'a Call>) -> BTreeMap<&'a str, usize> {
    let mut tally = BTreeMap::new();
    for call in calls {
        *tally.entry(call.name()).or_default() += 1;
    }
    tally
}

/// Traces the program on `watched`, and checks that in ten idle seconds each poll is one look at each of
/// `paths` and one wait, that no thread opens or reads anything, and that nobody ever asked for file events.
#[track_caller]
fn assert_idle(scratch: &Scratch, watched: &Path, paths: &[&Path]) {
    assert_installed("strace");
    let log = scratch.join("strace");
    let program = Program::command(scratch);
    let mut command = Command::new("strace");
    command
        // The tracer runs as a grandchild of ours, so that the program itself is our child.
        .arg("-D")
        .args(["-f", "-ttt", "-s", "4096", "-o"])
        .arg(&log)
        .arg(program.get_program())
        .args(program.get_args())
        // An audit reads the file. Audits come ever more seldom, and are not counted here.
        .args(["--audit", "off"])
        // The library was found just now, so polls would be brisk for five minutes.
        .arg("--steady")
        .arg(watched);
    let mut program = Program::start(command);
    // By the third answer a second has passed since anything could be doubtful.
    for _ in 0..3 {
        program.wait_for_answer(&version(1));
    }
    let worker = thread_called("replug-watcher", program.id());
    let main = program.id();
    let begun = now();
    program.go_on_for(IDLE);
    let ended = now();
    assert_eq!(program.stop().status.code(), Some(0));
    let is_complete = || {
        let log = fs::read_to_string(&log).unwrap();
        log.lines().any(|line| is_end_of(main, line))
    };
    wait_until("end of the trace", is_complete);
    let log = fs::read_to_string(&log).unwrap();
    let calls: Vec<Call> = log.lines().filter_map(Call::parse).collect();
    for call in &calls {
        assert!(
            !call.name().contains("notify"),
            "it asked for file events: {call:?}"
        );
    }

    let idle = || {
        calls
            .iter()
            .filter(|call| (begun..ended).contains(&call.at))
    };
    let by = |thread| idle().filter(move |call| call.thread == thread);
    let others = idle().filter(|call| ![worker, main].contains(&call.thread));
    println!("{} idle for {IDLE:?}, system calls:", watched.display());
    println!("  worker: {:?}", tally(by(worker)));
    println!("  main:   {:?}", tally(by(main)));
    println!("  others: {:?}", tally(others));
    for call in idle() {
        let reads = ["open", "read", "mmap", "getdents"];
        assert!(
            !reads
                .iter()
                .any(|prefix| call.name().trim_start_matches('p').starts_with(prefix)),
            "{call:?}"
        );
    }
    let mut looks = 0;
    for path in paths {
        let looked = by(worker).filter(|call| call.is_look_at(path)).count();
        assert!(looked <= POLLS, "{looked} looks at {}", path.display());
        assert!(
            looked > POLLS / 2,
            "it hardly polled, so this was no trace of idling"
        );
        looks += looked;
    }
    let polls = looks / paths.len();
    let waits = tally(by(worker)).remove("futex").unwrap_or(0);
    assert!(waits <= polls + 1, "{waits} waits in {polls} polls");
    let worker_calls = by(worker).count();
    assert_eq!(
        worker_calls,
        looks + waits,
        "the worker does something else"
    );
    println!("  {polls} polls, {looks} looks, {waits} waits");
    // Each second the main thread wakes, calls the plugin, says the result and waits again.
    let writes = tally(by(main)).remove("write").unwrap_or(0);
    assert!(writes <= CALLS, "{writes} lines");
    let main_calls = by(main).count();
    assert!(
        main_calls <= 4 * CALLS,
        "{main_calls} calls of the main thread"
    );
}

fn is_end_of(process: u32, line: &str) -> bool {
    line.contains("+++ exited with")
        && line.split_whitespace().next() == Some(process.to_string().as_str())
}

#[test]
fn an_idle_program_looks_once_at_its_library_and_waits_once_per_poll() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.replace_with(&library(1));
    assert_idle(&scratch, artifact.path(), &[artifact.path()]);
}

#[test]
fn an_idle_program_looks_once_at_its_directory_and_once_at_each_library_per_poll() {
    let scratch = Scratch::new();
    let directory = scratch.join("plugins");
    fs::create_dir(&directory).unwrap();
    let path = directory.join("libplugin01.so");
    fs::write(&path, library(1)).unwrap();
    assert_idle(&scratch, &directory, &[&directory, &path]);
}
