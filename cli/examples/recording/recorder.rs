//! The run that is recorded.

use std::cell::RefCell;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use vocabulary::{Scratch, Terminal, cargo_build, workspace, workspace_of_plugin01};

use crate::screen::Screen;
use crate::svg::{COLUMNS, Frame, ROWS};

/// How long a reader has for what was said at the end of a scene.
const TO_READ: Duration = Duration::from_millis(2500);

/// How long what is done in the other terminal stands there before anything comes of it.
const TO_SEE: Duration = Duration::from_millis(1200);

/// Frames that are closer than this are one: nobody sees them apart.
const APART: Duration = Duration::from_millis(60);

/// A part of the recording.
struct Scene {
    /// What is done in the other terminal; nothing in the first scene.
    edit: &'static str,
    /// The words that end the scene, and how the last line begins then.
    words: &'static str,
    status: &'static str,
}

/// The first build, a new version, a mistake, and its mending in another version.
const SCENES: [Scene; 4] = [
    Scene {
        edit: "",
        words: "0.1.0 says",
        status: "built ",
    },
    Scene {
        edit: "sed -i 's/\"0.1.0\"/\"0.2.0\"/' plugin01/src/lib.rs",
        words: "0.2.0 says",
        status: "built ",
    },
    Scene {
        edit: "echo 'fn wrong() -> u8 { \"\" }' >> plugin01/src/lib.rs",
        words: "generation 2 goes on",
        status: "failed",
    },
    Scene {
        edit: "sed -i '/^fn wrong/d; s/\"0.2.0\"/\"0.3.0\"/' plugin01/src/lib.rs",
        words: "0.3.0 says",
        status: "built ",
    },
];

impl Scene {
    /// Does what is done in the other terminal.
    fn run(&self, scratch: &Scratch) {
        let mut shell = Command::new("sh");
        let shell = shell.args(["-c", self.edit]);
        let edited = shell.current_dir(scratch.path()).status();
        assert!(edited.unwrap().success(), "{}", self.edit);
    }

    fn is_over(&self, terminal: &Terminal) -> bool {
        let screen = terminal.screen();
        let is_said = screen.iter().any(|line| line.contains(self.words));
        is_said
            && screen
                .last()
                .is_some_and(|line| line.starts_with(self.status))
    }
}

/// The frames, in order.
struct Recorder {
    frames: Vec<Frame>,
    /// The time of the recording so far, up to the scene that runs.
    before: Duration,
    began: Instant,
    caption: &'static str,
}

impl Recorder {
    /// Takes down what is shown now.
    fn note(&mut self, text: &str) {
        let at = self.before + self.began.elapsed();
        let screen = Screen::of(text, ROWS, COLUMNS);
        let frame = Frame {
            at,
            caption: self.caption,
            screen,
        };
        match self.frames.last_mut() {
            Some(last) if last.screen == frame.screen && last.caption == frame.caption => {}
            Some(last) if at < last.at + APART && last.caption == frame.caption => {
                last.screen = frame.screen
            }
            _ => self.frames.push(frame),
        }
    }

    /// Lets the time of the recording pass, and no other.
    fn pause(&mut self, pause: Duration) {
        self.before += self.began.elapsed() + pause;
        self.began = Instant::now();
    }
}

/// Runs the scenes. The last frame stands as long as there is to read in it.
pub(crate) fn record() -> Vec<Frame> {
    let scratch = Scratch::new();
    workspace_of_plugin01(&scratch);
    let mut terminal = Terminal::start_with_keyboard(&dev(&scratch), COLUMNS.try_into().unwrap());
    let recorder = RefCell::new(Recorder {
        frames: Vec::new(),
        before: Duration::ZERO,
        began: Instant::now(),
        caption: "",
    });
    for scene in SCENES {
        if !scene.edit.is_empty() {
            let mut recorder = recorder.borrow_mut();
            recorder.caption = scene.edit;
            recorder.note(&terminal.text());
            recorder.pause(TO_SEE);
            scene.run(&scratch);
        }
        terminal.wait_for(scene.words, |it| {
            recorder.borrow_mut().note(&it.text());
            scene.is_over(it)
        });
        recorder.borrow_mut().pause(TO_READ);
    }
    terminal.press('q');
    assert!(terminal.end().success());
    scratch.assert_nothing_staged();
    let mut recorder = recorder.into_inner();
    let mut last = recorder.frames.last().unwrap().clone();
    last.at = recorder.before;
    recorder.frames.push(last);
    recorder.frames
}

/// The program as people start it in the workspace, whatever whoever records has chosen for himself.
fn dev(scratch: &Scratch) -> Command {
    let mut command = Command::new("env");
    command.arg("--chdir").arg(scratch.path());
    for variable in [
        "NO_COLOR",
        "CARGO_TARGET_DIR",
        "CARGO_TERM_COLOR",
        "XDG_RUNTIME_DIR",
    ] {
        command.args(["-u", variable]);
    }
    command
        .arg(format!("TMPDIR={}", scratch.stage().display()))
        .arg("TERM=xterm-256color")
        .arg(program())
        .args(["dev", "-p", "plugin01"]);
    command
}

/// The program, as cargo builds it beside this one.
fn program() -> PathBuf {
    let built = cargo_build()
        .args(["--quiet", "-p", "replug-cli", "--bin", "replug"])
        .current_dir(workspace())
        .status();
    assert!(built.unwrap().success(), "the program does not compile");
    let own = std::env::current_exe().unwrap();
    own.ancestors().nth(2).unwrap().join("replug")
}
