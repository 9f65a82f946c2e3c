//! A watched file, and the ways in which people and tools write one.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::program::pause;

/// Names for files that are renamed or linked into place.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// A path that a program under test watches.
pub struct Artifact {
    path: PathBuf,
}

impl Artifact {
    pub fn at(path: impl Into<PathBuf>) -> Artifact {
        Artifact { path: path.into() }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts a finished file in place by renaming, as lld, mold and careful people do.
    pub fn replace_with(&self, content: &[u8]) {
        let aside = self.aside(content);
        fs::rename(aside, &self.path).unwrap();
    }

    /// Unlinks the file and links a finished one into place, as cargo does.
    pub fn link(&self, content: &[u8]) {
        let aside = self.aside(content);
        let _ = fs::remove_file(&self.path);
        fs::hard_link(&aside, &self.path).unwrap();
        // Cargo's other name stays; whether ours does makes no difference to what was linked.
    }

    /// Truncates the file and writes it anew, as `cp` does.
    pub fn overwrite(&self, content: &[u8]) {
        fs::write(&self.path, content).unwrap();
    }

    /// Truncates the file and writes it in `chunks` pieces, evenly spread over `duration`.
    pub fn write_slowly(&self, content: &[u8], chunks: usize, duration: Duration) {
        let mut file = File::create(&self.path).unwrap();
        let size = content.len().div_ceil(chunks);
        for chunk in content.chunks(size) {
            file.write_all(chunk).unwrap();
            pause(duration / u32::try_from(chunks).unwrap());
        }
    }

    /// Writes over the file without truncating it first, as `rsync --inplace` does.
    pub fn write_through(&self, content: &[u8]) {
        let mut file = OpenOptions::new().write(true).open(&self.path).unwrap();
        file.write_all(content).unwrap();
        file.set_len(content.len() as u64).unwrap();
    }

    /// Sets its times to now and leaves its bytes alone.
    pub fn touch(&self) {
        let file = OpenOptions::new().write(true).open(&self.path).unwrap();
        file.set_modified(std::time::SystemTime::now()).unwrap();
    }

    pub fn remove(&self) {
        fs::remove_file(&self.path).unwrap();
    }

    /// A finished file beside the artifact, under a name that nobody watches.
    fn aside(&self, content: &[u8]) -> PathBuf {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let aside = self
            .path
            .with_file_name(format!(".aside-{}-{number}", std::process::id()));
        fs::write(&aside, content).unwrap();
        aside
    }
}
