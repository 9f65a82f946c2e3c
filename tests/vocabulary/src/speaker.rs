//! A process that says lines for people, and a test that waits for them.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};

use crate::{DEADLINE, Scratch, wait_for_exit};

/// A running process, whose lines come from its stdout and its stderr. Killed at the end of the test if it was not stopped.
pub struct Speaker {
    child: Child,
    lines: Receiver<String>,
    said: Vec<String>,
}

impl Speaker {
    /// Starts `command`, whose staged copies are in `scratch`.
    pub fn start(command: &mut Command, scratch: &Scratch) -> Speaker {
        let mut child = command
            .env("TMPDIR", scratch.stage())
            .env_remove("XDG_RUNTIME_DIR")
            // A target directory of its own, not of whoever runs the tests.
            .env_remove("CARGO_TARGET_DIR")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program can be started");
        let (sender, lines) = mpsc::channel();
        pass_on(child.stdout.take().unwrap(), sender.clone());
        pass_on(child.stderr.take().unwrap(), sender);
        Speaker {
            child,
            lines,
            said: Vec::new(),
        }
    }

    /// Waits for the next line.
    #[track_caller]
    pub fn next_line(&mut self, what: &str) -> String {
        self.line_before(Instant::now() + DEADLINE, what)
    }

    /// Waits for a line with this `part`.
    #[track_caller]
    pub fn wait_for(&mut self, part: &str) -> String {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let line = self.line_before(deadline, part);
            if line.contains(part) {
                return line;
            }
        }
    }

    #[track_caller]
    fn line_before(&mut self, deadline: Instant, what: &str) -> String {
        let left = deadline.saturating_duration_since(Instant::now());
        match self.lines.recv_timeout(left) {
            Ok(line) => {
                self.said.push(line.clone());
                line
            }
            Err(error) => panic!("no {what:?} ({error}); it said {:#?}", self.said),
        }
    }

    /// Stops the process as Ctrl-C does, and sees that it ends well and leaves nothing behind.
    #[track_caller]
    pub fn end(mut self, scratch: &Scratch) {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
        let status = wait_for_exit(&mut self.child);
        assert!(status.success(), "{status}; it said {:#?}", self.said);
        scratch.assert_nothing_staged();
    }
}

impl Drop for Speaker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn pass_on(output: impl Read + Send + 'static, lines: Sender<String>) {
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if lines.send(line).is_err() {
                return;
            }
        }
    });
}
