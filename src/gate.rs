//! Is a cargo build running here? Asked of cargo's lock files, read-only, only while something is suspect.
//! Shut means wait; open, absent and unknown prove nothing.

use std::path::{Path, PathBuf};

use crate::files::{Files, Lock};

/// Whether to ask cargo's locks before reading a suspect artifact.
///
/// On filesystems where asking for a lock can hang (NFS, CIFS, 9p, Ceph) the gate is off whatever is chosen, as cargo itself
/// takes no locks on NFS; [`Watched::gate`](crate::Watched::gate) tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GatePolicy {
    /// Ask; wait while a build runs. An absent lock holds nothing back.
    #[default]
    Auto,
    /// Never ask.
    Off,
    /// Wait until a lock exists and is open.
    Require,
}

/// What the lock files said together.
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
/// Cargo up to 1.95 holds the second exclusively. Later ones hold it shared and the first exclusively.
/// `.cargo-build-lock` is not asked: `cargo check` holds it for minutes and writes no artifact.
const LOCKS: [&str; 2] = [".cargo-artifact-lock", ".cargo-lock"];

/// The lock files that a cargo build which writes `artifact` would hold.
///
/// They are in the directory of the profile, which is the artifact's own or, for `deps/` and `examples/`, the
/// one above.
fn locks_of(artifact: &Path) -> [PathBuf; 2] {
    let directory = artifact.parent().unwrap_or(Path::new(""));
    let profile = match directory.file_name().and_then(|name| name.to_str()) {
        Some("deps" | "examples") => directory.parent().unwrap_or(Path::new("")),
        _ => directory,
    };
    LOCKS.map(|name| profile.join(name))
}

/// Asks the locks of the cargo that may be writing `artifact`, or the file it is a link to, and stops at the first that
/// is held.
pub(crate) fn ask(artifact: &Path, files: &impl Files) -> Gate {
    // A path that leads nowhere has nothing to wait for but what it says itself.
    let target = files
        .route(artifact)
        .map_or_else(|_| artifact.to_owned(), |route| route.end);
    let mut gate = Gate::Absent;
    for lock in locks_of(artifact).into_iter().chain(locks_of(&target)) {
        match files.probe(&lock) {
            Ok(Lock::Held) => return Gate::Shut,
            Ok(Lock::Free) => gate = Gate::Open,
            Ok(Lock::Absent) => {}
            Err(error) => {
                tracing::debug!(lock = %lock.display(), %error, "the lock does not answer");
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
            let locks = locks_of(Path::new(artifact));
            let wanted = LOCKS.map(|name| Path::new(profile).join(name));
            assert_eq!(locks, wanted, "{artifact}");
        }
    }
}
