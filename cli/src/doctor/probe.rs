//! A file that is made beside a path, to see what becomes of its changes there. It lies in a corner of its own, which
//! goes with the probe, however that ends.
//!
//! A poller of the library's own follows the file, as a host would. The file is no library, so it is read, digested and
//! kept out, and nothing is ever loaded.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use super::attended::Teller;
use super::corner::Corner;
use super::ways::Way;
use replug::watch::{
    Files as _, Lock, Monotonic, News, OsFiles, Poller, StageDirectory, Stamp, Writers,
};
use replug::{Digest, GatePolicy, Options, Trust};

/// How long a change is waited for. On the slowest filesystems that were measured and can show a change, one takes 10
/// s.
pub(super) const LIMIT: Duration = Duration::from_secs(15);

/// The name of the file.
const FILE: &str = "file";

/// A file that is changed and followed.
pub(super) struct Probe {
    file: PathBuf,
    poller: Poller,
    changes: u32,
    corner: Corner,
}

/// What became of a change.
#[derive(Debug)]
pub(super) enum Fate {
    /// Its bytes were read so long after it was made.
    Read(Duration),
    /// They were not read within [`LIMIT`].
    Unread,
    /// It could not be made.
    Unmade(io::Error),
}

/// The writers of a file while it is open for writing, and after that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) while_open: Writers,
    pub(super) after: Writers,
}

/// The times of a file that was just written, and those of this machine around them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) before: SystemTime,
    pub(super) written: Stamp,
    pub(super) after: SystemTime,
}

impl Probe {
    /// Makes the file in a directory. The copies of it that are read are made in `stage`.
    pub(super) fn make_in(directory: &Path, stage: &StageDirectory) -> io::Result<Probe> {
        let corner = Corner::make_in(directory)?;
        fs::write(corner.own(FILE), content(0))?;
        let file = corner.seen(FILE);
        let options = Options::new(&file).gate(GatePolicy::Off).trust(Trust::Off);
        let poller = Poller::with(options, OsFiles, stage.clone(), Monotonic);
        Ok(Probe {
            file,
            poller,
            changes: 0,
            corner,
        })
    }

    /// The file.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// Changes the file, and waits until its bytes were read. `None` if the work is to stop.
    pub(super) fn change(&mut self, way: Way, teller: &Teller) -> Option<Fate> {
        self.changes += 1;
        let content = content(self.changes);
        if let Err(error) = way.change(&self.corner.own(FILE), &content) {
            return Some(Fate::Unmade(error));
        }
        self.wait_for(Digest::of(&content), teller)
    }

    /// Waits until the file was read as it was made. `None` if the work is to stop.
    pub(super) fn wait_for_first(&mut self, teller: &Teller) -> Option<Fate> {
        self.wait_for(Digest::of(&content(0)), teller)
    }

    fn wait_for(&mut self, wanted: Digest, teller: &Teller) -> Option<Fate> {
        let began = Instant::now();
        loop {
            let next = self.poller.poll(self.poller.now());
            for update in self.poller.updates().try_iter() {
                if matches!(update.news, News::Kept { digest: Some(read), .. } if read == wanted) {
                    return Some(Fate::Read(began.elapsed()));
                }
            }
            if began.elapsed() > LIMIT {
                return Some(Fate::Unread);
            }
            if !teller.pause(next.saturating_duration_since(self.poller.now())) {
                return None;
            }
        }
    }

    /// Asks who could write to a file there.
    pub(super) fn ask_for_writers(&self) -> io::Result<Told> {
        let path = self.corner.own("written");
        let writer = File::create(&path)?;
        let while_open = OsFiles.writers(&OsFiles.open(&path)?);
        drop(writer);
        let after = OsFiles.writers(&OsFiles.open(&path)?);
        Ok(Told { while_open, after })
    }

    /// Asks for a lock that is held, and for the same lock when it is free.
    pub(super) fn ask_for_lock(&self) -> io::Result<(Lock, Lock)> {
        let path = self.corner.own("lock");
        let holder = File::create(&path)?;
        holder.try_lock()?;
        let held = OsFiles.probe(&path)?;
        drop(holder);
        Ok((held, OsFiles.probe(&path)?))
    }

    /// Writes a file several times, and takes down its times.
    pub(super) fn take_times(&self) -> io::Result<Vec<Times>> {
        /// So many stamps in whole seconds are no accident: one in a thousand is, where a kernel's timer counts them.
        const WRITES: u32 = 3;
        let write = |number| {
            let path = self.corner.own(&format!("time{number}"));
            let before = SystemTime::now();
            fs::write(&path, content(number))?;
            let written = OsFiles.look(&path)?.modified;
            let after = SystemTime::now();
            Ok(Times {
                before,
                written,
                after,
            })
        };
        (0..WRITES).map(write).collect()
    }
}

/// What stands in the file after so many changes: each time other bytes, and no library.
fn content(changes: u32) -> Vec<u8> {
    format!("replug doctor makes this file, change {changes}, and removes it\n").into_bytes()
}
