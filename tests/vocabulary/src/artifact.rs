//! A watched file, and the ways in which people and tools write such files.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use crate::{pause, put_in_place, wait_until_closed};

/// When every file from a backup was last written, after 1970: in 2020. All have this one time, so that two of equal
/// size can be told apart by nothing that a builder sets.
const LONG_AGO: Duration = Duration::from_secs(1_600_000_000);

/// The age of a finished file when it arrives. Builders take some time from the last write to the link.
const BUILD: Duration = Duration::from_millis(50);

/// The number in the next name for a file that is renamed or linked into place.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// A path that a program under test watches.
pub struct Artifact {
    path: PathBuf,
}

impl Artifact {
    /// An artifact at `path`, where there need not be a file yet.
    pub fn at(path: impl Into<PathBuf>) -> Artifact {
        Artifact { path: path.into() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts a finished file in place by renaming, as lld, mold and careful people do.
    pub fn replace_with(&self, content: &[u8]) {
        let aside = self.aside(content);
        put_in_place(|| fs::rename(&aside, &self.path));
    }

    /// Puts a finished file in place that was last written long ago, as backups and package managers do. Whoever
    /// looks at the file can tell that nobody is still writing it.
    pub fn restore(&self, content: &[u8]) {
        let backup = self.aside_from_long_ago(content);
        put_in_place(|| fs::rename(&backup, &self.path));
    }

    /// Unlinks the file and links a finished one into place, as cargo does.
    pub fn link(&self, content: &[u8]) {
        let aside = self.aside(content);
        if fs::symlink_metadata(&self.path).is_ok() {
            self.remove();
        }
        put_in_place(|| fs::hard_link(&aside, &self.path));
        // Cargo's other name of the file stays; whether ours stays makes no difference to the linked file.
    }

    /// Truncates the file and writes all of it, as `cp` does.
    pub fn overwrite(&self, content: &[u8]) {
        fs::write(&self.path, content).unwrap();
    }

    /// Overwrites the file, and leaves it open for writing.
    #[must_use = "the file is closed when this is dropped"]
    pub fn overwrite_and_keep_open(&self, content: &[u8]) -> File {
        let mut file = File::create(&self.path).unwrap();
        file.write_all(content).unwrap();
        file
    }

    /// Opens the file for writing.
    pub fn open_to_write(&self) -> File {
        OpenOptions::new().write(true).open(&self.path).unwrap()
    }

    /// Runs the real `cp` with `options`, from a file that was last written long ago.
    pub fn copy_with_cp(&self, options: &[&str], content: &[u8]) {
        let older = self.aside_from_long_ago(content);
        let copied = Command::new("cp")
            .args(options)
            .args([&older, &self.path])
            .status()
            .expect("cp can be started");
        assert!(copied.success(), "cp failed");
        fs::remove_file(older).unwrap();
    }

    /// Truncates the file and writes it in `chunks` pieces, evenly spread over `duration`.
    pub fn write_slowly(&self, content: &[u8], chunks: u32, duration: Duration) {
        let file = File::create(&self.path).unwrap();
        write_in_pieces(file, content, chunks, duration);
    }

    /// Writes over the file without truncating it first, as `rsync --inplace` does, in `chunks` pieces.
    pub fn write_through_slowly(&self, content: &[u8], chunks: u32, duration: Duration) {
        let file = OpenOptions::new().write(true).open(&self.path).unwrap();
        let file = write_in_pieces(file, content, chunks, duration);
        file.set_len(content.len() as u64).unwrap();
    }

    /// Reserves room for `content`, which reads as zeros, and writes only its first `length` bytes.
    pub fn preallocate(&self, content: &[u8], length: usize) {
        let mut file = File::create(&self.path).unwrap();
        file.set_len(content.len() as u64).unwrap();
        file.write_all(&content[..length]).unwrap();
    }

    /// Writes `rest` from `offset` to the end, and leaves the bytes before it.
    pub fn write_from(&self, offset: usize, rest: &[u8]) {
        let mut file = OpenOptions::new().write(true).open(&self.path).unwrap();
        file.seek(SeekFrom::Start(offset as u64)).unwrap();
        file.write_all(rest).unwrap();
    }

    /// Sets the file's times to now and leaves its bytes alone.
    pub fn touch(&self) {
        let file = OpenOptions::new().write(true).open(&self.path).unwrap();
        file.set_modified(SystemTime::now()).unwrap();
    }

    /// Deletes the file.
    pub fn remove(&self) {
        put_in_place(|| fs::remove_file(&self.path));
    }

    /// A finished file beside the artifact, under a name that nobody watches.
    fn aside(&self, content: &[u8]) -> PathBuf {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let aside = self
            .path
            .with_file_name(format!(".aside-{}-{number}", std::process::id()));
        let mut file = File::create(&aside).unwrap();
        file.write_all(content).unwrap();
        file.set_modified(SystemTime::now() - BUILD).unwrap();
        drop(file);
        wait_until_closed(&aside);
        aside
    }

    fn aside_from_long_ago(&self, content: &[u8]) -> PathBuf {
        let aside = self.aside(content);
        let file = OpenOptions::new().write(true).open(&aside).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + LONG_AGO)
            .unwrap();
        drop(file);
        wait_until_closed(&aside);
        aside
    }
}

fn write_in_pieces(mut file: File, content: &[u8], chunks: u32, duration: Duration) -> File {
    let size = content.len().div_ceil(chunks as usize);
    for chunk in content.chunks(size) {
        file.write_all(chunk).unwrap();
        pause(duration / chunks);
    }
    file
}
