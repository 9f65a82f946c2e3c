//! What one look said about one file. A snapshot may lie: equal snapshots prove nothing until a digest has
//! confirmed them, and different ones only permit a digest. Looking is done elsewhere, through
//! [`Files`](crate::files::Files).

use std::fmt;
use std::time::Duration;

/// The widest timestamp tick of a filesystem that counts nanoseconds (a kernel's timer, 1 to 10 ms), doubled
/// for the lag until a write is visible.
const FINE_TICK: Duration = Duration::from_millis(20);

/// The same where stamps are in whole seconds: FAT counts in twos.
const COARSE_TICK: Duration = Duration::from_millis(2_100);

/// What the filesystem says of a file in one look.
///
/// Compared only for equality: an older timestamp is as much a change as a newer one. Each field is here
/// because a way of replacing a file exists that changes nothing else: a rename within one timestamp tick
/// changes only `inode`; an unlink whose inode number is reused, only `born`; `cp -p` of a same-size file,
/// only `changed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    /// What sort of thing the path leads to.
    pub kind: Kind,
    /// The device that holds it.
    pub device: u64,
    /// Its inode number, 0 where the system has none.
    pub inode: u64,
    /// How many names it has. A builder that links a finished file into place leaves two.
    pub links: u64,
    /// Its length in bytes.
    pub size: u64,
    /// When its content was last written, by the clock of whoever wrote it.
    pub modified: Stamp,
    /// When its content or attributes last changed, by the filesystem's clock.
    pub changed: Stamp,
    /// When the inode was made, where the filesystem remembers.
    pub born: Option<Stamp>,
}

/// A filesystem's timestamp: seconds and nanoseconds since 1970. Never compared with a clock of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Stamp {
    /// Whole seconds.
    pub seconds: i64,
    /// The rest, in nanoseconds. Always 0 where the filesystem counts whole seconds.
    pub nanoseconds: u32,
}

/// What sort of thing a path leads to, symbolic links followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A regular file: the only kind that is ever opened.
    File,
    /// A directory.
    Directory,
    /// A symbolic link that was itself looked at.
    Link,
    /// A named pipe. Opening one would wait for a writer.
    Fifo,
    /// A character or block device.
    Device,
    /// A socket, or something else that is not a file.
    Other,
}

impl Snapshot {
    /// Whether `self` is another file than `before`, not the same one with new content.
    ///
    /// The birth time is asked too because inode numbers are reused at once: unlinking a file and making a new
    /// one gave the same number in 500 of 500 tries on ext4.
    pub fn is_another_file_than(&self, before: &Snapshot) -> bool {
        (self.device, self.inode, self.born) != (before.device, before.inode, before.born)
    }

    /// Whether a file that just arrived was linked or renamed into place, as builders do with a finished one:
    /// it has a second name, or it was touched after its last write.
    pub fn was_published_whole(&self) -> bool {
        self.links >= 2 || self.was_changed_after_its_last_write()
    }

    /// Whether its attributes changed later than its content, as linking and renaming do. Both times are the
    /// filesystem's own, unless somebody set the first.
    pub fn was_changed_after_its_last_write(&self) -> bool {
        self.changed > self.modified
    }

    /// For how long after its first sight this snapshot is racy: a later write may leave an equal one.
    ///
    /// This is the problem, and the remedy, of git's `racy-git.txt`: what was read too soon after it was
    /// written is read once more.
    pub fn racy_for(&self) -> Duration {
        let coarse = self.modified.nanoseconds == 0 && self.changed.nanoseconds == 0;
        if coarse { COARSE_TICK } else { FINE_TICK }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::File => "a regular file",
            Kind::Directory => "a directory",
            Kind::Link => "a symbolic link",
            Kind::Fifo => "a FIFO",
            Kind::Device => "a device",
            Kind::Other => "a socket or other special file",
        })
    }
}
