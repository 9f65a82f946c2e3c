//! What a fixture notes at the turning points of its life, for the test to read that made it happen.
//!
//! There is one diary for each thread, so that tests that run at the same time do not meet, and what another thread does
//! is not in it. Where nobody keeps one, nothing is noted.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

/// The diary of the thread that opened it. Gone when it is dropped.
#[derive(Debug)]
pub struct Diary {
    path: PathBuf,
}

impl Diary {
    /// An empty one, for this thread.
    pub fn open() -> Diary {
        let path = of_this_thread();
        fs::write(&path, "").expect("the temporary directory can be written to");
        Diary { path }
    }

    /// What was noted since it was last read.
    pub fn read(&self) -> Vec<String> {
        let noted = fs::read_to_string(&self.path).expect("a diary stays where it was opened");
        fs::write(&self.path, "").expect("the temporary directory can be written to");
        noted.lines().map(str::to_owned).collect()
    }
}

impl Drop for Diary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Notes a line in the diary of this thread, if there is one.
pub fn note(line: &str) {
    let opened = OpenOptions::new().append(true).open(of_this_thread());
    if let Ok(mut diary) = opened {
        // Whoever reads it misses the line.
        let _ = writeln!(diary, "{line}");
    }
}

/// A path that the host's copy of std and a plugin's agree on; to each of them the thread has another name and number.
fn of_this_thread() -> PathBuf {
    let thread = fs::read_link("/proc/thread-self").unwrap_or_default();
    let thread = thread.to_string_lossy().replace('/', ".");
    std::env::temp_dir().join(format!("replug-diary.{thread}"))
}
