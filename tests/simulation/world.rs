//! The server's side: files as they are, who holds which lock, and what writers will do when. Time is a number of
//! nanoseconds that only moves forward; the wall clock, which stamps files, may step.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use replug::Digest;
use replug::watch::{Kind, Stamp};

pub const MS: u64 = 1_000_000;
pub const SECOND: u64 = 1000 * MS;

/// The directory where everything that is watched lives.
pub const ROOT: &str = "/p";

/// One file, directory or link, whatever names it has.
#[derive(Debug, Clone)]
pub struct Inode {
    pub kind: Kind,
    pub number: u64,
    pub links: u64,
    pub data: Rc<Vec<u8>>,
    pub modified: u64,
    pub changed: u64,
    pub born: u64,
    pub target: PathBuf,
}

/// The nature of a filesystem: what it keeps of files, and how exactly.
#[derive(Debug, Clone, Copy)]
pub struct Nature {
    /// The step of timestamps, to which they are cut.
    pub granularity: u64,
    pub reuses_inodes: bool,
    pub has_hard_links: bool,
    pub has_birth: bool,
    /// Without it, a change of attributes shows in no stamp: the change time is the write time.
    pub has_change_time: bool,
    /// Without it, a directory looks the same whatever names come and go.
    pub stamps_directories: bool,
}

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
    Unlink(PathBuf),
    Rename(PathBuf, PathBuf),
    Symlink(PathBuf, PathBuf),
    Mkdir(PathBuf),
    Touch(PathBuf),
    SetModified(PathBuf, u64),
    Lock(PathBuf),
    Unlock(PathBuf),
    /// The content that is at the path now is the content that its writer wanted there.
    Published(PathBuf),
    StepClock(i64),
    Detach,
    Attach {
        device: u64,
    },
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

/// The files of one server.
#[derive(Debug)]
pub struct World {
    pub now: u64,
    pub nature: Nature,
    pub trace: Trace,
    pub device: u64,
    pub is_detached: bool,
    wall_offset: i64,
    events: BTreeMap<(u64, u32), Op>,
    planned: u32,
    names: BTreeMap<PathBuf, usize>,
    pub inodes: Vec<Inode>,
    free_numbers: Vec<u64>,
    next_number: u64,
    pub lock_files: BTreeSet<PathBuf>,
    pub held: HashMap<PathBuf, u64>,
    /// The digests that were published at each path, in order.
    pub published: HashMap<PathBuf, Vec<Digest>>,
    /// The times at which no file was at a path; the last one may be open.
    pub absences: HashMap<PathBuf, Vec<(u64, Option<u64>)>>,
}

impl World {
    pub fn new(nature: Nature) -> World {
        let mut world = World {
            now: 0,
            nature,
            trace: Trace::default(),
            device: 1,
            is_detached: false,
            wall_offset: 0,
            events: BTreeMap::new(),
            planned: 0,
            names: BTreeMap::new(),
            inodes: Vec::new(),
            free_numbers: Vec::new(),
            next_number: 100,
            lock_files: BTreeSet::new(),
            held: HashMap::new(),
            published: HashMap::new(),
            absences: HashMap::new(),
        };
        world.add(Path::new("/"), Kind::Directory);
        world.add(Path::new(ROOT), Kind::Directory);
        world
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

    pub fn stamp(&self) -> u64 {
        const EPOCH: i64 = 1_600_000_000 * SECOND as i64;
        let wall = (EPOCH + self.now as i64 + self.wall_offset) as u64;
        wall / self.nature.granularity * self.nature.granularity
    }

    pub fn at(&self, path: &Path) -> Option<usize> {
        self.names.get(path).copied()
    }

    /// Follows links as the server would.
    pub fn resolve(&self, path: &Path) -> Option<usize> {
        let mut path = path.to_owned();
        for _ in 0..8 {
            let mut walked = PathBuf::new();
            let mut parts = path.components();
            let mut found = None;
            let mut onward = None;
            while let Some(part) = parts.next() {
                walked.push(part);
                let inode = self.at(&walked)?;
                if self.inodes[inode].kind == Kind::Link {
                    let directory = walked.parent()?.to_owned();
                    onward = Some(
                        directory
                            .join(&self.inodes[inode].target)
                            .join(parts.as_path()),
                    );
                    break;
                }
                found = Some(inode);
            }
            match onward {
                Some(next) => path = next,
                None => return found,
            }
        }
        None
    }

    /// The bytes of the file at a path, links followed.
    pub fn content(&self, path: &Path) -> Option<Rc<Vec<u8>>> {
        self.resolve(path)
            .map(|inode| Rc::clone(&self.inodes[inode].data))
    }

    /// The names in a directory.
    pub fn names_in(&self, directory: &Path) -> Vec<PathBuf> {
        let inside = |path: &&PathBuf| path.parent() == Some(directory);
        self.names.keys().filter(inside).cloned().collect()
    }

    /// The time since when somebody holds a lock.
    pub fn held_since(&self, lock: &Path) -> Option<u64> {
        self.held.get(lock).copied()
    }

    fn add(&mut self, path: &Path, kind: Kind) -> usize {
        let number = self.free_numbers.pop().unwrap_or_else(|| {
            self.next_number += 1;
            self.next_number
        });
        let stamp = self.stamp();
        self.inodes.push(Inode {
            kind,
            number,
            links: 1,
            data: Rc::default(),
            modified: stamp,
            changed: stamp,
            born: stamp,
            target: PathBuf::new(),
        });
        let inode = self.inodes.len() - 1;
        self.name(path, inode);
        inode
    }

    fn name(&mut self, path: &Path, inode: usize) {
        self.drop_name(path);
        self.names.insert(path.to_owned(), inode);
        self.stamp_directory(path);
    }

    fn drop_name(&mut self, path: &Path) {
        let Some(old) = self.names.remove(path) else {
            return;
        };
        let stamp = self.stamp();
        let inode = &mut self.inodes[old];
        inode.links -= 1;
        inode.changed = stamp;
        if inode.links == 0 && self.nature.reuses_inodes {
            self.free_numbers.push(inode.number);
        }
        self.stamp_directory(path);
    }

    fn stamp_directory(&mut self, path: &Path) {
        if !self.nature.stamps_directories {
            return;
        }
        let stamp = self.stamp();
        if let Some(directory) = path.parent().and_then(|directory| self.at(directory)) {
            self.inodes[directory].modified = stamp;
            self.inodes[directory].changed = stamp;
        }
    }

    fn write(&mut self, path: &Path, stamps: bool, change: impl FnOnce(&mut Vec<u8>)) {
        let stamp = self.stamp();
        let Some(inode) = self.resolve(path) else {
            return;
        };
        let inode = &mut self.inodes[inode];
        change(Rc::make_mut(&mut inode.data));
        if stamps {
            inode.modified = stamp;
            inode.changed = stamp;
        }
    }

    fn apply(&mut self, op: Op) {
        self.trace
            .note(self.now, || format!("-- {}", op.told()), ());
        let stamp = self.stamp();
        match op {
            Op::Create(path) => drop(self.add(&path, Kind::File)),
            Op::Open(path) => {
                if self.at(&path).is_none() {
                    self.add(&path, Kind::File);
                }
            }
            Op::Truncate(path, size) => self.write(&path, true, |data| data.resize(size, 0)),
            Op::Write(path, at, bytes) => self.write(&path, true, |data| overlay(data, at, &bytes)),
            Op::WriteMapped(path, at, bytes) => {
                self.write(&path, false, |data| overlay(data, at, &bytes));
            }
            Op::Link(from, to) => {
                if let Some(inode) = self.at(&from) {
                    self.inodes[inode].links += 1;
                    self.inodes[inode].changed = stamp;
                    self.name(&to, inode);
                }
            }
            Op::Unlink(path) => self.drop_name(&path),
            Op::Rename(from, to) => {
                if let Some(inode) = self.names.remove(&from) {
                    self.inodes[inode].changed = stamp;
                    self.name(&to, inode);
                    self.stamp_directory(&from);
                }
            }
            Op::Symlink(target, path) => {
                let inode = self.add(&path, Kind::Link);
                self.inodes[inode].target = target;
            }
            Op::Mkdir(path) => drop(self.add(&path, Kind::Directory)),
            Op::Touch(path) => self.write(&path, true, |_| {}),
            Op::SetModified(path, modified) => {
                if let Some(inode) = self.at(&path) {
                    let granularity = self.nature.granularity;
                    self.inodes[inode].modified = modified / granularity * granularity;
                    self.inodes[inode].changed = stamp;
                }
            }
            Op::Lock(path) => {
                self.lock_files.insert(path.clone());
                self.held.insert(path, self.now);
            }
            Op::Unlock(path) => drop(self.held.remove(&path)),
            Op::Published(path) => {
                if let Some(content) = self.content(&path) {
                    let digest = Digest::of(&content);
                    self.published.entry(path).or_default().push(digest);
                }
            }
            Op::StepClock(by) => self.wall_offset += by,
            Op::Detach => self.is_detached = true,
            Op::Attach { device } => {
                self.is_detached = false;
                self.device = device;
            }
        }
        self.note_absences();
    }

    /// Takes down which paths have no file. An unmounted filesystem has no part in that.
    fn note_absences(&mut self) {
        let paths: Vec<_> = self.absences.keys().cloned().collect();
        for path in paths {
            let is_there = self.resolve(&path).is_some();
            let now = self.now;
            let Some(absences) = self.absences.get_mut(&path) else {
                continue;
            };
            match absences.last_mut() {
                Some((_, end @ None)) if is_there => *end = Some(now),
                Some((_, Some(_))) | None if !is_there => absences.push((now, None)),
                _ => {}
            }
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
