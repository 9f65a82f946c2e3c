//! The server's side: files as they are, who holds which lock, and what writers will do when. Time is a number of
//! nanoseconds that only moves forward; the wall clock, which stamps files, may step.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use replug::Digest;
use replug::watch::{Kind, Stamp};

use crate::tree::{Eyes, Nature, Tree, Whereabouts};

pub const MS: u64 = 1_000_000;
pub const SECOND: u64 = 1000 * MS;

/// The root of the mount where everything that is watched lives.
pub const MOUNT: &str = "/m";

/// A link to it, on the client's own disk.
pub const LINK: &str = "/l";

/// The directory where builders keep the other name of a file that they link into place.
pub const DEPS: &str = "/m/d";

/// One thing a writer does.
#[derive(Debug, Clone)]
pub enum Op {
    Create(PathBuf),
    /// Makes an empty file if there is none.
    Open(PathBuf),
    Truncate(PathBuf, usize),
    Write(PathBuf, usize, Rc<Vec<u8>>),
    /// Writes through a shared mapping: no stamp moves.
    WriteMapped(PathBuf, usize, Rc<Vec<u8>>),
    Link(PathBuf, PathBuf),
    /// Removes a name: of a file, or of an empty directory.
    Unlink(PathBuf),
    /// Removes all that is in a directory.
    Clear(PathBuf),
    Rename(PathBuf, PathBuf),
    Symlink(PathBuf, PathBuf),
    Mkdir(PathBuf),
    Touch(PathBuf),
    SetModified(PathBuf, u64),
    /// Opens a file for writing, and closes it.
    OpenToWrite(PathBuf),
    Close(PathBuf),
    /// Opens a file for writing, and never closes it.
    KeepOpen(PathBuf),
    Lock(PathBuf),
    /// Takes a lock for a check, which builds no library.
    LockToCheck(PathBuf),
    Unlock(PathBuf),
    /// The content that is at the path now is the content that its writer wanted there.
    Published(PathBuf),
    /// Something published earlier, perhaps elsewhere, has come to the path.
    Arrived(PathBuf),
    StepClock(i64),
    /// Writers find the server's filesystem where it belongs from now on.
    Serve,
    /// Unmounts the server's filesystem from the client, and mounts it again.
    Detach,
    Attach {
        device: u64,
    },
    /// Makes a filesystem, which writers find at the path, to be mounted later.
    Volume {
        at: PathBuf,
        device: u64,
        is_own: bool,
    },
    /// Mounts such a filesystem for all over another directory, and unmounts it.
    Cover(PathBuf, PathBuf),
    Uncover(PathBuf),
}

impl Op {
    fn told(&self) -> String {
        match self {
            Op::Write(path, at, bytes) => {
                format!("Write {} {} at {at}", path.display(), bytes.len())
            }
            Op::WriteMapped(path, at, bytes) => {
                format!("WriteMapped {} {} at {at}", path.display(), bytes.len())
            }
            other => format!("{other:?}"),
        }
    }
}

/// The trace: everything that happened, as one number and, if wanted, as lines.
#[derive(Debug, Default)]
pub struct Trace {
    pub sum: u64,
    pub lines: Option<Vec<String>>,
}

impl Trace {
    pub fn note(&mut self, now: u64, line: impl FnOnce() -> String, mark: impl Hash) {
        let mut hasher = DefaultHasher::new();
        (self.sum, now, mark).hash(&mut hasher);
        self.sum = hasher.finish();
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{:>12.3} ms  {}", now as f64 / MS as f64, line()));
        }
    }
}

/// A time at which something that was at a path had been removed from there.
#[derive(Debug, Clone)]
pub struct Absence {
    pub from: u64,
    /// When it came back, if it has.
    pub until: Option<u64>,
    /// Since when a mount, or the lack of one, hides that it is gone.
    pub hidden: Option<u64>,
    /// When the product asked for it first and last, and was told that it is gone, before that was hidden.
    asked: Option<(u64, u64)>,
}

impl Absence {
    /// For how long the product could know that it was gone, and not hidden.
    pub fn was_known_for(&self) -> u64 {
        self.asked.map_or(0, |(first, last)| last - first)
    }
}

/// The times at which something that was at a path had been removed from there; the last one may be open. What is
/// unmounted, or covered by a mount, was not removed.
#[derive(Debug, Default)]
pub struct Absences {
    pub times: Vec<Absence>,
    /// The volumes where it was seen, the last one last, and whether it was removed from the last one.
    homes: Vec<usize>,
    is_gone_from_home: bool,
    is_there: bool,
    /// When it came there last, and for how long it was there.
    came: u64,
    pub stayed: u64,
    /// The volume where the product saw it last, and when.
    seen_on: Option<usize>,
    pub last_seen: u64,
    /// The path without links at which the product saw it last, if that is taken down.
    pub seen_at: Option<PathBuf>,
}

impl Absences {
    fn note(&mut self, now: u64, found: Whereabouts, volume_of: impl Fn(usize) -> usize) {
        let was_there = self.is_there;
        self.is_there = matches!(found, Whereabouts::There(_));
        if was_there {
            self.stayed = now - self.came;
        }
        let is_gone = match found {
            Whereabouts::There(inode) => {
                let home = volume_of(inode);
                if !was_there || self.homes.last() != Some(&home) {
                    self.came = now;
                }
                self.homes.retain(|volume| *volume != home);
                self.homes.push(home);
                self.is_gone_from_home = false;
                false
            }
            Whereabouts::Absent(volume) => {
                self.is_gone_from_home = self.homes.last() == Some(&volume);
                self.homes.contains(&volume)
            }
        };
        match self.times.last_mut() {
            Some(last) if last.until.is_none() => {
                if self.is_there {
                    last.until = Some(now);
                }
                // What was removed and is covered since is as gone as before, but nobody can see that any more.
                last.hidden = match is_gone {
                    true => None,
                    false => last.hidden.or(Some(now)),
                };
            }
            _ if is_gone => self.times.push(Absence {
                from: now,
                until: None,
                hidden: None,
                asked: None,
            }),
            _ => {}
        }
    }

    /// The product was told that it is gone.
    pub fn is_missed(&mut self, now: u64) {
        if let Some(last) = self.times.last_mut()
            && last.until.is_none()
            && last.hidden.is_none()
        {
            let (first, _) = last.asked.unwrap_or((now, now));
            last.asked = Some((first, now));
        }
    }

    /// The product has seen it on this volume.
    pub fn is_seen(&mut self, now: u64, volume: usize) {
        (self.seen_on, self.last_seen) = (Some(volume), now);
    }

    /// Whether the product has seen it where it was last.
    pub fn was_seen(&self) -> bool {
        self.seen_on.is_some() && self.seen_on.as_ref() == self.homes.last()
    }

    /// Whether it ever was there.
    pub fn was_there(&self) -> bool {
        !self.homes.is_empty()
    }

    /// Since when it is gone from where it was last.
    pub fn gone_since(&self) -> Option<u64> {
        match self.times.last() {
            Some(last) if last.until.is_none() && self.is_gone_from_home => Some(last.from),
            _ => None,
        }
    }
}

/// The files of one server, and of the client's own disk.
#[derive(Debug)]
pub struct World {
    pub now: u64,
    pub trace: Trace,
    pub tree: Tree,
    /// The root of the filesystem that is mounted where everything lives, and whether the client has it mounted.
    home: usize,
    pub is_detached: bool,
    /// When mounts came or went.
    pub remounts: Vec<u64>,
    wall_offset: i64,
    /// The files that writers have open: by the paths through which they write, and for ever.
    written: Vec<(PathBuf, Option<usize>)>,
    kept_open: Vec<usize>,
    events: BTreeMap<(u64, u32), Op>,
    planned: u32,
    /// The digests that were published at each path, in order; and anywhere.
    pub published: HashMap<PathBuf, Vec<Digest>>,
    all_published: HashSet<Digest>,
    pub absences: HashMap<PathBuf, Absences>,
}

impl World {
    /// A world with the client's own disk, and a server's filesystem that is not mounted yet.
    pub fn new(nature: Nature) -> World {
        let mut tree = Tree::new(nature);
        tree.add(Path::new(MOUNT), Kind::Directory);
        let home = tree.add_volume(1, false);
        World {
            now: 0,
            trace: Trace::default(),
            tree,
            home,
            is_detached: true,
            remounts: Vec::new(),
            wall_offset: 0,
            written: Vec::new(),
            kept_open: Vec::new(),
            events: BTreeMap::new(),
            planned: 0,
            published: HashMap::new(),
            all_published: HashSet::new(),
            absences: HashMap::new(),
        }
    }

    /// Plans an event for a moment that has not come.
    pub fn plan(&mut self, at: u64, op: Op) {
        self.planned += 1;
        self.events.insert((at.max(self.now), self.planned), op);
    }

    /// Lets time pass, and carries out the events that were planned for it.
    pub fn advance(&mut self, to: u64) {
        while let Some(entry) = self.events.first_entry() {
            if entry.key().0 > to {
                break;
            }
            let ((at, _), op) = entry.remove_entry();
            self.now = self.now.max(at);
            self.apply(op);
        }
        self.now = self.now.max(to);
    }

    /// When the last planned event happens.
    pub fn last_event(&self) -> u64 {
        self.events
            .keys()
            .next_back()
            .map_or(self.now, |(at, _)| *at)
    }

    /// Whether what is planned for after a moment is stamped with a whole second where stamps are finer than that. Nobody
    /// can tell such a stamp from one of a filesystem that keeps whole seconds only.
    pub fn has_whole_stamps_after(&self, from: u64) -> bool {
        // The wall clock only steps by whole seconds.
        let tick = self.tree.nature.granularity;
        let mut late = self.events.range((from, 0)..);
        (2..SECOND).contains(&tick) && late.any(|((at, _), _)| at % SECOND < tick)
    }

    fn stamp(&self) -> u64 {
        const EPOCH: i64 = 1_600_000_000 * SECOND as i64;
        let wall = (EPOCH + self.now as i64 + self.wall_offset) as u64;
        let granularity = self.tree.nature.granularity;
        wall / granularity * granularity
    }

    /// The bytes of the file to which a path leads the client, links followed.
    pub fn content(&self, path: &Path) -> Option<Rc<Vec<u8>>> {
        self.content_by(path, Eyes::Client)
    }

    fn content_by(&self, path: &Path, eyes: Eyes) -> Option<Rc<Vec<u8>>> {
        let inode = self.tree.resolve(path, eyes)?;
        Some(Rc::clone(&self.tree.inodes[inode].data))
    }

    /// The time since when a build, or somebody who may be one, holds a lock.
    pub fn built_since(&self, lock: &Path, tells_holders: bool) -> Option<u64> {
        let inode = self.tree.resolve(lock, Eyes::Writer)?;
        let lock = &self.tree.inodes[inode];
        lock.held.filter(|_| !(tells_holders && lock.is_checked))
    }

    /// Whether a writer has a file open.
    pub fn is_written(&self, inode: usize) -> bool {
        // A writer that was planned for a path goes on writing there, whatever is at the path by now.
        let is_at = |path: &PathBuf| self.tree.resolve(path, Eyes::Writer) == Some(inode);
        let mut written = self.written.iter();
        self.kept_open.contains(&inode)
            || written.any(|(path, opened)| *opened == Some(inode) || is_at(path))
    }

    fn write(&mut self, path: &Path, stamps: bool, change: impl FnOnce(&mut Vec<u8>)) {
        let Some(inode) = self.tree.resolve(path, Eyes::Writer) else {
            return;
        };
        let inode = &mut self.tree.inodes[inode];
        change(Rc::make_mut(&mut inode.data));
        if stamps {
            inode.modified = self.tree.stamp;
            inode.changed = self.tree.stamp;
        }
    }

    fn apply(&mut self, op: Op) {
        self.trace
            .note(self.now, || format!("-- {}", op.told()), ());
        self.tree.stamp = self.stamp();
        if let Op::Detach | Op::Attach { .. } | Op::Cover(..) | Op::Uncover(_) = &op {
            self.remounts.push(self.now);
        }
        match op {
            Op::Create(path) => drop(self.tree.add(&path, Kind::File)),
            Op::Open(path) => self.open(&path),
            Op::Truncate(path, size) => self.write(&path, true, |data| data.resize(size, 0)),
            Op::Write(path, at, bytes) => self.write(&path, true, |data| overlay(data, at, &bytes)),
            Op::WriteMapped(path, at, bytes) => {
                self.write(&path, false, |data| overlay(data, at, &bytes));
            }
            Op::Link(from, to) => self.tree.link(&from, &to),
            Op::Unlink(path) => self.tree.remove(&path),
            Op::Clear(path) => self.tree.clear(&path),
            Op::Rename(from, to) => self.tree.rename(&from, &to),
            Op::Symlink(target, path) => {
                if let Some(inode) = self.tree.add(&path, Kind::Link) {
                    self.tree.inodes[inode].target = target;
                }
            }
            Op::Mkdir(path) => drop(self.tree.add(&path, Kind::Directory)),
            Op::Touch(path) => self.write(&path, true, |_| {}),
            Op::SetModified(path, modified) => {
                if let Some(inode) = self.tree.at(&path) {
                    let granularity = self.tree.nature.granularity;
                    let inode = &mut self.tree.inodes[inode];
                    inode.modified = modified / granularity * granularity;
                    inode.changed = self.tree.stamp;
                }
            }
            Op::OpenToWrite(path) => {
                let opened = self.tree.resolve(&path, Eyes::Writer);
                self.written.push((path, opened));
            }
            Op::Close(path) => self.written.retain(|(written, _)| *written != path),
            Op::KeepOpen(path) => {
                let opened = self.tree.resolve(&path, Eyes::Writer);
                self.kept_open.extend(opened);
            }
            Op::Lock(path) => {
                self.open(&path);
                self.set_held(&path, Some(self.now));
            }
            Op::LockToCheck(path) => {
                self.open(&path);
                // A check waits for a build, and here comes too late for its turn.
                if let Some(lock) = self.tree.at(&path)
                    && self.tree.inodes[lock].held.is_none()
                {
                    self.set_held(&path, Some(self.now));
                    self.tree.inodes[lock].is_checked = true;
                }
            }
            Op::Unlock(path) => self.set_held(&path, None),
            Op::Published(path) => self.note_published(path, Eyes::Writer),
            Op::Arrived(path) => self.note_published(path, Eyes::Client),
            Op::StepClock(by) => self.wall_offset += by,
            Op::Serve => self
                .tree
                .mount(self.home, Path::new(MOUNT), &[Eyes::Writer]),
            Op::Detach => {
                self.is_detached = true;
                self.tree.show(self.home, false);
            }
            Op::Attach { device } => {
                self.is_detached = false;
                let volume = self.tree.inodes[self.home].volume;
                self.tree.volumes[volume].device = device;
                self.tree.show(self.home, true);
            }
            Op::Volume { at, device, is_own } => {
                self.tree.add(&at, Kind::Directory);
                let root = self.tree.add_volume(device, is_own);
                self.tree.mount(root, &at, &[Eyes::Writer]);
            }
            Op::Cover(volume, path) => {
                if let Some(root) = self.tree.resolve(&volume, Eyes::Writer) {
                    self.tree.mount(root, &path, &[Eyes::Writer, Eyes::Client]);
                }
            }
            Op::Uncover(path) => self.tree.unmount(&path),
        }
        self.note_absences();
    }

    fn open(&mut self, path: &Path) {
        if self.tree.at(path).is_none() {
            self.tree.add(path, Kind::File);
        }
    }

    fn set_held(&mut self, lock: &Path, held: Option<u64>) {
        if let Some(inode) = self.tree.at(lock) {
            self.tree.inodes[inode].held = held;
            self.tree.inodes[inode].is_checked = false;
        }
    }

    fn note_published(&mut self, path: PathBuf, eyes: Eyes) {
        let Some(content) = self.content_by(&path, eyes) else {
            return;
        };
        let digest = Digest::of(&content);
        if eyes == Eyes::Writer || self.all_published.contains(&digest) {
            self.all_published.insert(digest);
            self.published.entry(path).or_default().push(digest);
        }
    }

    /// Takes down which paths have lost what was there.
    fn note_absences(&mut self) {
        let (tree, now) = (&self.tree, self.now);
        for (path, absences) in &mut self.absences {
            let found = tree.whereabouts(path, Eyes::Client);
            absences.note(now, found, |inode| tree.inodes[inode].volume);
        }
    }
}

fn overlay(data: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if data.len() < at + bytes.len() {
        data.resize(at + bytes.len(), 0);
    }
    data[at..at + bytes.len()].copy_from_slice(bytes);
}

/// A filesystem's timestamp, as a snapshot has it.
pub fn stamp_of(nanoseconds: u64) -> Stamp {
    Stamp {
        seconds: (nanoseconds / SECOND) as i64,
        nanoseconds: (nanoseconds % SECOND) as u32,
    }
}
