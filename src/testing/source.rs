//! The copy of a plugin's package that a test changes, builds and brings live.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::cargo::{self, Package, Wanted};
use super::error::Error;
use super::mirror::{Mirror, below, failed, replace};
use super::slot::Slot;
use crate::host::outcome::{Kept, Outcome};
use crate::host::owner::Host;
use crate::look::digest::Digest;
use crate::options::Options;

/// How long a build may take to go live unless told otherwise: much longer than it takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Time between polls in a test: nobody waits for long, and a test has a processor to itself.
const INTERVAL: Duration = Duration::from_millis(5);

/// A copy of a plugin's package, which a test changes, builds and brings live.
///
/// The copy is in the target directory, in `replug-testing`, and stays there for the next test: only what changed is built
/// again. It has the dependencies of the original, by the same `Cargo.lock`, and is built for the profile and target of
/// the test. The first copy builds the plugin's dependencies once more.
///
/// Errors are shown whole by a test that returns or unwraps them: what the compiler said, or which step kept the build out.
#[derive(Debug)]
pub struct Source {
    package: Package,
    /// The directories of the originals: of the plugin, and of what is copied with it.
    originals: Vec<PathBuf>,
    slot: Slot,
    library: PathBuf,
    is_built: bool,
    patience: Duration,
}

impl Source {
    /// A copy of the package of this name, which is in the workspace of the test. The copy is built.
    ///
    /// # Errors
    ///
    /// If there is no such package, or its copy cannot be made or built.
    pub fn of(package: &str) -> Result<Source, Error> {
        Source::copied(cargo::package(Wanted::Named(package, None))?)
    }

    /// A copy of the package in this directory, whichever workspace it is in. The copy is built.
    ///
    /// # Errors
    ///
    /// As [`of`](Source::of).
    pub fn at(directory: impl AsRef<Path>) -> Result<Source, Error> {
        Source::copied(cargo::package(Wanted::In(directory.as_ref()))?)
    }

    fn copied(package: Package) -> Result<Source, Error> {
        let mut source = Source {
            originals: vec![package.directory.clone()],
            slot: Slot::take(&package)?,
            library: PathBuf::new(),
            is_built: false,
            patience: PATIENCE,
            package,
        };
        source.restore()?.build()?;
        Ok(source)
    }

    /// Copies another package of the plugin's workspace as well, so that its text is replaced too: the one with the
    /// declaration, say.
    ///
    /// # Errors
    ///
    /// As [`of`](Source::of).
    pub fn with(mut self, package: &str) -> Result<Source, Error> {
        let manifest = self.package.directory.join("Cargo.toml");
        let package = cargo::package(Wanted::Named(package, Some(&manifest)))?;
        self.originals.push(package.directory);
        self.restore()?;
        Ok(self)
    }

    /// How long a build may take to go live, from the end of the build; a minute unless told otherwise.
    pub fn patience(mut self, patience: Duration) -> Source {
        self.patience = patience;
        self
    }

    /// The library that cargo makes of the copy.
    pub fn library(&self) -> &Path {
        &self.library
    }

    /// The directory of the copy, for a test that changes more than text.
    pub fn directory(&self) -> PathBuf {
        below(&self.slot.tree(), &self.package.directory)
    }

    /// The options to watch the library of the copy, with polls that are as quick as tests like.
    pub fn options(&self) -> Options {
        Options::new(&self.library).interval(INTERVAL)
    }

    /// Replaces a text everywhere in the Rust files of the copy.
    ///
    /// # Errors
    ///
    /// If no file has the text, so that nothing would change.
    pub fn replace(&mut self, text: &str, by: &str) -> Result<&mut Source, Error> {
        let mut found = false;
        for file in self.rust_files()? {
            let content = fs::read_to_string(&file).map_err(failed(&file))?;
            // Nothing at all is everywhere, and would be replaced between any two letters.
            if !text.is_empty() && content.contains(text) {
                found = true;
                replace(&file, content.replace(text, by).as_bytes())?;
            }
        }
        self.is_built = false;
        match found {
            true => Ok(self),
            false => Err(Error::NoText {
                package: self.package.name.clone(),
                text: text.to_owned(),
            }),
        }
    }

    /// Makes the copy equal to its original again.
    ///
    /// # Errors
    ///
    /// If the original cannot be read, or the copy not be written to.
    pub fn restore(&mut self) -> Result<&mut Source, Error> {
        self.is_built = false;
        let mirror = Mirror {
            copied: &self.originals,
            target: &self.package.target,
        };
        mirror.make(&self.slot.tree(), &self.package.workspace)?;
        Ok(self)
    }

    /// Builds the copy, which a host that watches it then finds.
    ///
    /// # Errors
    ///
    /// If the copy does not compile: the error has the compiler's words.
    pub fn build(&mut self) -> Result<&mut Source, Error> {
        self.library = cargo::build(&self.package, &self.directory(), &self.slot.target())?;
        self.is_built = true;
        Ok(self)
    }

    /// Builds the copy if it was changed, and waits until just this build is live in a host that watches it. Returns the
    /// number of the live generation.
    ///
    /// # Errors
    ///
    /// If the copy does not compile, the host keeps the build out, or the build is not live in time: the error has the
    /// reason, and what the host told meanwhile.
    pub fn go_live<T>(&mut self, host: &mut Host<T>) -> Result<u64, Error> {
        if !self.is_built {
            self.build()?;
        }
        let content = fs::read(&self.library).map_err(failed(&self.library))?;
        let (built, deadline) = (Digest::of(&content), Instant::now() + self.patience);
        self.check_watched_by(host)?;
        let (mut told, mut kept) = (Vec::new(), None);
        loop {
            if let Some(live) = host.live().filter(|live| live.own_digest() == built) {
                return Ok(live.generation());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match host.wait(left) {
                Some(Outcome::Kept(it)) if it.digest == Some(built) => {
                    return Err(self.kept_out(it));
                }
                Some(Outcome::Kept(it)) => kept = Some(it.error),
                Some(Outcome::Loaded(_)) => kept = None,
                Some(outcome) => told.push(outcome.to_string()),
                None if !left.is_zero() => {}
                None => return Err(self.not_live(told, kept)),
            }
        }
    }

    fn check_watched_by<T>(&self, host: &Host<T>) -> Result<(), Error> {
        let watched = host.watcher().map(|watcher| watcher.path());
        match watched.filter(|watched| ***watched != *self.library) {
            None => Ok(()),
            Some(watched) => Err(Error::Elsewhere {
                library: self.library.clone(),
                watched: watched.to_path_buf(),
            }),
        }
    }

    fn kept_out(&self, kept: Kept) -> Error {
        Error::KeptOut {
            package: self.package.name.clone(),
            source: kept.error.into(),
        }
    }

    fn not_live(&self, told: Vec<String>, source: Option<crate::error::Error>) -> Error {
        Error::NotLive {
            package: self.package.name.clone(),
            seconds: self.patience.as_secs(),
            told,
            source: source.map(Box::new),
        }
    }

    /// The Rust files of the copies. What lies behind links are originals.
    fn rust_files(&self) -> Result<Vec<PathBuf>, Error> {
        let mut found = Vec::new();
        for original in &self.originals {
            let copy = below(&self.slot.tree(), original);
            for entry in walkdir::WalkDir::new(&copy).follow_links(false) {
                let entry = entry.map_err(|error| failed(&copy)(error.into()))?;
                let is_rust = entry.path().extension().is_some_and(|it| it == "rs");
                if is_rust && entry.file_type().is_file() {
                    found.push(entry.into_path());
                }
            }
        }
        Ok(found)
    }
}
