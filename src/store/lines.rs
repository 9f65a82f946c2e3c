//! The lines of a store's journal: what became of builds, one event a line, and how a line is written and read. Pure.
//!
//! A line is the first 16 digits of the SHA-256 of what follows, a tab, and fields between tabs. A line that was cut, or that
//! somebody changed, is told by that sum.

use std::path::{Path, PathBuf};

use crate::look::digest::Digest;

/// The first line of a journal: the format, and its version.
pub(crate) const HEADER: &str = "replug store 1";

/// The most bytes of a reason that are written.
const LONGEST_REASON: usize = 1000;

/// A build: a library's path, and the digest of what was there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Build {
    pub(crate) artifact: PathBuf,
    pub(crate) digest: Digest,
}

impl Build {
    pub(crate) fn new(artifact: &Path, digest: Digest) -> Build {
        let artifact = artifact.to_owned();
        Build { artifact, digest }
    }
}

/// A library that a build brings along, as the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Along {
    pub(crate) soname: Vec<u8>,
    pub(crate) digest: Digest,
}

/// The parts of a build of which there are copies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parts {
    /// The digest of the library alone.
    pub(crate) own: Digest,
    /// The libraries that come along, each after those that it needs itself.
    pub(crate) along: Vec<Along>,
}

impl Parts {
    /// The digests of all copies.
    pub(crate) fn digests(&self) -> impl Iterator<Item = Digest> {
        let along = self.along.iter().map(|it| it.digest);
        std::iter::once(self.own).chain(along)
    }
}

/// An event: something that became of a build, or of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// A host began to use the store: its run, the boot of the machine if that is known, and its process.
    Started {
        run: u64,
        boot: String,
        process: u32,
    },
    /// That host has ended in order.
    Stopped,
    /// A build was found to be whole and to fit, and is about to be loaded.
    Handed { build: Build },
    /// Copies of a build are in the store.
    Stored { build: Build, parts: Parts },
    /// Its copies have left the store.
    Gone { build: Build },
    /// A build is live, as this generation.
    Live { build: Build, generation: u64 },
    /// A build was kept out.
    Kept {
        build: Build,
        step: String,
        reason: String,
    },
    /// A build was live for as long as its probation lasts.
    Proven { build: Build },
    /// A process died while the build was on probation, in this run; whether that counts against the build, and why.
    Died {
        build: Build,
        run: u64,
        counts: bool,
        reason: String,
    },
    /// A build was left for another one, and is not loaded again.
    Left {
        build: Build,
        to: Digest,
        reason: String,
    },
    /// A build may be loaded again.
    Released { build: Build },
}

/// An event and its time, in milliseconds since 1970 by the clock on the wall. The time is for people: nothing follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) at: u64,
    pub(crate) event: Event,
}

impl Event {
    /// The build that the event is about.
    pub(crate) fn build(&self) -> Option<&Build> {
        match self {
            Event::Started { .. } | Event::Stopped => None,
            Event::Handed { build }
            | Event::Stored { build, .. }
            | Event::Gone { build }
            | Event::Live { build, .. }
            | Event::Kept { build, .. }
            | Event::Proven { build }
            | Event::Died { build, .. }
            | Event::Left { build, .. }
            | Event::Released { build } => Some(build),
        }
    }

    /// Whether the event must outlive a power cut. What is only asked after the death of a process need not, for a machine that went
    /// down is held against nobody; and what is kept out once is kept out again.
    pub(crate) fn must_last(&self) -> bool {
        !matches!(
            self,
            Event::Started { .. } | Event::Handed { .. } | Event::Kept { .. } | Event::Stopped
        )
    }

    /// The word of the event in its line.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Event::Started { .. } => "started",
            Event::Stopped => "stopped",
            Event::Handed { .. } => "handed",
            Event::Stored { .. } => "stored",
            Event::Gone { .. } => "gone",
            Event::Live { .. } => "live",
            Event::Kept { .. } => "kept",
            Event::Proven { .. } => "proven",
            Event::Died { .. } => "died",
            Event::Left { .. } => "left",
            Event::Released { .. } => "released",
        }
    }
}

impl Entry {
    /// The line, with its end.
    pub(crate) fn line(&self) -> String {
        let mut fields = vec![self.at.to_string(), self.event.word().to_owned()];
        if let Some(build) = self.event.build() {
            fields.push(escaped(&path_bytes(&build.artifact)));
            fields.push(build.digest.to_string());
        }
        match &self.event {
            Event::Started { run, boot, process } => {
                fields.extend([run.to_string(), escaped(boot.as_bytes())]);
                fields.push(process.to_string());
            }
            Event::Stored { parts, .. } => {
                fields.push(parts.own.to_string());
                fields.extend(parts.along.iter().flat_map(|it| {
                    let digest = it.digest.to_string();
                    [escaped(&it.soname), digest]
                }));
            }
            Event::Live { generation, .. } => fields.push(generation.to_string()),
            Event::Kept { step, reason, .. } => {
                fields.extend([escaped(step.as_bytes()), reason_of(reason)]);
            }
            Event::Died {
                run,
                counts,
                reason,
                ..
            } => {
                let counts = if *counts { "counts" } else { "uncounted" };
                fields.extend([run.to_string(), counts.to_owned(), reason_of(reason)]);
            }
            Event::Left { to, reason, .. } => fields.extend([to.to_string(), reason_of(reason)]),
            _ => {}
        }
        summed(&fields.join("\t"))
    }

    /// Reads a line without its end; `None` if it is none, was cut, or was changed.
    pub(crate) fn read(line: &[u8]) -> Option<Entry> {
        let text = unsummed(line)?;
        let mut fields = text.split('\t');
        let at = fields.next()?.parse().ok()?;
        let word = fields.next()?;
        let event = match word {
            "started" => Event::Started {
                run: fields.next()?.parse().ok()?,
                boot: text_of(fields.next()?)?,
                process: fields.next()?.parse().ok()?,
            },
            "stopped" => Event::Stopped,
            word => {
                let artifact = bytes_path(unescaped(fields.next()?)?)?;
                let digest = fields.next()?.parse().ok()?;
                let build = Build { artifact, digest };
                of_build(word, build, &mut fields)?
            }
        };
        Some(Entry { at, event })
    }
}

fn of_build<'t>(
    word: &str,
    build: Build,
    fields: &mut impl Iterator<Item = &'t str>,
) -> Option<Event> {
    Some(match word {
        "handed" => Event::Handed { build },
        "stored" => {
            let own = fields.next()?.parse().ok()?;
            let mut along = Vec::new();
            while let Some(soname) = fields.next() {
                let soname = unescaped(soname)?;
                let digest = fields.next()?.parse().ok()?;
                along.push(Along { soname, digest });
            }
            let parts = Parts { own, along };
            Event::Stored { build, parts }
        }
        "gone" => Event::Gone { build },
        "live" => Event::Live {
            build,
            generation: fields.next()?.parse().ok()?,
        },
        "kept" => Event::Kept {
            build,
            step: text_of(fields.next()?)?,
            reason: text_of(fields.next()?)?,
        },
        "proven" => Event::Proven { build },
        "died" => Event::Died {
            build,
            run: fields.next()?.parse().ok()?,
            counts: fields.next()? == "counts",
            reason: text_of(fields.next()?)?,
        },
        "left" => Event::Left {
            build,
            to: fields.next()?.parse().ok()?,
            reason: text_of(fields.next()?)?,
        },
        "released" => Event::Released { build },
        _ => return None,
    })
}

/// A text behind its sum, as a line.
pub(crate) fn summed(text: &str) -> String {
    format!("{}\t{text}\n", sum_of(text.as_bytes()))
}

/// The text of a line without its end, if the sum is right.
pub(crate) fn unsummed(line: &[u8]) -> Option<&str> {
    let line = str::from_utf8(line).ok()?;
    let (sum, text) = line.split_once('\t')?;
    (sum == sum_of(text.as_bytes())).then_some(text)
}

fn sum_of(text: &[u8]) -> String {
    const DIGITS: usize = 16;
    let mut sum = Digest::of(text).to_string();
    sum.truncate(DIGITS);
    sum
}

fn reason_of(reason: &str) -> String {
    let mut end = reason.len().min(LONGEST_REASON);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    escaped(&reason.as_bytes()[..end])
}

/// Bytes as a field: what is no visible ASCII, and the backslash, as `\xff`.
pub(crate) fn escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        match byte {
            b'\\' => text.push_str("\\x5c"),
            b' '..=b'~' => text.push(byte.into()),
            _ => text.push_str(&format!("\\x{byte:02x}")),
        }
    }
    text
}

/// The bytes of a field.
pub(crate) fn unescaped(field: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        if byte != b'\\' {
            bytes.push(byte);
            rest = behind;
            continue;
        }
        let digits = behind.strip_prefix(b"x")?.get(..2)?;
        let digits = str::from_utf8(digits).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &behind[3..];
    }
    Some(bytes)
}

pub(crate) fn text_of(field: &str) -> Option<String> {
    String::from_utf8(unescaped(field)?).ok()
}

#[cfg(unix)]
fn path_bytes(path: &Path) -> Vec<u8> {
    use std::os::unix::ffi::OsStrExt as _;
    path.as_os_str().as_bytes().to_owned()
}

/// A path that is no text comes back as none, so its builds are not found again.
#[cfg(not(unix))]
fn path_bytes(path: &Path) -> Vec<u8> {
    path.to_str().unwrap_or_default().as_bytes().to_owned()
}

#[cfg(unix)]
fn bytes_path(bytes: Vec<u8>) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt as _;
    Some(std::ffi::OsString::from_vec(bytes).into())
}

#[cfg(not(unix))]
fn bytes_path(bytes: Vec<u8>) -> Option<PathBuf> {
    String::from_utf8(bytes).ok().map(PathBuf::from)
}

/// Reads a journal: its entries, how long its readable part is, and how many lines in it were passed over. `None` if the
/// bytes are those of another format or version.
pub(crate) fn read_all(bytes: &[u8]) -> Option<Read> {
    let header = format!("{HEADER}\n");
    if header.as_bytes().starts_with(bytes) && bytes.len() < header.len() {
        // Nothing, or the beginning of what a host was about to write when it ended.
        return Some(Read::default());
    }
    let lines = bytes.strip_prefix(header.as_bytes())?;
    let mut read = Read {
        whole: header.len(),
        ..Read::default()
    };
    let mut passed_over = 0;
    let mut end = header.len();
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        end += line.len();
        let entry = line.strip_suffix(b"\n").and_then(Entry::read);
        match entry {
            Some(entry) => {
                read.entries.push(entry);
                read.passed_over = passed_over;
                read.whole = end;
            }
            None => passed_over += 1,
        }
    }
    Some(read)
}

/// A journal as it was read.
#[derive(Debug, Default)]
pub(crate) struct Read {
    pub(crate) entries: Vec<Entry>,
    /// How many bytes there are up to the end of the last good line. What is behind them was never said to be written.
    pub(crate) whole: usize,
    /// How many lines before that end are damaged.
    pub(crate) passed_over: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(name: &str) -> Build {
        Build::new(Path::new(name), Digest::of(name.as_bytes()))
    }

    fn entries() -> Vec<Entry> {
        let build = || build("/plugins/liba \t\\\n\u{fc}.so");
        let to = Digest::of(b"other");
        let events = [
            Event::Started {
                run: u64::MAX,
                boot: "a-b".to_owned(),
                process: 7,
            },
            Event::Handed { build: build() },
            Event::Stored {
                build: build(),
                parts: Parts {
                    own: to,
                    along: vec![Along {
                        soname: b"lib\xff.so".to_vec(),
                        digest: to,
                    }],
                },
            },
            Event::Live {
                build: build(),
                generation: 3,
            },
            Event::Kept {
                build: build(),
                step: "vet".to_owned(),
                reason: "cannot vet\t`x`\nat all".to_owned(),
            },
            Event::Proven { build: build() },
            Event::Died {
                build: build(),
                run: 9,
                counts: true,
                reason: String::new(),
            },
            Event::Left {
                build: build(),
                to,
                reason: "somebody asked".to_owned(),
            },
            Event::Released { build: build() },
            Event::Gone { build: build() },
            Event::Stopped,
        ];
        let numbered = (0..).zip(events);
        numbered.map(|(at, event)| Entry { at, event }).collect()
    }

    fn journal() -> Vec<u8> {
        let lines: String = entries().iter().map(Entry::line).collect();
        format!("{HEADER}\n{lines}").into_bytes()
    }

    #[test]
    fn a_line_comes_back_as_it_was_written() {
        for entry in entries() {
            let line = entry.line();
            assert_eq!(line.matches('\n').count(), 1, "{line:?}");
            let read = Entry::read(line.trim_end_matches('\n').as_bytes());
            assert_eq!(read, Some(entry));
        }
    }

    #[test]
    fn a_journal_that_is_cut_anywhere_is_what_was_whole_before_the_cut() {
        let (journal, all) = (journal(), entries());
        for cut in 0..=journal.len() {
            let read = read_all(&journal[..cut]).unwrap();
            assert_eq!(read.entries, all[..read.entries.len()], "cut at {cut}");
            assert!(read.whole <= cut, "cut at {cut}");
            let rest = &journal[read.whole..cut];
            let lines = rest.iter().filter(|byte| **byte == b'\n').count();
            let is_header = read.whole == 0;
            assert!(
                is_header || lines == 0,
                "cut at {cut}: a whole line is lost"
            );
        }
    }

    #[test]
    fn a_byte_that_changes_anywhere_costs_one_line_or_two_and_no_other() {
        let (journal, all) = (journal(), entries());
        let header = HEADER.len() + 1;
        for at in header..journal.len() {
            let mut damaged = journal.clone();
            damaged[at] ^= 1;
            let read = read_all(&damaged).unwrap();
            let kept = read.entries.iter().filter(|it| all.contains(it)).count();
            assert_eq!(kept, read.entries.len(), "nothing is made up, at {at}");
            assert!(kept + 2 >= all.len(), "at {at}");
        }
    }

    #[test]
    fn a_journal_of_another_version_is_not_read() {
        for foreign in ["replug store 2\n", "something\n", "\n", "x"] {
            assert!(read_all(foreign.as_bytes()).is_none(), "{foreign:?}");
        }
    }

    #[test]
    fn a_long_reason_is_cut_at_a_character() {
        let entry = Entry {
            at: 0,
            event: Event::Kept {
                build: build("a"),
                step: "vet".to_owned(),
                reason: "é".repeat(LONGEST_REASON),
            },
        };
        let read = Entry::read(entry.line().trim_end().as_bytes()).unwrap();
        let Event::Kept { reason, .. } = read.event else {
            panic!("{read:?}")
        };
        assert_eq!(reason, "é".repeat(LONGEST_REASON / 2));
    }
}
