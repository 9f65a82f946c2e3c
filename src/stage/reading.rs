//! The bracketed reading of an artifact: one pass that digests and copies, believed only if the file held still.

use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;

use crate::look::digest::{Digest, Digester};
use crate::look::files::{Files, Names};
use crate::look::place;
use crate::look::snapshot::{Fields, Snapshot};

/// Bytes read at a time: large enough that system calls do not show beside the hashing, small enough for the
/// second-level cache.
const CHUNK: usize = 128 * 1024;

/// Why a reading has no digest.
#[derive(Debug)]
pub(crate) enum Unread {
    /// The file changed during the reading. Holds the look that showed the change, if a look did.
    Torn(Option<Snapshot>),
    /// The open artifact was not admitted, so none of its content was read.
    NotAdmitted,
    /// The artifact could not be read.
    Artifact(io::Error),
    /// The copy could not be written.
    Staged(io::Error),
}

/// The terms of a reading: how the artifact is looked at and read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    /// The snapshot that every look before and after the reading must see.
    pub(crate) snapshot: Snapshot,
    /// The fields of the snapshot that mean nothing.
    pub(crate) noise: Fields,
    /// What makes a client in between ask for names, if there is one: its cache of the content may be out of date, too.
    pub(crate) asks: Option<Names>,
}

/// Reads the artifact at `path` to its end, once, digesting and copying it to `copy`.
///
/// The open file must look like the snapshot before and after the reading, and the path must look like it after the
/// reading. There must be as many bytes as the snapshot says. Otherwise the reading is torn and means nothing. The open
/// file is shown to `admits`, which says whether the file is read at all.
pub(crate) fn read<F: Files>(
    files: &F,
    path: &Path,
    terms: Terms,
    admits: impl FnOnce(&F::Artifact) -> io::Result<bool>,
    copy: &mut impl Write,
) -> Result<Digest, Unread> {
    let mut artifact = files.open(path).map_err(Unread::Artifact)?;
    let wanted = terms.snapshot.without(terms.noise);
    let same = |look: io::Result<Snapshot>| match look {
        Ok(seen) if seen.without(terms.noise) == wanted => Ok(()),
        Ok(seen) => Err(Unread::Torn(Some(seen))),
        Err(error) => Err(Unread::Artifact(error)),
    };
    same(files.look_open(&artifact))?;
    if !admits(&artifact).map_err(Unread::Artifact)? {
        return Err(Unread::NotAdmitted);
    }
    if terms.asks.is_some()
        && let Err(error) = files.forget_content(&artifact)
    {
        // The bytes that are read may then be old; the next audit asks again.
        tracing::debug!(artifact = %path.display(), %error, "its content cannot be forgotten");
    }
    let digest = pass(&mut artifact, copy, wanted.size)?;
    same(files.look_open(&artifact))?;
    let was_file = true;
    same(place::look_afresh(files, path, terms.asks, was_file))?;
    Ok(digest)
}

/// One pass over the artifact, which must be exactly `size` bytes long.
fn pass(artifact: &mut impl Read, copy: &mut impl Write, size: u64) -> Result<Digest, Unread> {
    let mut chunk = vec![0; CHUNK.min(usize::try_from(size).unwrap_or(CHUNK).max(1))];
    let mut digester = Digester::default();
    let mut total = 0;
    loop {
        let count = match artifact.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(Unread::Artifact(error)),
        };
        total += count as u64;
        if total > size {
            return Err(Unread::Torn(None));
        }
        digester.update(&chunk[..count]);
        copy.write_all(&chunk[..count]).map_err(Unread::Staged)?;
    }
    if total != size {
        return Err(Unread::Torn(None));
    }
    copy.flush().map_err(Unread::Staged)?;
    Ok(digester.finish())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::convert::Infallible;
    use std::ffi::OsStr;
    use std::io::Cursor;

    use super::*;
    use crate::look::files::Listing;
    use crate::look::snapshot::{Kind, Stamp};

    #[test]
    fn one_pass_copies_what_it_digests() {
        let content: Vec<u8> = (0..3 * CHUNK + 17).map(|at| (at % 251) as u8).collect();
        let mut copy = Vec::new();
        let digest = pass(&mut content.as_slice(), &mut copy, content.len() as u64).unwrap();
        assert_eq!(copy, content);
        assert_eq!(digest, Digest::of(&content));
    }

    #[test]
    fn more_or_fewer_bytes_than_the_snapshot_said_are_torn() {
        for size in [0, 2, 4] {
            let unread = pass(&mut b"abc".as_slice(), &mut io::sink(), size).unwrap_err();
            assert!(matches!(unread, Unread::Torn(None)), "{size}");
        }
    }

    #[test]
    fn a_copy_that_cannot_be_written_is_told_from_an_artifact_that_cannot_be_read() {
        let mut full: &mut [u8] = &mut [0; 2];
        let unread = pass(&mut b"abc".as_slice(), &mut full, 3).unwrap_err();
        assert!(matches!(unread, Unread::Staged(_)));
    }

    /// An artifact that changes behind the reader's back: each look sees the next snapshot of a list.
    struct Shifting {
        content: &'static [u8],
        looks: RefCell<Vec<Snapshot>>,
    }

    impl Shifting {
        fn next_look(&self) -> io::Result<Snapshot> {
            Ok(self.looks.borrow_mut().remove(0))
        }
    }

    impl Files for Shifting {
        type Artifact = Cursor<&'static [u8]>;
        type Directory = Infallible;

        fn look(&self, _path: &Path) -> io::Result<Snapshot> {
            self.next_look()
        }

        fn look_open(&self, _artifact: &Self::Artifact) -> io::Result<Snapshot> {
            self.next_look()
        }

        fn open(&self, _path: &Path) -> io::Result<Self::Artifact> {
            Ok(Cursor::new(self.content))
        }

        fn names(&self, _directory: &Path, _each: &mut dyn FnMut(&OsStr)) -> io::Result<()> {
            Err(ErrorKind::Unsupported.into())
        }

        fn list(
            &self,
            _directory: &Path,
            _depth: usize,
            _is_wanted: &dyn Fn(&OsStr, Kind) -> bool,
        ) -> io::Result<Listing> {
            Err(ErrorKind::Unsupported.into())
        }
    }

    fn snapshot_of_three_bytes() -> Snapshot {
        let stamp = Stamp::default();
        Snapshot {
            kind: Kind::File,
            device: 1,
            inode: 1,
            links: 1,
            size: 3,
            modified: stamp,
            changed: stamp,
            born: None,
        }
    }

    fn terms_of(snapshot: Snapshot) -> Terms {
        Terms {
            snapshot,
            noise: Fields::NONE,
            asks: None,
        }
    }

    #[test]
    fn a_file_that_is_not_admitted_is_not_read() {
        let seen = snapshot_of_three_bytes();
        let files = Shifting {
            content: b"abc",
            looks: RefCell::new(vec![seen; 3]),
        };
        let mut copy = Vec::new();
        let read = read(
            &files,
            Path::new("x"),
            terms_of(seen),
            |_| Ok(false),
            &mut copy,
        );
        assert!(matches!(read, Err(Unread::NotAdmitted)));
        assert!(copy.is_empty());
    }

    #[test]
    fn a_reading_counts_only_if_every_look_before_and_after_saw_the_same() {
        let seen = snapshot_of_three_bytes();
        let other = Snapshot { inode: 2, ..seen };
        // The open file before the pass, the open file after it, the path after it.
        for (looks, is_torn) in [
            ([seen, seen, seen], false),
            ([other, seen, seen], true),
            ([seen, other, seen], true),
            ([seen, seen, other], true),
        ] {
            let files = Shifting {
                content: b"abc",
                looks: RefCell::new(looks.to_vec()),
            };
            let terms = terms_of(seen);
            match read(&files, Path::new("x"), terms, |_| Ok(true), &mut io::sink()) {
                Ok(digest) => assert!(!is_torn && digest == Digest::of(b"abc")),
                Err(Unread::Torn(Some(seen))) => assert!(is_torn && seen == other),
                Err(unread) => panic!("{unread:?}"),
            }
        }
    }
}
