//! A terminal with the program on it, as a person sees both.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Instant;

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::{DEADLINE, wait_for_exit};

/// A process whose output goes to a pseudo-terminal.
pub struct Terminal {
    child: Child,
    written: Receiver<Vec<u8>>,
    text: Vec<u8>,
    /// The window of the terminal, which must outlive the process.
    _window: OwnedFd,
}

impl Terminal {
    /// Starts `command` on a terminal of so many columns.
    pub fn start(command: &mut Command, columns: u16) -> Terminal {
        let window = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&window).unwrap();
        unlockpt(&window).unwrap();
        let size = Winsize {
            ws_row: 24,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&window, size).unwrap();
        let name = ptsname(&window, Vec::new()).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let inside = rustix::fs::open(&name, flags, Mode::empty()).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(inside.try_clone().unwrap())
            .stderr(inside)
            .spawn()
            .expect("the program can be started");
        // The command still holds the inner side, which would keep the terminal open after the process's end.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut outside = File::from(window.try_clone().unwrap());
        let (sender, written) = mpsc::channel();
        thread::spawn(move || {
            let mut chunk = [0; 4096];
            // A terminal that nobody writes to any more is an error to read from.
            while let Ok(length @ 1..) = outside.read(&mut chunk) {
                if sender.send(chunk[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Terminal {
            child,
            written,
            text: Vec::new(),
            _window: window,
        }
    }

    /// Everything that was written so far, with escape sequences.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.text).into_owned()
    }

    /// The lines that are shown, none of which has scrolled away.
    pub fn screen(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut line: Vec<char> = Vec::new();
        let mut column = 0;
        let text = self.text().replace("\x1b[2K", "\x1b");
        for character in text.chars() {
            match character {
                '\r' => column = 0,
                // The sequence clears the line, and leaves the cursor where it is.
                '\x1b' => line.fill(' '),
                '\n' => lines.push(line.drain(..).collect::<String>().trim_end().to_owned()),
                _ => {
                    line.resize(line.len().max(column + 1), ' ');
                    line[column] = character;
                    column += 1;
                }
            }
        }
        lines.push(line.iter().collect::<String>().trim_end().to_owned());
        lines
    }

    /// Waits until the screen shows something that fits.
    #[track_caller]
    pub fn wait_for(&mut self, what: &str, fits: impl Fn(&Terminal) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !fits(self) {
            let patience = deadline.saturating_duration_since(Instant::now());
            match self.written.recv_timeout(patience) {
                Ok(chunk) => self.text.extend(chunk),
                Err(error) => panic!("no {what} ({error}) on {:#?}", self.screen()),
            }
        }
    }

    /// The process on the terminal.
    pub fn id(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.child)
    }

    /// Waits for the end of the process. What it has shown stays on the screen.
    #[track_caller]
    pub fn end(&mut self) -> ExitStatus {
        let status = wait_for_exit(&mut self.child);
        loop {
            match self.written.recv_timeout(DEADLINE) {
                Ok(chunk) => self.text.extend(chunk),
                Err(RecvTimeoutError::Disconnected) => return status,
                Err(RecvTimeoutError::Timeout) => panic!("somebody else holds the terminal"),
            }
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
