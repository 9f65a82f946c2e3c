//! One build: cargo in a process group of its own, and a thread that listens to it.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{ChildStderr, ChildStdout, Stdio};
use std::sync::PoisonError;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use cargo_metadata::{Artifact, Message};
use crossbeam_channel::{Receiver, Sender};
use replug::Digest;
use replug::shown::{shown, spelled_bytes};

use super::earlier::{Copies, Copy};
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

/// Takes the digest of each library as cargo has left it, in the order of the paths, and then copies each if copies are
/// asked for.
pub(super) fn digest(libraries: Vec<PathBuf>, copies: Option<Copies>) -> Receiver<Made> {
    let (say, digested) = crossbeam_channel::bounded(1);
    let digest_all = move || {
        // Locked before anybody can know of the end of this build, and ask for the copies.
        let copies = copies.as_ref();
        let copies = copies.map(|it| it.lock().unwrap_or_else(PoisonError::into_inner));
        let read = libraries.into_iter().map(|library| {
            let bytes = read(&library);
            (library, bytes)
        });
        let read: Vec<_> = read.collect();
        let digests = read.iter().map(|(library, bytes)| {
            let digest = bytes.as_deref().map(Digest::of);
            (library.clone(), digest)
        });
        let _ = say.send(digests.collect());
        if let Some(mut copies) = copies {
            let known = read
                .iter()
                .filter_map(|(library, bytes)| Some((library, bytes.as_deref()?)));
            copies.extend(known.filter_map(|(library, bytes)| copy(library, bytes)));
        }
    };
    // Hung up if there is no thread, and then nothing is known of the digests.
    let _ = thread::Builder::new()
        .name("replug-digest".to_owned())
        .spawn(digest_all);
    digested
}

fn read(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|mut file| file.read_to_end(&mut bytes));
    match read {
        Ok(_) => Some(bytes),
        Err(error) => {
            tracing::warn!("cannot read what cargo built: {error}");
            None
        }
    }
}

fn copy(library: &Path, bytes: &[u8]) -> Option<Copy> {
    let copied = Copy::of(library, bytes);
    copied
        .inspect_err(|error| tracing::warn!("cannot keep a copy of {}: {error}", shown(library)))
        .ok()
}
