//! The words between a host and its helper: what is to be tried, and how far that has come. Pure.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::states::Saved;
use super::verdict::TrialPart;

/// The first bytes of a request. Both sides are one program, so it needs no version.
const MAGIC: &[u8] = b"replug trial\n";

/// A request: everything that a helper is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// What each word to the host begins with, so that nothing else that is written there is taken for one.
    pub(crate) nonce: String,
    /// The process that asks.
    pub(crate) asker: u32,
    pub(crate) time: Duration,
    pub(crate) memory: u64,
    pub(crate) descriptors: u64,
    pub(crate) artifact: PathBuf,
    pub(crate) library: PathBuf,
    /// The libraries that come along, each after those that it needs itself.
    pub(crate) siblings: Vec<PathBuf>,
    pub(crate) state: Option<Saved>,
}

impl Request {
    /// The request as bytes.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        let mut field = |content: &[u8]| {
            bytes.extend((content.len() as u64).to_le_bytes());
            bytes.extend(content);
        };
        field(self.nonce.as_bytes());
        field(&self.asker.to_le_bytes());
        field(&(self.time.as_millis() as u64).to_le_bytes());
        field(&self.memory.to_le_bytes());
        field(&self.descriptors.to_le_bytes());
        field(&path_to_bytes(&self.artifact));
        field(&path_to_bytes(&self.library));
        field(&(self.siblings.len() as u64).to_le_bytes());
        for sibling in &self.siblings {
            field(&path_to_bytes(sibling));
        }
        if let Some((version, state)) = &self.state {
            field(&version.to_le_bytes());
            field(state);
        }
        bytes
    }

    /// Reads a request; `None` if the bytes are none.
    pub(crate) fn read(bytes: &[u8]) -> Option<Request> {
        let mut rest = bytes.strip_prefix(MAGIC)?;
        let mut field = || {
            let (length, after) = rest.split_first_chunk::<8>()?;
            let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
            let (content, after) = after.split_at_checked(length)?;
            rest = after;
            Some(content)
        };
        let number = |content: &[u8]| content.try_into().ok().map(u64::from_le_bytes);
        let nonce = String::from_utf8(field()?.to_vec()).ok()?;
        let asker = u32::from_le_bytes(field()?.try_into().ok()?);
        let time = Duration::from_millis(number(field()?)?);
        let (memory, descriptors) = (number(field()?)?, number(field()?)?);
        let (artifact, library) = (path_of(field()?)?, path_of(field()?)?);
        let mut siblings = Vec::new();
        for _ in 0..number(field()?)? {
            siblings.push(path_of(field()?)?);
        }
        let state = match field() {
            Some(version) => Some((
                u32::from_le_bytes(version.try_into().ok()?),
                field()?.to_vec(),
            )),
            None => None,
        };
        Some(Request {
            nonce,
            asker,
            time,
            memory,
            descriptors,
            artifact,
            library,
            siblings,
            state,
        })
    }
}

#[cfg(unix)]
fn path_to_bytes(path: &Path) -> Vec<u8> {
    use std::os::unix::ffi::OsStrExt as _;
    path.as_os_str().as_bytes().to_vec()
}

#[cfg(unix)]
fn path_of(bytes: &[u8]) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt as _;
    Some(OsString::from_vec(bytes.to_vec()).into())
}

#[cfg(windows)]
fn path_to_bytes(path: &Path) -> Vec<u8> {
    use std::os::windows::ffi::OsStrExt as _;
    let units = path.as_os_str().encode_wide();
    units.flat_map(u16::to_le_bytes).collect()
}

#[cfg(windows)]
fn path_of(bytes: &[u8]) -> Option<PathBuf> {
    use std::os::windows::ffi::OsStringExt as _;
    let units = bytes
        .chunks_exact(2)
        .map(|it| u16::from_le_bytes([it[0], it[1]]));
    let units: Vec<u16> = units.collect();
    Some(OsString::from_wide(&units).into())
}

/// A word of a helper to its host, a line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Word {
    /// This part begins.
    Begins(TrialPart),
    /// The part that had begun has failed.
    Failed(String),
    /// All is done, and well.
    Passed,
}

/// The names of the parts on the line.
const PARTS: [(&str, TrialPart); 7] = [
    ("start", TrialPart::Start),
    ("load", TrialPart::Load),
    ("handshake", TrialPart::Handshake),
    ("init", TrialPart::Init),
    ("restore", TrialPart::Restore),
    ("self-test", TrialPart::SelfTest),
    ("stop", TrialPart::Stop),
];

/// The name of the word that all is well, and that of the word that something failed.
const PASSED: &str = "passed";
const FAILED: &str = "failed";

impl Word {
    /// The word as a line. A reason must be of one line.
    pub(crate) fn line(&self, nonce: &str) -> String {
        // Whoever has written something before may not have ended his line.
        match self {
            Word::Begins(part) => {
                let name = PARTS.iter().find(|(_, it)| it == part);
                format!("\n{nonce} {}\n", name.map_or("", |(name, _)| name))
            }
            Word::Failed(reason) => format!("\n{nonce} {FAILED} {reason}\n"),
            Word::Passed => format!("\n{nonce} {PASSED}\n"),
        }
    }

    /// Reads a line; `None` if it is no word of this helper's.
    pub(crate) fn read(line: &[u8], nonce: &str) -> Option<Word> {
        let line = std::str::from_utf8(line).ok()?;
        let word = line.strip_suffix('\n')?.strip_prefix(nonce)?;
        let word = word.strip_prefix(' ')?;
        if word == PASSED {
            return Some(Word::Passed);
        }
        if let Some(reason) = word.strip_prefix(FAILED) {
            return Some(Word::Failed(reason.trim().to_owned()));
        }
        let part = PARTS.iter().find(|(name, _)| *name == word);
        part.map(|(_, part)| Word::Begins(*part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(state: Option<Saved>) -> Request {
        Request {
            nonce: "0123".to_owned(),
            asker: 7,
            time: Duration::from_secs(10),
            memory: u64::MAX,
            descriptors: 64,
            artifact: "/a\n/libx.so".into(),
            library: "/stage/x.1.so".into(),
            siblings: vec!["/stage/y.2.so".into()],
            state,
        }
    }

    #[test]
    fn a_request_is_read_as_it_was_written_and_no_part_of_one_is_read() {
        for state in [None, Some((2, b"state".to_vec()))] {
            let request = request(state);
            let bytes = request.to_bytes();
            assert_eq!(Request::read(&bytes), Some(request));
        }
        let bytes = request(None).to_bytes();
        for end in 0..bytes.len() {
            assert_eq!(Request::read(&bytes[..end]), None, "{end}");
        }
        assert_eq!(Request::read(b"anything else"), None);
    }

    #[test]
    fn a_word_is_read_from_its_own_helper_only() {
        let parts = PARTS.map(|(_, part)| Word::Begins(part));
        let others = [Word::Passed, Word::Failed("no licence".to_owned())];
        for word in parts.into_iter().chain(others) {
            let line = word.line("0123");
            let lines: Vec<_> = line.split_inclusive('\n').collect();
            assert_eq!(
                lines.len(),
                2,
                "one line, and the end of another's: {line:?}"
            );
            assert_eq!(Word::read(lines[1].as_bytes(), "0123"), Some(word));
            assert_eq!(Word::read(lines[1].as_bytes(), "0124"), None);
        }
        for line in [
            "0123 passed",
            "0123passed\n",
            "passed\n",
            "0123 passed!\n",
            "\n",
        ] {
            assert_eq!(Word::read(line.as_bytes(), "0123"), None, "{line:?}");
        }
    }
}
