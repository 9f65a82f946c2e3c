//! The program under test, as another program would use it: started, read line by line, stopped by a signal.

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
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, geteuid, kill_process, waitid};

use crate::line::about;
use crate::{DEADLINE, Line, Scratch, program, wait_for_exit, wait_until};

/// A running `replug run --json`. Killed at the end of the test if it was not stopped.
pub struct Program {
    child: Child,
    lines: Receiver<Line>,
    /// Everything that the program has said so far.
    pub said: Vec<Line>,
    /// All that the program wrote on stderr, once that is closed.
    errors: Receiver<String>,
}

/// A program that has ended, with its status and its output.
pub struct Ended {
    /// How it ended.
    pub status: ExitStatus,
    /// Everything it has said.
    pub said: Vec<Line>,
    /// Everything it wrote on stderr.
    pub stderr: String,
}

impl Program {
    /// The program with its stage directory in `scratch`, not started yet. For tests that need to change more.
    pub fn command(scratch: &Scratch) -> Command {
        Program::command_of("run", scratch)
    }

    /// Another subcommand of the program, as [`Program::command`].
    pub fn command_of(subcommand: &str, scratch: &Scratch) -> Command {
        let mut command = Command::new(program());
        command
            .args([subcommand, "--json", "--stage-dir"])
            .arg(scratch.stage())
            // Without colours, so that cargo's words can be compared.
            .env("CARGO_TERM_COLOR", "never");
        command
    }

    /// The program of a user who may not do everything: `nobody` if the tests run as root, or else whoever runs them.
    ///
    /// Files that the tests make in `scratch` belong to another user then.
    pub fn unprivileged_command(scratch: &Scratch) -> Command {
        /// The user called nobody, on every system.
        const NOBODY: u32 = 65534;
        if !geteuid().is_root() {
            return Program::command(scratch);
        }
        // The target directory may be one that only root can enter. Another process copies, because a file that
        // is open for writing, here or in a child that was just forked, cannot be run.
        let copy = scratch.join("replug");
        let copied = Command::new("cp").args([&program(), &copy]).status();
        assert!(copied.unwrap().success(), "the program cannot be copied");
        fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o755)).unwrap();
        unix::fs::chown(scratch.stage(), Some(NOBODY), Some(NOBODY)).unwrap();
        let mut command = Command::new(copy);
        command
            .args(["run", "--json", "--stage-dir"])
            .arg(scratch.stage())
            .uid(NOBODY)
            .gid(NOBODY);
        command
    }

    /// Watches `path` with `options`. The program polls and calls often, unless the options say otherwise.
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

    /// Starts a program that was made by [`Program::command`], or speaks as it does.
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
                if sender.send(Line::of(&line.unwrap())).is_err() {
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

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line that fits, which is called `what` if it does not come.
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

    /// Waits for a line about this kind of event.
    #[track_caller]
    pub fn wait_for_event(&mut self, event: &str) -> Line {
        self.wait_for(event, |line| line.event() == event)
    }

    /// Waits until the generation with this number is live.
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

    /// Waits until the program says that it waits for this `reason`.
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

    /// Lets the program go on for `duration`, reading what it says.
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
        about(&self.said, event)
    }

    /// The digests of everything that the program has loaded so far, in order.
    pub fn loaded(&self) -> Vec<&str> {
        let lines = self.said("loaded");
        lines.into_iter().map(|line| line.text("sha256")).collect()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Stops the program as Ctrl-C does, and waits for its end.
    #[track_caller]
    pub fn stop(self) -> Ended {
        self.signal(Signal::INT);
        self.end()
    }

    /// Stops the program, and makes sure that it ends well and leaves no staged copy behind.
    #[track_caller]
    pub fn stop_cleanly(self, scratch: &Scratch) -> Ended {
        let ended = self.stop();
        assert!(ended.status.success(), "{}: {}", ended.status, ended.stderr);
        scratch.assert_nothing_staged();
        ended
    }

    /// Waits until the program has said its last and is dead, without asking how it ended: its entry stays in the process
    /// table.
    #[track_caller]
    pub fn wait_for_death(&mut self) {
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
        // Its files are closed some time before others can see that it is dead: up to 34 ms on a busy machine.
        let id = WaitId::Pid(Pid::from_child(&self.child));
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        wait_until("death of the program", || {
            waitid(id.clone(), look).unwrap().is_some()
        });
    }

    /// Waits for the program's end.
    #[track_caller]
    pub fn end(mut self) -> Ended {
        self.wait_for_death();
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
        about(&self.said, event)
    }

    /// Fails unless it ended as it was told to, and had nothing to complain about.
    #[track_caller]
    pub fn assert_quiet_success(&self) {
        assert_eq!(self.status.code(), Some(0), "{}", self.stderr);
        assert_eq!(self.stderr, "");
    }

    /// Fails unless it ended with this status, and its complaint holds all of `telling`.
    #[track_caller]
    pub fn assert_failed(&self, status: i32, telling: &[&str]) {
        assert_eq!(self.status.code(), Some(status), "{}", self.stderr);
        for part in telling {
            assert!(self.stderr.contains(part), "no {part:?} in {}", self.stderr);
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
