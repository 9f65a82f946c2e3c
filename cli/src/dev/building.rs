//! One build: cargo in a process group of its own, and a thread that listens to it.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{ChildStderr, ChildStdout, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use cargo_metadata::{Artifact, Message};
use crossbeam_channel::{Receiver, Sender};
use replug::Digest;
use replug::shown::spelled_bytes;

use super::earlier::Kept;
use super::verdict::{Verdict, is_blocked};
use crate::args::Build;
use crate::build;
use crate::child::{self, Running};

/// The libraries that a build made, each with its digest. What cannot be read has none.
pub(super) type Made = Vec<(PathBuf, Option<Digest>)>;

/// A build that is running, or whose end was not noticed yet.
pub(super) struct Building {
    cargo: Running,
    said: Receiver<Said>,
    pub(super) began: Instant,
    /// The same moment by the clock of the files.
    pub(super) since: SystemTime,
}

/// Something that cargo has said.
pub(super) enum Said {
    /// It waits for another cargo to let go of a lock.
    Blocked,
    /// It has nothing more to say.
    Ended(Told),
}

/// All that cargo has said.
#[derive(Default)]
pub(super) struct Told {
    pub(super) verdict: Verdict,
    pub(super) artifacts: Vec<Artifact>,
    pub(super) stderr: String,
}

impl Building {
    /// Starts cargo.
    pub(super) fn start(
        packages: &[String],
        options: &Build,
        is_coloured: bool,
    ) -> io::Result<Building> {
        let format = match is_coloured {
            true => "json-diagnostic-rendered-ansi",
            false => "json",
        };
        let (began, since) = (Instant::now(), SystemTime::now());
        let mut command = build::command(packages, options, format);
        command.stderr(Stdio::piped());
        let mut cargo = child::start(&mut command)?;
        let stdout = cargo.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let stderr = cargo.stderr.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let (say, said) = crossbeam_channel::unbounded();
        let listening = thread::Builder::new()
            .name("replug-cargo".to_owned())
            .spawn(move || listen(stdout, stderr, &say));
        let building = Building {
            cargo,
            said,
            began,
            since,
        };
        match listening {
            Ok(_) => Ok(building),
            Err(error) => {
                building.end();
                Err(error)
            }
        }
    }

    /// The queue of what cargo says.
    pub(super) fn said(&self) -> &Receiver<Said> {
        &self.said
    }

    /// The number of cargo's process, which is that of its group.
    pub(super) fn id(&self) -> u32 {
        self.cargo.id()
    }

    /// Ends cargo and all that it started.
    pub(super) fn end(self) {
        if let Err(error) = child::end(self.cargo) {
            tracing::warn!("cannot end cargo: {error}");
        }
    }

    /// Waits for a cargo that has nothing more to say, and says whether it built, and for how long.
    pub(super) fn finish(mut self) -> io::Result<(bool, Duration)> {
        let status = self.cargo.wait()?;
        Ok((status.success(), self.began.elapsed()))
    }
}

fn listen(stdout: ChildStdout, stderr: ChildStderr, say: &Sender<Said>) {
    let mut told = Told::default();
    thread::scope(|scope| {
        let words = scope.spawn(|| listen_to_words(stderr, say));
        for message in Message::parse_stream(BufReader::new(stdout)) {
            match message {
                Ok(Message::CompilerArtifact(artifact)) => told.artifacts.push(artifact),
                Ok(Message::CompilerMessage(said)) => told.verdict.hear(&said.message),
                Ok(_) => {}
                Err(error) => tracing::warn!("cannot read what cargo says: {error}"),
            }
        }
        told.stderr = words.join().unwrap_or_default();
    });
    // Nobody listens to a build that was ended.
    let _ = say.send(Said::Ended(told));
}

/// Reads what cargo says to people, and says at once that it waits.
fn listen_to_words(stderr: ChildStderr, say: &Sender<Said>) -> String {
    let mut words = String::new();
    let mut stderr = BufReader::new(stderr);
    let mut line = Vec::new();
    let mut is_said = false;
    while matches!(stderr.read_until(b'\n', &mut line), Ok(1..)) {
        let text = spelled_bytes(&line);
        if is_blocked(&text) && !std::mem::replace(&mut is_said, true) {
            let _ = say.send(Said::Blocked);
        }
        words.push_str(&text);
        line.clear();
    }
    words
}

/// The digest of each library as cargo has left it, in the order of the paths.
pub(super) fn digest(libraries: Vec<PathBuf>) -> Receiver<Made> {
    let (say, digested) = crossbeam_channel::bounded(1);
    let digest_all = move || {
        let digests = libraries.into_iter().map(|library| {
            let digest = read(&library);
            (library, digest)
        });
        let _ = say.send(digests.collect());
    };
    // Hung up if there is no thread, and then nothing is known of the digests.
    let _ = thread::Builder::new()
        .name("replug-digest".to_owned())
        .spawn(digest_all);
    digested
}

fn read(path: &Path) -> Option<Digest> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|mut file| file.read_to_end(&mut bytes));
    match read {
        Ok(_) => Some(Digest::of(&bytes)),
        Err(error) => {
            tracing::warn!("cannot read what cargo built: {error}");
            None
        }
    }
}

/// Keeps each of the libraries, or none of them.
pub(super) fn keep(libraries: &[PathBuf]) -> Option<Vec<Kept>> {
    let kept = libraries.iter().map(|library| Kept::of(library));
    let kept: io::Result<_> = kept.collect();
    kept.inspect_err(|error| tracing::debug!(%error, "cannot keep what cargo built"))
        .ok()
}
