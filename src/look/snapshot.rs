//! The snapshot: what one look said about one file. A snapshot may lie: equal snapshots prove nothing until a digest
//! has confirmed them, and different snapshots only permit a digest. Looking is done elsewhere, through
//! [`Files`](crate::look::files::Files).

use std::fmt;
use std::time::Duration;

/// The widest timestamp tick of a filesystem that counts nanoseconds (a kernel's timer, 1 to 10 ms), doubled
/// for the lag until a write is visible.
const FINE_TICK: Duration = Duration::from_millis(20);

/// The widest tick where stamps are in tenths or hundredths of seconds, doubled for the same reason.
const MIDDLE_TICK: Duration = Duration::from_millis(200);

/// The widest tick where stamps are in whole seconds (FAT counts in twos), with some time until a write is visible.
const COARSE_TICK: Duration = Duration::from_millis(2_100);

/// A snapshot of a file: what the filesystem says of the file in one look.
///
/// Snapshots are compared only for equality: an older timestamp is as much a change as a newer one. Each field is
/// here because a way of replacing a file exists that changes nothing else: a rename within one timestamp tick
/// changes only `inode`; an unlink whose inode number is reused, only `born`; `cp -p` of a same-size file, only
/// `changed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    /// The sort of thing that the path leads to.
    pub kind: Kind,
    /// The device that holds the file.
    pub device: u64,
    /// The mount by which the file was found, 0 where the system does not tell. An image of a filesystem that is
    /// mounted in place of its twin has equal devices, inode numbers and stamps, and other bytes.
    pub mount: u64,
    /// The file's inode number, 0 where the system has none.
    pub inode: u64,
    /// The number of names (hard links) that the file has.
    pub links: u64,
    /// The file's length in bytes.
    pub size: u64,
    /// When the content was last written, by the clock of whoever wrote it.
    pub modified: Stamp,
    /// When the content or the attributes last changed, by the filesystem's clock.
    pub changed: Stamp,
    /// When the inode was made, where the filesystem remembers.
    pub born: Option<Stamp>,
}

/// A filesystem's timestamp: seconds and nanoseconds since 1970. Never compared with a clock of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Stamp {
    /// Whole seconds.
    pub seconds: i64,
    /// The fraction of a second, in nanoseconds. Always 0 where the filesystem counts whole seconds.
    pub nanoseconds: u32,
}

const PER_SECOND: u32 = 1_000_000_000;

impl Stamp {
    fn is_whole_second(self) -> bool {
        self.nanoseconds == 0
    }
}

/// The sort of thing that a path leads to, symbolic links followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A regular file: the only kind that is ever read.
    File,
    /// A directory.
    Directory,
    /// A symbolic link, when the link itself was looked at.
    Link,
    /// A named pipe. Opening a pipe would release a writer that waits for a reader.
    Fifo,
    /// A character or block device.
    Device,
    /// A socket, or something else that is not a file.
    Other,
}

impl Snapshot {
    /// Whether `self` shows another file than `before`, and not the same file with new content.
    ///
    /// The birth time is asked too because inode numbers are reused at once: unlinking a file and making a new
    /// one gave the same number in 500 of 500 tries on ext4.
    pub fn is_another_file_than(&self, before: &Snapshot) -> bool {
        (self.device, self.inode, self.born) != (before.device, before.inode, before.born)
    }

    /// Whether the file's attributes changed later than its content. Builders leave a finished file like that when
    /// they link or rename it into place. A second name alone proves nothing: the name stays when the file is written
    /// to again. Both times are the filesystem's own, unless somebody set the write time. Where the write time is in
    /// whole seconds and the change time is not (FAT counts in twos), the two must be further apart than such a tick.
    pub fn was_changed_after_its_last_write(&self) -> bool {
        const FAT_TICK: i64 = 2;
        let (modified, changed) = (self.modified, self.changed);
        let is_coarser = modified.is_whole_second() && !changed.is_whole_second();
        match is_coarser {
            true => changed.seconds >= modified.seconds.saturating_add(FAT_TICK),
            false => changed > modified,
        }
    }

    /// How long after its first sight this snapshot is racy: a later write may leave an equal snapshot.
    ///
    /// This is the problem, and the remedy, of git's `racy-git.txt`: a file that was read too soon after a write is
    /// read once more.
    pub fn racy_for(&self) -> Duration {
        const MILLISECONDS: u32 = PER_SECOND / 1000;
        let counts_in = |unit: u32| {
            let stamps = [self.modified, self.changed];
            stamps.iter().all(|stamp| stamp.nanoseconds % unit == 0)
        };
        match () {
            () if counts_in(PER_SECOND) => COARSE_TICK,
            () if counts_in(10 * MILLISECONDS) => MIDDLE_TICK,
            () => FINE_TICK,
        }
    }

    /// The fields that differ, if all of them can be noise; `None` if a field differs that is never noise.
    pub(crate) fn noise_against(&self, other: &Snapshot) -> Option<Fields> {
        let told = |it: &Snapshot| (it.kind, it.size, it.modified, it.mount);
        if told(self) != told(other) {
            return None;
        }
        Some(Fields {
            device: self.device != other.device,
            inode: self.inode != other.inode,
            links: self.links != other.links,
            changed: self.changed != other.changed,
            born: self.born != other.born,
        })
    }

    /// The snapshot with these fields made blank: they neither differ from other snapshots nor speak in favour of the
    /// file.
    pub(crate) fn without(mut self, fields: Fields) -> Snapshot {
        if fields.device {
            self.device = 0;
        }
        if fields.inode {
            self.inode = 0;
        }
        if fields.links {
            self.links = 1;
        }
        if fields.changed {
            self.changed = Stamp::default();
        }
        if fields.born {
            self.born = None;
        }
        self
    }
}

/// A set of snapshot fields, out of those that a filesystem may make up anew at every look. Size and write time are
/// never in a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Fields {
    device: bool,
    inode: bool,
    links: bool,
    changed: bool,
    born: bool,
}

impl Fields {
    pub(crate) const NONE: Fields = Fields {
        device: false,
        inode: false,
        links: false,
        changed: false,
        born: false,
    };

    pub(crate) fn is_empty(self) -> bool {
        self == Fields::NONE
    }

    /// The fields that are in both sets.
    pub(crate) fn common(self, other: Fields) -> Fields {
        Fields {
            device: self.device && other.device,
            inode: self.inode && other.inode,
            links: self.links && other.links,
            changed: self.changed && other.changed,
            born: self.born && other.born,
        }
    }

    /// The fields that are in either set.
    pub(crate) fn with(self, other: Fields) -> Fields {
        Fields {
            device: self.device || other.device,
            inode: self.inode || other.inode,
            links: self.links || other.links,
            changed: self.changed || other.changed,
            born: self.born || other.born,
        }
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
