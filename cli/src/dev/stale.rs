//! Makes cargo see what it cannot see by itself: a source that was saved with an old write time (moved into place,
//! unpacked, copied with its times, or saved on a server whose clock is behind). Cargo builds what was written later
//! than its last build, and nothing else.
//!
//! The files that are given an old time here are cargo's own, in its target directory, and say when cargo built. No
//! source is touched.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use replug::shown::spelled;
use replug::watch::Stamp;

/// The widest tick of a clock that is not the one which cargo compares with.
const TICK: Duration = Duration::from_millis(20);

/// A time as filesystems write it.
pub(super) fn stamp(time: SystemTime) -> Stamp {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Stamp {
        seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        nanoseconds: since.subsec_nanos(),
    }
}

/// Whether cargo may take a file for older than its last build, which ended then.
pub(super) fn seems_built(modified: Stamp, last_end: SystemTime) -> bool {
    modified <= stamp(last_end + TICK)
}

/// Makes cargo build these packages once more, in the directory of a profile.
pub(super) fn make_stale(profile: &Path, packages: &[String]) {
    for (room, prefix) in [(".fingerprint", "dep-"), ("build", "output")] {
        let directories = entries(&profile.join(room)).into_iter();
        for directory in directories.filter(|it| is_of(it, packages)) {
            for file in entries(&directory) {
                let name = spelled(file.file_name().unwrap_or_default());
                if name.starts_with(prefix)
                    && let Err(error) = make_old(&file)
                {
                    tracing::warn!("cannot make cargo see an old source: {error}");
                }
            }
        }
    }
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    // A build that was never made has no directory.
    let entries = fs::read_dir(directory).into_iter().flatten();
    entries.flatten().map(|entry| entry.path()).collect()
}

/// Whether a directory is that of one of these packages: the name, and behind a dash the digits of a hash.
fn is_of(directory: &Path, packages: &[String]) -> bool {
    let name = spelled(directory.file_name().unwrap_or_default());
    let package = name.rsplit_once('-').map(|(package, _)| package);
    package.is_some_and(|package| packages.iter().any(|it| it == package))
}

fn make_old(file: &Path) -> io::Result<()> {
    let file = File::options().write(true).open(file)?;
    file.set_modified(UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_written_clearly_after_the_last_build_is_seen_by_cargo() {
        let end = UNIX_EPOCH + Duration::from_secs(1000);
        for (written, seems) in [(900, true), (1000, true), (1001, false)] {
            let written = stamp(UNIX_EPOCH + Duration::from_secs(written));
            assert_eq!(seems_built(written, end), seems, "{written:?}");
        }
    }

    #[test]
    fn only_the_builds_of_the_packages_are_made_old() {
        let profile = tempfile::tempdir().unwrap();
        let file = |name: &str| profile.path().join(".fingerprint").join(name);
        for name in [
            "tiny-0a/dep-lib-tiny",
            "tiny-0a/lib-tiny",
            "tiny-er-0a/dep-lib-tiny-er",
        ] {
            fs::create_dir_all(file(name).parent().unwrap()).unwrap();
            fs::write(file(name), "").unwrap();
        }
        make_stale(profile.path(), &["tiny".to_owned()]);
        let is_old = |name| fs::metadata(file(name)).unwrap().modified().unwrap() == UNIX_EPOCH;
        assert!(is_old("tiny-0a/dep-lib-tiny"));
        assert!(!is_old("tiny-0a/lib-tiny"));
        assert!(!is_old("tiny-er-0a/dep-lib-tiny-er"));
    }
}
