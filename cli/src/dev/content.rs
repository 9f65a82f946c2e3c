//! The content of one source, as it was last read. Only content decides whether a source has changed: a snapshot says
//! when to read.

use std::io::{self, Read as _};
use std::path::Path;
use std::time::Instant;

use replug::Digest;
use replug::watch::{Files as _, Kind, OsFiles, Snapshot, Stamp};

/// The longest source that is read. Of a longer file (a film that is included in a library) size and write time decide.
const LONGEST: u64 = 16 * 1024 * 1024;

/// The content of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// No file is there.
    Absent,
    /// The file holds bytes of this digest.
    Bytes(Digest),
    /// The file is too long to be read: its size, and when it was written.
    Long(u64, Stamp),
}

/// One source that is looked at.
#[derive(Debug)]
pub(super) struct Source {
    seen: Option<Snapshot>,
    /// When to read once more although nothing seems to have changed: a write within the tick of the last look leaves
    /// an equal snapshot.
    confirm_at: Option<Instant>,
    /// The content as it is, and as it was when a build last began.
    pub(super) content: Content,
    pub(super) built: Content,
}

impl Source {
    /// A source that was not there when a build last began.
    pub(super) fn new() -> Source {
        Source {
            seen: None,
            confirm_at: None,
            content: Content::Absent,
            built: Content::Absent,
        }
    }

    /// Looks, and reads if need be. Returns whether the content is another one than before. A path that cannot be
    /// looked at now keeps its content: an error is no change.
    ///
    /// If the system `may_remember` that there is no such file, its server is asked: cargo would believe the system,
    /// too.
    pub(super) fn look(&mut self, path: &Path, may_remember: bool, now: Instant) -> bool {
        let look = OsFiles.look(path);
        let look = match look {
            Err(error) if may_remember && is_absent(&error) => {
                OsFiles.ask_for_name(path);
                OsFiles.look(path)
            }
            look => look,
        };
        let seen = match look {
            Ok(seen) => seen,
            Err(error) if is_absent(&error) => {
                self.seen = None;
                self.confirm_at = None;
                return self.take(Content::Absent);
            }
            Err(_) => return false,
        };
        let is_new = self.seen != Some(seen);
        let is_due = self.confirm_at.is_some_and(|at| now >= at);
        if !is_new && !is_due {
            return false;
        }
        match read(path, &seen) {
            Ok(content) => {
                self.seen = Some(seen);
                self.confirm_at = is_new.then(|| now + seen.racy_for());
                self.take(content)
            }
            // It is read at the next look: what was seen is not taken down.
            Err(_) => false,
        }
    }

    fn take(&mut self, content: Content) -> bool {
        std::mem::replace(&mut self.content, content) != content
    }

    /// Whether it is another one than when a build last began.
    pub(super) fn has_changed(&self) -> bool {
        self.content != self.built
    }

    /// When it was last written, as the filesystem says.
    pub(super) fn modified(&self) -> Option<Stamp> {
        self.seen.map(|seen| seen.modified)
    }
}

pub(super) fn is_absent(error: &io::Error) -> bool {
    use io::ErrorKind::{NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory)
}

fn read(path: &Path, seen: &Snapshot) -> io::Result<Content> {
    if seen.kind != Kind::File {
        return Ok(Content::Absent);
    }
    if seen.size > LONGEST {
        return Ok(Content::Long(seen.size, seen.modified));
    }
    let mut bytes = Vec::new();
    OsFiles.open(path)?.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(Content::Bytes(Digest::of(&bytes)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn only_other_bytes_are_a_change() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lib.rs");
        let (mut source, now) = (Source::new(), Instant::now());
        assert!(!source.look(&path, false, now));
        fs::write(&path, "one").unwrap();
        assert!(source.look(&path, false, now));
        source.built = source.content;
        fs::write(directory.path().join("new"), "one").unwrap();
        fs::rename(directory.path().join("new"), &path).unwrap();
        assert!(
            !source.look(&path, false, now),
            "another file with equal bytes"
        );
        fs::write(&path, "two").unwrap();
        assert!(source.look(&path, false, now));
        assert!(source.has_changed());
        fs::write(&path, "one").unwrap();
        assert!(source.look(&path, false, now));
        assert!(!source.has_changed(), "it is as it was built");
        fs::remove_file(&path).unwrap();
        assert!(source.look(&path, false, now));
        assert!(source.has_changed());
    }

    #[test]
    fn a_write_that_leaves_an_equal_snapshot_is_found_after_the_tick() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lib.rs");
        fs::write(&path, "one").unwrap();
        let (mut source, now) = (Source::new(), Instant::now());
        source.look(&path, false, now);
        fs::write(&path, "two").unwrap();
        // As if the write fell into the tick of the look.
        source.seen = Some(OsFiles.look(&path).unwrap());
        assert!(!source.look(&path, false, now));
        let tick = source.seen.unwrap().racy_for();
        assert!(source.look(&path, false, now + tick));
    }

    #[test]
    fn what_cannot_be_looked_at_has_not_changed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lib.rs");
        fs::write(&path, "one").unwrap();
        let (mut source, now) = (Source::new(), Instant::now());
        source.look(&path, false, now);
        // A name that cannot be is an error of another kind than a name that is not there.
        let impossible = directory.path().join("x\0");
        assert!(!source.look(&impossible, false, now));
        assert_ne!(source.content, Content::Absent);
    }
}
