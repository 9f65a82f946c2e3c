//! The watched directory, and the ways in which a library gets there.

use std::fs::{self, File, FileTimes};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use tempfile::TempDir;

use crate::library::NAME;

/// Between the end of the writing and the moment when a library gets its name. Cargo takes twice as long and more;
/// what is written and renamed within one tick of the filesystem's clock cannot be told from what is written in place.
const MADE_BEFORE: Duration = Duration::from_millis(20);

/// A directory with one library in it.
pub struct Watched {
    directory: PathBuf,
    /// Removes the directory, if it is one of ours.
    _scratch: Option<TempDir>,
    /// The write time of all that is put here, if it is not the real one.
    written: Option<SystemTime>,
}

/// How a library is put in its place at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// As lld and mold do.
    Rename,
    /// As cargo does: the old name goes, then the new file gets a second one.
    Link,
    /// As `install` does: written and renamed at once, within one tick of the filesystem's clock.
    Tick,
    /// As `cp` does: over what is there. The library is in its place when it is closed.
    InPlace,
}

impl Watched {
    /// An empty one.
    pub fn new() -> Watched {
        let scratch = tempfile::tempdir().expect("the temporary directory can be written to");
        Watched {
            directory: scratch.path().to_owned(),
            _scratch: Some(scratch),
            written: None,
        }
    }

    /// The directory of somebody else.
    pub fn at(directory: PathBuf) -> Watched {
        Watched {
            directory,
            _scratch: None,
            written: None,
        }
    }

    /// One where all files have the same write time, as after a tool that restores them.
    pub fn without_times() -> Watched {
        Watched {
            written: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000)),
            ..Watched::new()
        }
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where the library is.
    pub fn library(&self) -> PathBuf {
        self.directory().join(format!("lib{NAME}.so"))
    }

    /// Puts a library in its place, and says when it was there.
    pub fn put(&self, bytes: &[u8], way: Way) -> Instant {
        let library = self.library();
        if way == Way::InPlace {
            fs::write(&library, bytes).expect("there is room on the disk");
            return Instant::now();
        }
        let made = self.make(bytes);
        if way != Way::Tick {
            thread::sleep(MADE_BEFORE);
        }
        if way == Way::Link {
            let _ = fs::remove_file(&library);
        }
        // Some filesystems write the file to the disk first when it takes another's name.
        match way {
            Way::Rename | Way::Tick | Way::InPlace => fs::rename(&made, &library),
            Way::Link => fs::hard_link(&made, &library),
        }
        .expect("both are in the same directory");
        Instant::now()
    }

    /// Writes it beside its place, as cargo does: whoever watches the directory sees one change.
    fn make(&self, bytes: &[u8]) -> PathBuf {
        let directory = self.directory().join("deps");
        fs::create_dir_all(&directory).expect("the directory can be written to");
        let made = directory.join("made");
        let _ = fs::remove_file(&made);
        let mut file = File::create(&made).expect("the directory can be written to");
        file.write_all(bytes).expect("there is room on the disk");
        if let Some(written) = self.written {
            let times = FileTimes::new().set_modified(written);
            file.set_times(times).expect("the file is ours");
        }
        made
    }

    /// Writes a library over what is there in so many pieces, and pauses between them. Calls `last` before its last
    /// write.
    pub fn write_slowly(&self, bytes: &[u8], pieces: usize, pause: Duration, last: impl FnOnce()) {
        let mut file = File::create(self.library()).expect("the directory can be written to");
        let piece = bytes.len() / pieces;
        let (most, rest) = bytes.split_at(piece * (pieces - 1));
        for piece in most.chunks(piece) {
            file.write_all(piece).expect("there is room on the disk");
            thread::sleep(pause);
        }
        last();
        file.write_all(rest).expect("there is room on the disk");
    }
}
