//! The gate: is a cargo build running here? Cargo's lock files are asked, read-only, and only while something is
//! suspect. Shut means wait; open, absent and unknown prove nothing.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use replug_plugin::shown::shown;

use super::files::{Files, Filesystem, Locality, Lock, Names};

/// The answer of the lock files together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gate {
    /// A build is running.
    Shut,
    /// There is a lock, and no build holds it.
    Open,
    /// There is no lock to ask, or it did not answer.
    Absent,
}

/// Cargo's lock files that are held exclusively while artifacts are written, oldest protocol last.
///
/// Cargo up to 1.95 holds the second file exclusively. Later versions hold the second file shared and the first
/// exclusively. `.cargo-build-lock` is not asked: `cargo check` holds it for minutes and writes no artifact.
const LOCKS: [&str; 2] = [".cargo-artifact-lock", ".cargo-lock"];

/// The directory of the profile, where cargo has its locks: the artifact's own directory or, for `deps/` and
/// `examples/`, the directory above.
fn profile_of(artifact: &Path) -> &Path {
    let directory = artifact.parent().unwrap_or(Path::new(""));
    match directory.file_name().and_then(|name| name.to_str()) {
        Some("deps" | "examples") => directory.parent().unwrap_or(Path::new("")),
        _ => directory,
    }
}

/// The answers of the gates in one poll. Each gate is asked once, so that all the libraries of one build pass
/// together.
#[derive(Debug, Default)]
pub(crate) struct Gates {
    answers: HashMap<PathBuf, Gate>,
}

impl Gates {
    /// Forgets all answers, for the next poll.
    pub(crate) fn forget(&mut self) {
        self.answers.clear();
    }

    /// Whether any gate that was asked in this poll is shut.
    pub(crate) fn is_any_shut(&self) -> bool {
        self.answers.values().any(|answer| *answer == Gate::Shut)
    }

    /// Asks the locks of the cargo build that may be writing `artifact`, or writing `target` if `artifact` is a link
    /// to it.
    pub(crate) fn ask(
        &mut self,
        artifact: &Path,
        target: Option<&Path>,
        files: &impl Files,
    ) -> Gate {
        let own = self.ask_profile(profile_of(artifact), files);
        let of_target = target.map_or(own, |target| self.ask_profile(profile_of(target), files));
        match (own, of_target) {
            (Gate::Shut, _) | (_, Gate::Shut) => Gate::Shut,
            (Gate::Open, _) | (_, Gate::Open) => Gate::Open,
            (Gate::Absent, Gate::Absent) => Gate::Absent,
        }
    }

    fn ask_profile(&mut self, profile: &Path, files: &impl Files) -> Gate {
        if let Some(answer) = self.answers.get(profile) {
            return *answer;
        }
        let answer = probe_all(profile, files);
        self.answers.insert(profile.to_owned(), answer);
        answer
    }
}

/// Probes the locks in a directory, and stops at the first lock that is held. A link can lead from one filesystem to
/// another, so each directory is asked whether probing can hang there.
fn probe_all(profile: &Path, files: &impl Files) -> Gate {
    let mut gate = Gate::Absent;
    let filesystem = files.filesystem(profile);
    let filesystem = filesystem.unwrap_or_else(|_| Filesystem::unknown());
    if filesystem.locks_can_hang {
        return gate;
    }
    let remembers = filesystem.locality == Locality::Remote;
    for lock in LOCKS.map(|name| profile.join(name)) {
        if remembers && filesystem.names == Names::ByListing {
            // A client that once looked for the lock in vain may remember that.
            files.ask_for_name(&lock);
        }
        match files.probe(&lock) {
            Ok(Lock::Held) => return Gate::Shut,
            Ok(Lock::Free) => gate = Gate::Open,
            Ok(Lock::Absent) => {}
            Err(error) => {
                tracing::debug!(lock = %shown(&lock), %error, "the lock does not answer");
            }
        }
    }
    gate
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_are_looked_for_in_the_directory_of_the_profile() {
        for (artifact, profile) in [
            ("target/debug/libx.so", "target/debug"),
            ("target/debug/deps/libx.so", "target/debug"),
            ("target/release/examples/libx.so", "target/release"),
            ("libx.so", ""),
        ] {
            assert_eq!(
                profile_of(Path::new(artifact)),
                Path::new(profile),
                "{artifact}"
            );
        }
    }
}
