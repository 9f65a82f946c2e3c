//! Diaries: notes of a fixture at the turning points of its life, which the test reads that made these happen.
//!
//! Each thread has a diary of its own, so that tests that run at the same time do not meet, and a diary tells nothing
//! of other threads. Where nobody keeps a diary, nothing is noted.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

/// The diary of the thread that opened it. Gone when it is dropped.
#[derive(Debug)]
pub struct Diary {
    path: PathBuf,
}

impl Diary {
    /// An empty diary, for this thread.
    pub fn open() -> Diary {
        let path = of_this_thread();
        fs::write(&path, "").expect("the temporary directory can be written to");
        Diary { path }
    }

    /// The lines that were noted since the diary was last read.
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
        // The reader of the diary misses the line.
        let _ = writeln!(diary, "{line}");
    }
}

/// The path of this thread's diary, which the host's copy of std and a plugin's agree on. To each of them the thread
/// has another name and number.
fn of_this_thread() -> PathBuf {
    std::env::temp_dir().join(format!("replug-diary.{}", this_thread()))
}

/// What the system calls this thread.
#[cfg(unix)]
fn this_thread() -> String {
    let thread = fs::read_link("/proc/thread-self").unwrap_or_default();
    thread.to_string_lossy().replace('/', ".")
}

/// What the system calls this thread: no two that live have one number.
#[cfg(windows)]
#[allow(unsafe_code)]
fn this_thread() -> String {
    unsafe extern "system" {
        safe fn GetCurrentThreadId() -> u32;
    }
    GetCurrentThreadId().to_string()
}
