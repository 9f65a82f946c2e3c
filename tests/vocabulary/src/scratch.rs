//! A directory of a test's own.

use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use replug::Options;

use crate::{Artifact, library, library_name, set_mode, wait_until_closed};

/// A scratch directory, with a place for staged copies in it. Removed at the end of the test.
pub struct Scratch {
    directory: tempfile::TempDir,
}

impl Scratch {
    /// A directory that nobody else knows.
    pub fn new() -> Scratch {
        let directory = tempfile::Builder::new()
            .prefix("replug-test.")
            .tempdir()
            .unwrap();
        let scratch = Scratch { directory };
        fs::create_dir(scratch.stage()).unwrap();
        scratch
    }

    /// Where the directory is.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The path of a file or a directory in it.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path().join(name)
    }

    /// The directory in which the program under test makes its stage directory.
    pub fn stage(&self) -> PathBuf {
        self.join("stage")
    }

    /// Writes a shell script that can be run as a program, and returns its path.
    pub fn script(&self, name: &str, steps: &str) -> PathBuf {
        let path = self.join(name);
        fs::write(&path, format!("#!/bin/sh\n{steps}\n")).unwrap();
        set_mode(&path, 0o755);
        wait_until_closed(&path);
        path
    }

    /// The artifact that most tests watch. A new scratch directory has no file there.
    pub fn artifact(&self) -> Artifact {
        Artifact::at(self.join(library_name("plugin01")))
    }

    /// The options of a host that watches this artifact, and does not let a test wait.
    pub fn options(&self) -> Options {
        Options::new(self.artifact().path())
            .stage_dir(self.stage())
            .interval(Duration::from_millis(2))
            .settle(Duration::from_millis(10))
    }

    /// A directory with a library for each of these numbers, named by its place in the list; and the paths of the
    /// libraries.
    pub fn directory_of(
        &self,
        name: &str,
        numbers: RangeInclusive<u32>,
    ) -> (PathBuf, Vec<PathBuf>) {
        let directory = self.join(name);
        fs::create_dir(&directory).unwrap();
        let paths = numbers.enumerate().map(|(place, number)| {
            let path = directory.join(library_name(format!("{place:02}")));
            fs::write(&path, library(number)).unwrap();
            path
        });
        let paths = paths.collect();
        (directory, paths)
    }

    /// The stage directories that exist now: none, once every program has ended.
    pub fn staged(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.stage()).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    /// How many staged copies exist now.
    pub fn staged_copies(&self) -> usize {
        copies_in(&self.stage())
    }

    /// Fails if a program that has ended left a stage directory behind.
    #[track_caller]
    pub fn assert_nothing_staged(&self) {
        assert_eq!(
            self.staged(),
            [] as [PathBuf; 0],
            "staged copies were left behind"
        );
    }
}

/// How many staged copies there are in all stage directories of a parent.
pub fn copies_in(stage: &Path) -> usize {
    let count = |directory: PathBuf| fs::read_dir(directory).map_or(0, Iterator::count);
    let directories = fs::read_dir(stage)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    // One file in each stage directory is its owner's.
    directories
        .map(|directory| count(directory).saturating_sub(1))
        .sum()
}
