//! The gate: is a cargo build running here? Cargo's lock files are asked, read-only, and only while something is
//! suspect. Shut means wait; open, absent and unknown prove nothing. Who holds a lock is asked only when one is held: what
//! builds no library holds nothing back.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use replug_plugin::shown::shown;

use super::files::{Files, Filesystem, Locality, Lock, Names};
use super::holder::Holder;

/// The answer of the lock files together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gate {
    /// A build is running, or something that may be one; nobody knows of whom there is no holder.
    Shut(Option<Holder>),
    /// There are locks, and those that are held are held by what surely builds no library.
    Checked(Holder),
    /// There is a lock, and no build holds it.
    Open,
    /// There is no lock to ask, or it did not answer.
    Absent,
}

impl Gate {
    /// The answer of two gates: the one that holds back more.
    fn and(self, other: Gate) -> Gate {
        match (self, other) {
            (shut @ Gate::Shut(_), _) | (_, shut @ Gate::Shut(_)) => shut,
            (checked @ Gate::Checked(_), _) | (_, checked @ Gate::Checked(_)) => checked,
            (Gate::Open, _) | (_, Gate::Open) => Gate::Open,
            (Gate::Absent, Gate::Absent) => Gate::Absent,
        }
    }
}

/// Cargo's lock files that are held exclusively while artifacts are written, oldest protocol last.
///
/// Cargo up to 1.95 holds the second file exclusively. Later versions hold the second file shared and the first
/// exclusively. `.cargo-build-lock` is not asked: `cargo check` holds it for minutes and writes no artifact. The earlier
/// versions have no such file, and hold `.cargo-lock` for a check as for a build; the holder tells them apart.
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
        own.and(of_target)
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

/// Probes the locks in a directory, and stops at the first lock that a build holds. A link can lead from one filesystem to
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
            Ok(Lock::Held) => match files.holder(&lock) {
                Some(holder) if holder.is_check() => gate = gate.and(Gate::Checked(holder)),
                holder => return Gate::Shut(holder),
            },
            Ok(Lock::Free) => gate = gate.and(Gate::Open),
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
    use std::ffi::OsStr;
    use std::io;

    use super::super::files::Listing;
    use super::super::snapshot::{Kind, Snapshot};
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

    /// Lock files of one directory, with who holds them.
    struct Locks(Vec<(&'static str, Option<Holder>)>);

    impl Files for Locks {
        type Artifact = io::Empty;
        type Directory = ();

        fn look(&self, _path: &Path) -> io::Result<Snapshot> {
            unreachable!("a gate looks at no file")
        }

        fn look_open(&self, _artifact: &io::Empty) -> io::Result<Snapshot> {
            unreachable!("a gate looks at no file")
        }

        fn open(&self, _path: &Path) -> io::Result<io::Empty> {
            unreachable!("a gate opens no file")
        }

        fn names(&self, _directory: &Path, _each: &mut dyn FnMut(&OsStr)) -> io::Result<()> {
            Ok(())
        }

        fn list(
            &self,
            _directory: &Path,
            _depth: usize,
            _is_wanted: &dyn Fn(&OsStr, Kind) -> bool,
        ) -> io::Result<Listing> {
            unreachable!("a gate lists no directory")
        }

        fn probe(&self, lock: &Path) -> io::Result<Lock> {
            let is_held = self.0.iter().any(|(held, _)| lock == Path::new(held));
            Ok(if is_held { Lock::Held } else { Lock::Free })
        }

        fn holder(&self, lock: &Path) -> Option<Holder> {
            let mut locks = self.0.iter();
            let (_, holder) = locks.find(|(held, _)| lock == Path::new(held))?;
            *holder
        }
    }

    #[test]
    fn a_check_beside_a_build_or_beside_somebody_unknown_opens_nothing() {
        let [check, build] = [&b"check"[..], b"build"].map(|word| Holder::new(4711, Some(word)));
        let (own, targets) = ("own/.cargo-lock", "target/.cargo-lock");
        let artifacts = "own/.cargo-artifact-lock";
        for (locks, gate) in [
            (vec![], Gate::Open),
            (vec![(own, Some(check))], Gate::Checked(check)),
            (vec![(targets, Some(check))], Gate::Checked(check)),
            (vec![(artifacts, Some(check))], Gate::Checked(check)),
            (vec![(own, Some(build))], Gate::Shut(Some(build))),
            (vec![(own, None)], Gate::Shut(None)),
            (
                vec![(artifacts, Some(check)), (own, None)],
                Gate::Shut(None),
            ),
            (
                vec![(own, Some(check)), (targets, Some(build))],
                Gate::Shut(Some(build)),
            ),
            (
                vec![(own, Some(build)), (targets, Some(check))],
                Gate::Shut(Some(build)),
            ),
        ] {
            let said = format!("{locks:?}");
            let [own, target] = ["own/libx.so", "target/libx.so"].map(Path::new);
            let asked = Gates::default().ask(own, Some(target), &Locks(locks));
            assert_eq!(asked, gate, "{said}");
        }
    }
}
