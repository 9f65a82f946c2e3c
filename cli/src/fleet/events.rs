//! `Events`: the file that a host's lines go to, read from where it was read before.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::PathBuf;

/// The longest line that is taken for one, in bytes.
const LONGEST: usize = 256 * 1024;

/// How much is read at once, in bytes.
const CHUNK: usize = 64 * 1024;

/// A file of lines that grows, and is begun anew now and then.
#[derive(Debug)]
pub(crate) struct Events {
    path: PathBuf,
    /// Which file was read, and how far.
    file: Option<u64>,
    read: u64,
    /// The begin of a line whose end is not there yet.
    begun: Vec<u8>,
}

impl Events {
    pub(crate) fn of(path: PathBuf) -> Events {
        Events {
            path,
            file: None,
            read: 0,
            begun: Vec::new(),
        }
    }

    /// Takes each line that has come to its end since the last time. A file that is not there has none.
    pub(crate) fn read(&mut self, mut take: impl FnMut(&str)) -> io::Result<()> {
        // What is no file is not opened: a FIFO would be waited for.
        let metadata = match fs::metadata(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            metadata => metadata?,
        };
        if !metadata.is_file() {
            return Err(io::Error::new(
                ErrorKind::InvalidInput,
                "it is no regular file",
            ));
        }
        let file = identity(&metadata);
        if self.file != Some(file) || metadata.len() < self.read {
            (self.file, self.read) = (Some(file), 0);
            self.begun.clear();
        }
        let mut open = File::open(&self.path)?;
        open.seek(SeekFrom::Start(self.read))?;
        let mut piece = vec![0; CHUNK];
        loop {
            let read = match open.read(&mut piece) {
                Ok(0) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                read => read?,
            };
            self.read += read as u64;
            for part in piece[..read].split_inclusive(|byte| *byte == b'\n') {
                if self.begun.len() + part.len() <= LONGEST {
                    self.begun.extend_from_slice(part);
                }
                if part.ends_with(b"\n") {
                    // JSON is UTF-8: what is not is no line of a host's.
                    if let Ok(line) = str::from_utf8(&self.begun) {
                        take(line.trim_end());
                    }
                    self.begun.clear();
                }
            }
        }
    }
}

#[cfg(unix)]
fn identity(metadata: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn identity(_: &fs::Metadata) -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn lines(events: &mut Events) -> Vec<String> {
        let mut lines = Vec::new();
        events.read(|line| lines.push(line.to_owned())).unwrap();
        lines
    }

    #[test]
    fn each_line_is_taken_once_and_when_it_is_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events");
        let mut events = Events::of(path.clone());
        assert!(lines(&mut events).is_empty());
        let mut file = File::create(&path).unwrap();
        file.write_all(b"one\ntw").unwrap();
        assert_eq!(lines(&mut events), ["one"]);
        file.write_all(b"o\nthree\n").unwrap();
        assert_eq!(lines(&mut events), ["two", "three"]);
        assert!(lines(&mut events).is_empty());
        // Begun anew, in place, and then by another file.
        fs::write(&path, "4\n").unwrap();
        assert_eq!(lines(&mut events), ["4"]);
        fs::rename(&path, directory.path().join("events.1")).unwrap();
        fs::write(&path, "five is longer\n").unwrap();
        assert_eq!(lines(&mut events), ["five is longer"]);
    }

    #[test]
    fn a_line_without_end_is_none_and_takes_no_memory() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events");
        fs::write(&path, vec![b'x'; 4 * LONGEST]).unwrap();
        let mut events = Events::of(path.clone());
        assert!(lines(&mut events).is_empty());
        assert!(events.begun.capacity() <= 2 * LONGEST);
        let mut file = File::options().append(true).open(&path).unwrap();
        file.write_all(b"\nnext\n").unwrap();
        assert_eq!(lines(&mut events)[1], "next");
    }
}
