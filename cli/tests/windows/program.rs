//! The words of these tests: a library that is built anew, and a program that watches it.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::windows::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// How long a test waits for what must come.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// The program under test.
pub fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_replug"))
}

/// The bytes of the example plugin, as an optimised build: a thousand generations of it stay mapped.
fn plugin() -> Vec<u8> {
    let built = program().with_file_name("../release/plugin01.dll");
    fs::read(&built).unwrap_or_else(|error| {
        let target = "cargo build --release -p plugin01, with the same `--target`";
        panic!("{}: {error}; build it first: {target}", built.display())
    })
}

/// Another build of the plugin: one that answers with this number in place of its version.
pub fn build(number: u32) -> Vec<u8> {
    const VERSION: &[u8] = b"0.1.0";
    static BUILT: LazyLock<(Vec<u8>, Vec<usize>)> = LazyLock::new(|| {
        let built = plugin();
        let places = places(&built, VERSION);
        (built, places)
    });
    let (built, places) = &*BUILT;
    let mut build = built.clone();
    for at in places {
        build[*at..][..VERSION.len()].copy_from_slice(format!("{number:05}").as_bytes());
    }
    build
}

/// Some bytes with each `old` in them replaced.
pub fn replaced(mut bytes: Vec<u8>, old: &[u8], new: &[u8]) -> Vec<u8> {
    for at in places(&bytes, old) {
        bytes[at..][..old.len()].copy_from_slice(new);
    }
    bytes
}

/// Where some bytes have others in them.
fn places(bytes: &[u8], wanted: &[u8]) -> Vec<usize> {
    let windows = bytes.windows(wanted.len()).enumerate();
    let places = windows.filter(|(_, it)| *it == wanted);
    let places: Vec<_> = places.map(|(at, _)| at).collect();
    assert!(!places.is_empty(), "no `{}` in it", wanted.escape_ascii());
    places
}

/// A directory of one test, with a place for staged copies.
pub struct Scratch(TempDir);

impl Scratch {
    pub fn new() -> Scratch {
        // People have spaces in their paths.
        let scratch = tempfile::Builder::new().prefix("a b ").tempdir().unwrap();
        fs::create_dir(scratch.path().join("stage")).unwrap();
        Scratch(scratch)
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn stage(&self) -> PathBuf {
        self.join("stage")
    }

    /// All files and directories in the stage.
    pub fn staged(&self) -> Vec<PathBuf> {
        fn below(directory: &Path, found: &mut Vec<PathBuf>) {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    below(&path, found);
                }
                found.push(path);
            }
        }
        let mut found = Vec::new();
        below(&self.stage(), &mut found);
        found
    }
}

/// Puts a build into place by a rename, as lld does.
pub fn rename_into(path: &Path, bytes: &[u8]) {
    let aside = path.with_extension("aside");
    fs::write(&aside, bytes).unwrap();
    // Whoever looks at the file that is replaced can be in the way for an instant, and linkers try again.
    until("the rename is let through", || {
        fs::rename(&aside, path).ok()
    });
}

/// Opens a file as link.exe does: nobody else may have it.
pub fn open_for_oneself(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).share_mode(0).open(path)
}

/// Writes a build as link.exe does, with nobody else let in.
pub fn link_into(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = open_for_oneself(path)?;
    file.set_len(0)?;
    file.write_all(bytes)
}

/// Tries until something is there.
pub fn until<T>(what: &str, mut it: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        match it() {
            Some(it) => return it,
            None => assert!(Instant::now() < deadline, "not in time: {what}"),
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// A running program.
pub struct Program {
    pub child: Child,
    lines: Receiver<Value>,
    pub said: Vec<Value>,
    errors: Option<JoinHandle<String>>,
}

impl Program {
    /// `replug run`, with its stage in `scratch`.
    pub fn command(scratch: &Scratch) -> Command {
        let mut command = Command::new(program());
        command.args(["run", "--json", "--stage-dir"]);
        command.arg(scratch.stage());
        command
    }

    pub fn run(scratch: &Scratch, options: &[&str], path: &Path) -> Program {
        let mut command = Program::command(scratch);
        command.args(options).arg(path);
        Program::start(command)
    }

    pub fn start(mut command: Command) -> Program {
        command.stdin(Stdio::null());
        let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut stderr = child.stderr.take().unwrap();
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = sender.send(serde_json::from_str(&line).unwrap_or_else(|_| line.into()));
            }
        });
        let errors = thread::spawn(move || {
            let mut text = String::new();
            let _ = stderr.read_to_string(&mut text);
            text
        });
        Program {
            child,
            lines,
            said: Vec::new(),
            errors: Some(errors),
        }
    }

    /// Waits for a line that fits.
    #[track_caller]
    pub fn wait_for(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        loop {
            match self.lines.recv_timeout(DEADLINE) {
                Ok(line) => {
                    self.said.push(line.clone());
                    if fits(&line) {
                        return line;
                    }
                }
                Err(_) => panic!("no {what}; said: {:#?}", self.said),
            }
        }
    }

    /// Waits for this event.
    #[track_caller]
    pub fn wait_for_event(&mut self, event: &str) -> Value {
        self.wait_for(event, |line| line["event"] == event)
    }

    /// Waits for an answer of the build with this number.
    #[track_caller]
    pub fn wait_for_build(&mut self, number: u32) {
        let version = format!("plugin01 {number:05} says");
        let is_answer = |line: &Value| {
            line["value"]
                .as_str()
                .is_some_and(|it| it.starts_with(&version))
        };
        self.wait_for(&version, is_answer);
    }

    /// Whether it has said this event so far.
    pub fn has_said(&mut self, event: &str) -> bool {
        self.said.extend(self.lines.try_iter());
        self.said.iter().any(|line| line["event"] == event)
    }

    /// Waits for the program's own end, and returns what it wrote on stderr.
    #[track_caller]
    pub fn end(&mut self) -> String {
        let status = until("the program ends", || self.child.try_wait().unwrap());
        let errors = self.errors.take().unwrap().join().unwrap();
        assert!(status.success(), "{status}: {errors}");
        errors
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
