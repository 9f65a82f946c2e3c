//! The program under test, as another program would use it: started, read line by line, stopped by a signal.

use std::fmt;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use replug::Digest;
use serde_json::Value;

use super::Scratch;

/// How long a test waits for what must come. Far longer than it takes, so that a busy machine fails no test.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Waits without watching anything: for writers that take their time.
pub fn pause(duration: Duration) {
    let (_sender, receiver) = mpsc::channel::<()>();
    let _ = receiver.recv_timeout(duration);
}

/// Waits until `holds`, and fails if that takes longer than it can.
#[track_caller]
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !holds() {
        assert!(Instant::now() < deadline, "no {what} in time");
        pause(Duration::from_millis(5));
    }
}

/// One JSON line.
#[derive(Clone, PartialEq)]
pub struct Line(pub Value);

impl Line {
    pub fn event(&self) -> &str {
        self.text("event")
    }

    #[track_caller]
    pub fn text(&self, field: &str) -> &str {
        self.0[field]
            .as_str()
            .unwrap_or_else(|| panic!("no text `{field}` in {self:?}"))
    }

    #[track_caller]
    pub fn number(&self, field: &str) -> u64 {
        self.0[field]
            .as_u64()
            .unwrap_or_else(|| panic!("no number `{field}` in {self:?}"))
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A running `replug run --json`. Killed at the end of the test if it was not stopped.
pub struct Program {
    child: Child,
    lines: Receiver<Line>,
    /// Everything it has said so far.
    pub said: Vec<Line>,
    /// All that it wrote on stderr, once that is closed.
    errors: Receiver<String>,
}

/// What is left of a program that has ended.
pub struct Ended {
    pub status: ExitStatus,
    pub said: Vec<Line>,
    pub stderr: String,
}

impl Program {
    /// The program with its stage directory in `scratch`, not started yet. For tests that need to change more.
    pub fn command(scratch: &Scratch) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_replug"));
        command
            .args(["run", "--json", "--stage-dir"])
            .arg(scratch.stage())
            // So that what cargo says can be compared.
            .env("CARGO_TERM_COLOR", "never");
        command
    }

    /// The same for a user who may not do everything: `nobody` if the tests run as root, or else who runs them.
    ///
    /// What the tests make in `scratch` belongs to somebody else then.
    pub fn unprivileged_command(scratch: &Scratch) -> Command {
        /// Nobody, on every system.
        const NOBODY: u32 = 65534;
        if !rustix::process::geteuid().is_root() {
            return Program::command(scratch);
        }
        // The target directory may be one that only root can enter. Another process copies, because a file that
        // is open for writing, here or in a child that was just forked, cannot be run.
        let program = scratch.join("replug");
        let copied = Command::new("cp")
            .arg(env!("CARGO_BIN_EXE_replug"))
            .arg(&program)
            .status();
        assert!(copied.unwrap().success(), "the program cannot be copied");
        fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o755)).unwrap();
        unix::fs::chown(scratch.stage(), Some(NOBODY), Some(NOBODY)).unwrap();
        let mut command = Command::new(program);
        command
            .args(["run", "--json", "--stage-dir"])
            .arg(scratch.stage())
            .uid(NOBODY)
            .gid(NOBODY);
        command
    }

    /// Watches `path` with `options`, polling and calling often unless they say otherwise.
    pub fn watch(scratch: &Scratch, path: &Path, options: &[&str]) -> Program {
        let mut command = Program::command(scratch);
        for usual in ["--interval-ms", "--every-ms"] {
            if !options.contains(&usual) {
                command.args([usual, "20"]);
            }
        }
        command.args(options).arg(path);
        Program::start(command)
    }

    pub fn start(mut command: Command) -> Program {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program can be started");
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut stderr = child.stderr.take().unwrap();
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in stdout.lines() {
                let line = line.unwrap();
                let value = serde_json::from_str(&line)
                    .unwrap_or_else(|error| panic!("not JSON ({error}): {line}"));
                if sender.send(Line(value)).is_err() {
                    return;
                }
            }
        });
        let (all, errors) = mpsc::channel();
        thread::spawn(move || {
            let mut text = String::new();
            let _ = stderr.read_to_string(&mut text);
            let _ = all.send(text);
        });
        Program {
            child,
            lines,
            said: Vec::new(),
            errors,
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it says something that fits, and returns that.
    #[track_caller]
    pub fn wait_for(&mut self, what: &str, fits: impl Fn(&Line) -> bool) -> Line {
        let deadline = Instant::now() + DEADLINE;
        loop {
            match self
                .lines
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(line) => {
                    self.said.push(line.clone());
                    if fits(&line) {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    panic!("no {what} in time; it said {:#?}", self.said)
                }
                Err(RecvTimeoutError::Disconnected) => {
                    wait_for_exit(&mut self.child);
                    let errors = self.errors.recv_timeout(DEADLINE);
                    panic!(
                        "it ended without {what}; it said {:#?} and {errors:?}",
                        self.said
                    )
                }
            }
        }
    }

    #[track_caller]
    pub fn wait_for_event(&mut self, event: &str) -> Line {
        self.wait_for(event, |line| line.event() == event)
    }

    /// Waits until this generation is live.
    #[track_caller]
    pub fn wait_for_generation(&mut self, generation: u64) -> Line {
        self.wait_for(&format!("generation {generation}"), |line| {
            line.event() == "loaded" && line.number("generation") == generation
        })
    }

    /// Waits until exactly these bytes are live.
    #[track_caller]
    pub fn wait_for_bytes(&mut self, content: &[u8]) -> Line {
        let digest = Digest::of(content).to_string();
        self.wait_for(&format!("loading of {digest}"), |line| {
            line.event() == "loaded" && line.text("sha256") == digest
        })
    }

    /// Waits until it says that it waits for this `reason`.
    #[track_caller]
    pub fn wait_for_waiting(&mut self, reason: &str) -> Line {
        self.wait_for(&format!("waiting because {reason}"), |line| {
            line.event() == "waiting" && line.text("reason") == reason
        })
    }

    /// Waits for an answer that holds `text`.
    #[track_caller]
    pub fn wait_for_answer(&mut self, text: &str) -> Line {
        self.wait_for(&format!("answer with {text:?}"), |line| {
            line.event() == "result" && line.text("value").contains(text)
        })
    }

    /// Lets it go on for `duration`, reading what it says.
    pub fn go_on_for(&mut self, duration: Duration) {
        let deadline = Instant::now() + duration;
        while let Ok(line) = self
            .lines
            .recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            self.said.push(line);
        }
    }

    /// Every line said so far about one kind of event.
    pub fn said(&self, event: &str) -> Vec<&Line> {
        self.said
            .iter()
            .filter(|line| line.event() == event)
            .collect()
    }

    /// The digests of everything it has loaded so far, in order.
    pub fn loaded(&self) -> Vec<&str> {
        let lines = self.said("loaded");
        lines.into_iter().map(|line| line.text("sha256")).collect()
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Stops it as Ctrl-C does, and waits for its end.
    #[track_caller]
    pub fn stop(self) -> Ended {
        self.signal(rustix::process::Signal::INT);
        self.end()
    }

    /// Stops it, and makes sure that it ends well and leaves no staged copy behind.
    #[track_caller]
    pub fn stop_cleanly(self, scratch: &Scratch) -> Ended {
        let ended = self.stop();
        assert!(ended.status.success(), "{}: {}", ended.status, ended.stderr);
        scratch.assert_nothing_staged();
        ended
    }

    /// Waits until it can say nothing more, without asking how it ended.
    #[track_caller]
    pub fn wait_for_end_of_output(&mut self) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            match self
                .lines
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(line) => self.said.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    panic!("it does not end; it said {:#?}", self.said)
                }
            }
        }
    }

    /// Waits for its end.
    #[track_caller]
    pub fn end(mut self) -> Ended {
        self.wait_for_end_of_output();
        let status = wait_for_exit(&mut self.child);
        let stderr = self.errors.recv_timeout(DEADLINE);
        let stderr = stderr.expect("nothing that it started holds its stderr open");
        Ended {
            status,
            said: std::mem::take(&mut self.said),
            stderr,
        }
    }
}

impl Ended {
    /// Every line said about one kind of event.
    pub fn said(&self, event: &str) -> Vec<&Line> {
        self.said
            .iter()
            .filter(|line| line.event() == event)
            .collect()
    }

    /// It ended as it was told to, and had nothing to complain about.
    #[track_caller]
    pub fn assert_quiet_success(&self) {
        assert_eq!(self.status.code(), Some(0), "{}", self.stderr);
        assert_eq!(self.stderr, "");
    }

    /// It ended with this status, and its complaint holds all of `telling`.
    #[track_caller]
    pub fn assert_failed(&self, status: i32, telling: &[&str]) {
        assert_eq!(self.status.code(), Some(status), "{}", self.stderr);
        for part in telling {
            assert!(self.stderr.contains(part), "no {part:?} in {}", self.stderr);
        }
    }
}

/// Waits for the end of a process.
#[track_caller]
pub fn wait_for_exit(child: &mut Child) -> ExitStatus {
    let mut status = None;
    wait_until("end of the process", || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    status.unwrap()
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
