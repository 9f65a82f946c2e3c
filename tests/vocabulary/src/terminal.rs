//! A terminal with the program on it, as a person sees both.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags};
use rustix::pipe::PipeFlags;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, SpecialCodeIndex, Winsize, tcgetattr, tcsetwinsize};

use crate::{DEADLINE, wait_for_exit};

/// A process whose output goes to a pseudo-terminal.
pub struct Terminal {
    child: Child,
    written: Receiver<Vec<u8>>,
    text: Vec<u8>,
    /// The window of the terminal, which outlives the process unless somebody closes it.
    window: Option<OwnedFd>,
    /// What keeps the thread that reads the window going.
    reading: Option<OwnedFd>,
}

impl Terminal {
    /// Starts `command` on a terminal of so many columns.
    pub fn start(command: &mut Command, columns: u16) -> Terminal {
        Terminal::open(command, columns, false)
    }

    /// Starts `command` on a terminal of so many columns which has a keyboard, too, and belongs to the command alone.
    pub fn start_with_keyboard(command: &Command, columns: u16) -> Terminal {
        // It makes the terminal that of the command's own session, without which nobody is in its foreground.
        let mut of_session = Command::new("setsid");
        of_session.arg("--ctty").arg(command.get_program());
        of_session.args(command.get_args());
        for (name, value) in command.get_envs() {
            of_session.env(name, value.unwrap_or_default());
        }
        Terminal::open(&mut of_session, columns, true)
    }

    fn open(command: &mut Command, columns: u16, has_keyboard: bool) -> Terminal {
        let window =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
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
        let input = match has_keyboard {
            true => inside.try_clone().unwrap().into(),
            false => Stdio::null(),
        };
        let child = command
            .stdin(input)
            .stdout(inside.try_clone().unwrap())
            .stderr(inside)
            .spawn()
            .expect("the program can be started");
        // The command still holds the inner side, which would keep the terminal open after the process's end.
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut outside = File::from(window.try_clone().unwrap());
        let (sender, written) = mpsc::channel();
        let (closed, reading) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).unwrap();
        thread::spawn(move || {
            let mut chunk = [0; 4096];
            while is_readable(&outside, &closed) {
                // A terminal that nobody writes to any more is an error to read from.
                let Ok(length @ 1..) = outside.read(&mut chunk) else {
                    return;
                };
                if sender.send(chunk[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Terminal {
            child,
            written,
            text: Vec::new(),
            window: Some(window),
            reading: Some(reading),
        }
    }

    fn window(&self) -> &OwnedFd {
        self.window.as_ref().expect("the terminal is open")
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

    /// Presses a key.
    pub fn press(&self, key: char) {
        let mut bytes = [0; 4];
        let bytes = key.encode_utf8(&mut bytes).as_bytes();
        rustix::io::write(self.window(), bytes).unwrap();
    }

    /// Whether the terminal shows what is typed, and hands it over line by line, as a shell expects to find it.
    pub fn is_as_shells_expect(&self) -> bool {
        let modes = tcgetattr(self.window()).unwrap().local_modes;
        modes.contains(LocalModes::ECHO | LocalModes::ICANON)
    }

    /// Whether a key stops the program, as Ctrl-Z does under a shell.
    pub fn has_a_key_that_stops(&self) -> bool {
        tcgetattr(self.window()).unwrap().special_codes[SpecialCodeIndex::VSUSP] != 0
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

    /// Closes the window, as a person does or a connection that is lost, and waits for the end of the process.
    #[track_caller]
    pub fn close(&mut self) -> ExitStatus {
        self.reading = None;
        self.window = None;
        wait_for_exit(&mut self.child)
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

/// Waits until there is something to read, or the end of it; false when the window is to be closed.
fn is_readable(window: &File, closed: &OwnedFd) -> bool {
    let mut both = [
        PollFd::new(window, PollFlags::IN),
        PollFd::new(closed, PollFlags::IN),
    ];
    rustix::io::retry_on_intr(|| poll(&mut both, None)).unwrap();
    both[1].revents().is_empty()
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
