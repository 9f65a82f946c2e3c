//! The bracketed reading of an artifact: one pass that digests and copies, believed only if the file held still.

use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;

use replug_plugin::shown::shown;

use crate::decide::settle::Proof;
use crate::look::digest::{Digest, Digester};
use crate::look::files::{Files, Names, Writers};
use crate::look::place;
use crate::look::snapshot::{Fields, Snapshot};

/// Bytes read at a time: large enough that system calls do not show beside the hashing, small enough for the
/// second-level cache.
const CHUNK: usize = 128 * 1024;

/// How much of a large file is shown before the rest is read, in bytes: the first page, where systems look for a header.
pub(crate) const HEAD: usize = 4096;

/// The size, in bytes, up to which a file is read whatever it begins with: that takes some milliseconds.
const SMALL: u64 = 4 * 1024 * 1024;

/// Why a reading has no digest.
#[derive(Debug)]
pub(crate) enum Unread {
    /// The file changed during the reading. Holds the look that showed the change, if a look did.
    Torn(Option<Snapshot>),
    /// Somebody could write to the file, before the reading or after it.
    Written,
    /// The system could not say that nobody writes to the file, so none of its content was read.
    Unproven,
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
    /// What the system must say of the file's writers.
    pub(crate) proof: Proof,
}

/// The end of a reading that was not torn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Whole {
    pub(crate) digest: Digest,
    /// Whether the system has said, before the reading and after it, that nobody could write to the file.
    pub(crate) is_proven: bool,
}

/// Reads the artifact at `path` to its end, once, digesting and copying it to `copy`.
///
/// The open file must look like the snapshot before and after the reading, and the path must look like it after the
/// reading. There must be as many bytes as the snapshot says. Otherwise the reading is torn and means nothing. The open
/// file is shown to `admits`, which says whether the file is read at all.
///
/// Of a large file `is_worth_it` gets to see the head first, [`HEAD`] bytes. If it says no, nothing more is read and
/// nothing is copied: the digest is that of the head.
pub(crate) fn read<F: Files>(
    files: &F,
    path: &Path,
    terms: Terms,
    admits: impl FnOnce(&F::Artifact) -> io::Result<bool>,
    copy: &mut impl Write,
    is_worth_it: &mut dyn FnMut(&[u8]) -> bool,
) -> Result<Whole, Unread> {
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
    let writers = |artifact: &F::Artifact| match terms.proof {
        Proof::Unasked => Ok(Writers::Unknown),
        Proof::Wanted | Proof::Needed => match files.writers(artifact) {
            Writers::Somebody => Err(Unread::Written),
            other => Ok(other),
        },
    };
    let before = writers(&artifact)?;
    if terms.proof == Proof::Needed && before != Writers::Nobody {
        return Err(Unread::Unproven);
    }
    if terms.asks.is_some()
        && let Err(error) = files.forget_content(&artifact)
    {
        // The bytes that are read may then be old; the next audit asks again.
        tracing::debug!(artifact = %shown(path), %error, "its content cannot be forgotten");
    }
    let digest = pass(&mut artifact, copy, wanted.size, is_worth_it)?;
    let is_proven = [before, writers(&artifact)?] == [Writers::Nobody; 2];
    same(files.look_open(&artifact))?;
    let was_file = true;
    same(place::look_afresh(files, path, terms.asks, was_file))?;
    Ok(Whole { digest, is_proven })
}

/// One pass over the artifact, which must be exactly `size` bytes long.
fn pass(
    artifact: &mut impl Read,
    copy: &mut impl Write,
    size: u64,
    is_worth_it: &mut dyn FnMut(&[u8]) -> bool,
) -> Result<Digest, Unread> {
    let mut chunk = vec![0; CHUNK.min(usize::try_from(size).unwrap_or(CHUNK).max(1))];
    let mut digester = Digester::new();
    let mut total = 0;
    let is_large = size > SMALL;
    loop {
        let is_head = is_large && total == 0;
        let count = match is_head {
            true => fill(artifact, &mut chunk[..HEAD]),
            false => read_some(artifact, &mut chunk),
        };
        let count = count.map_err(Unread::Artifact)?;
        if count == 0 {
            break;
        }
        let bytes = &chunk[..count];
        if is_head && count == HEAD && !is_worth_it(bytes) {
            return Ok(Digest::of(bytes));
        }
        total += count as u64;
        if total > size {
            return Err(Unread::Torn(None));
        }
        digester.update(bytes);
        copy.write_all(bytes).map_err(Unread::Staged)?;
    }
    if total != size {
        return Err(Unread::Torn(None));
    }
    copy.flush().map_err(Unread::Staged)?;
    Ok(digester.finish())
}

/// Reads some bytes; none at the end of the file.
fn read_some(artifact: &mut impl Read, chunk: &mut [u8]) -> io::Result<usize> {
    loop {
        match artifact.read(chunk) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

/// Reads as many bytes as there is room for, or as there are.
fn fill(artifact: &mut impl Read, chunk: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < chunk.len() {
        match read_some(artifact, &mut chunk[filled..])? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
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
        let digest = pass(
            &mut content.as_slice(),
            &mut copy,
            content.len() as u64,
            &mut |_| true,
        )
        .unwrap();
        assert_eq!(copy, content);
        assert_eq!(digest, Digest::of(&content));
    }

    #[test]
    fn of_a_large_file_nothing_is_copied_whose_head_is_not_worth_it() {
        let content = vec![7; SMALL as usize + 1];
        let mut copy = Vec::new();
        // One byte comes at a time, as from a slow pipe: the head is whole all the same.
        struct Dripping<'a>(&'a [u8]);
        impl Read for Dripping<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let most = buffer.len().min(1);
                self.0.read(&mut buffer[..most])
            }
        }
        let mut seen = 0;
        let mut refuse = |head: &[u8]| {
            seen = head.len();
            false
        };
        let mut artifact = Dripping(&content);
        let size = content.len() as u64;
        let digest = pass(&mut artifact, &mut copy, size, &mut refuse).unwrap();
        assert_eq!(artifact.0.len(), content.len() - HEAD, "no more is read");
        assert_eq!((seen, copy.len()), (HEAD, 0));
        assert_eq!(digest, Digest::of(&content[..HEAD]));

        let digest = pass(&mut content.as_slice(), &mut copy, size, &mut |_| true).unwrap();
        assert_eq!(copy, content);
        assert_eq!(digest, Digest::of(&content));
    }

    #[test]
    fn more_or_fewer_bytes_than_the_snapshot_said_are_torn() {
        for size in [0, 2, 4] {
            let unread = pass(&mut b"abc".as_slice(), &mut io::sink(), size, &mut |_| {
                false
            })
            .unwrap_err();
            assert!(matches!(unread, Unread::Torn(None)), "{size}");
        }
    }

    #[test]
    fn a_copy_that_cannot_be_written_is_told_from_an_artifact_that_cannot_be_read() {
        let mut full: &mut [u8] = &mut [0; 2];
        let unread = pass(&mut b"abc".as_slice(), &mut full, 3, &mut |_| true).unwrap_err();
        assert!(matches!(unread, Unread::Staged(_)));
    }

    /// An artifact that changes behind the reader's back: each look sees the next snapshot of a list.
    struct Shifting {
        content: &'static [u8],
        looks: RefCell<Vec<Snapshot>>,
        /// What the system says of the file's writers, in turn.
        writers: RefCell<Vec<Writers>>,
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

        fn writers(&self, _artifact: &Self::Artifact) -> Writers {
            self.writers.borrow_mut().remove(0)
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
            mount: 1,
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
            proof: Proof::Unasked,
        }
    }

    #[test]
    fn a_file_that_is_not_admitted_is_not_read() {
        let seen = snapshot_of_three_bytes();
        let files = Shifting {
            content: b"abc",
            looks: RefCell::new(vec![seen; 3]),
            writers: RefCell::default(),
        };
        let mut copy = Vec::new();
        let read = read(
            &files,
            Path::new("x"),
            terms_of(seen),
            |_| Ok(false),
            &mut copy,
            &mut |_| true,
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
                writers: RefCell::default(),
            };
            let terms = terms_of(seen);
            let (admits, mut is_worth_it) = (|_: &_| Ok(true), |_: &[u8]| true);
            let path = Path::new("x");
            match read(
                &files,
                path,
                terms,
                admits,
                &mut io::sink(),
                &mut is_worth_it,
            ) {
                Ok(whole) => assert!(!is_torn && whole.digest == Digest::of(b"abc")),
                Err(Unread::Torn(Some(seen))) => assert!(is_torn && seen == other),
                Err(unread) => panic!("{unread:?}"),
            }
        }
    }

    #[test]
    fn a_reading_counts_as_proven_only_if_nobody_could_write_before_it_and_after_it() {
        use Writers::{Nobody, Somebody, Unknown};
        let seen = snapshot_of_three_bytes();
        for (proof, writers, expected) in [
            (Proof::Unasked, [Somebody, Somebody], "read"),
            (Proof::Wanted, [Nobody, Nobody], "proven"),
            (Proof::Wanted, [Somebody, Nobody], "written"),
            (Proof::Wanted, [Nobody, Somebody], "written"),
            (Proof::Wanted, [Unknown, Nobody], "read"),
            (Proof::Wanted, [Nobody, Unknown], "read"),
            (Proof::Needed, [Nobody, Nobody], "proven"),
            (Proof::Needed, [Somebody, Nobody], "written"),
            (Proof::Needed, [Unknown, Nobody], "unproven"),
            (Proof::Needed, [Nobody, Unknown], "read"),
        ] {
            let files = Shifting {
                content: b"abc",
                looks: RefCell::new(vec![seen; 3]),
                writers: RefCell::new(writers.to_vec()),
            };
            let terms = Terms {
                proof,
                ..terms_of(seen)
            };
            let mut copy = Vec::new();
            let (admits, mut is_worth_it) = (|_: &_| Ok(true), |_: &[u8]| true);
            let path = Path::new("x");
            let read = read(&files, path, terms, admits, &mut copy, &mut is_worth_it);
            let came = match read {
                Ok(Whole {
                    is_proven: true, ..
                }) => "proven",
                Ok(_) => "read",
                Err(Unread::Written) => "written",
                Err(Unread::Unproven) => "unproven",
                Err(unread) => panic!("{unread:?}"),
            };
            assert_eq!(came, expected, "{proof:?} {writers:?}");
            if came == "unproven" {
                assert!(copy.is_empty());
            }
        }
    }
}
