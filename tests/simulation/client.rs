//! The client's side: what a poller sees of the server's files, through caches, latency and faults.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::{self, Cursor, ErrorKind, Read, Seek, SeekFrom, Write};
use std::mem;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use replug::watch::{
    Clock, Files, Filesystem, Kind, Listing, Locality, Lock, Names, Route, Snapshot, Stage,
};

use crate::random::Random;
use crate::world::{MS, ROOT, SECOND, World, stamp_of};

/// The cache of a client: what the client remembers, and for how long.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cache {
    pub name: &'static str,
    /// How long the client trusts a name that leads to a file, and a name that leads nowhere.
    pub entries: u64,
    pub negative: u64,
    /// Whether the client looks a name up again if the last name of its file is gone (NFS), instead of showing that
    /// file still.
    pub notices_removal: bool,
    /// How long the client answers even the most urgent look from memory.
    pub attributes: u64,
    /// Whether content stays as it was first read until the client is told to let go of it.
    pub keeps_content: bool,
    /// How long the client answers a plain look, which is in no hurry, from memory.
    pub plain: u64,
}

/// How locks that the server's other clients hold show here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Locks {
    Shared,
    /// Lock files exist, and seem free whoever holds them.
    LocalOnly,
    /// There are no lock files.
    Unknown,
    /// Asking for a lock would hang.
    Hanging,
}

/// A fault: what goes wrong, from when to when.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    pub from: u64,
    pub until: u64,
    pub what: Wrong,
    /// In how many of a hundred cases the fault strikes.
    pub percent: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    Look(i32),
    Open(i32),
    Read(i32),
    List(i32),
    Stage(i32),
    /// Every operation fails, as when a server is down.
    All(i32),
    /// A name is listed, but not found.
    NotFound,
    /// Listing stops in the middle.
    HalfList,
    /// A file ends early.
    ShortFile,
    /// Each step takes this long.
    Slow(u64),
}

/// The nature of a client: how it behaves.
#[derive(Debug, Clone)]
pub struct Nature {
    pub cache: Cache,
    pub locks: Locks,
    /// Whether the run judges reading behind a shut gate.
    pub is_judged: bool,
    pub locality: Locality,
    /// The answer that the product gets: looks can lag on every client that is not known to ask its server.
    pub looks_can_lag: bool,
    pub unstable_inodes: bool,
    /// Whether this system finds that opening a directory pays.
    pub opens_directories: bool,
    pub latency: u64,
    pub chunk: usize,
    pub faults: Vec<Fault>,
}

/// The counts of requests so far.
#[derive(Debug, Default, Clone)]
pub struct Asked {
    pub steps: u64,
    pub readings: u64,
    pub staged: u64,
    pub forgotten: u64,
    pub probes: u64,
    /// The most copies that ever existed at a time.
    pub most_copies: usize,
}

pub struct State {
    pub world: World,
    pub asked: Asked,
    /// When the present poll began, to judge what it does.
    pub poll_began: u64,
    /// Actions of the product that must not be.
    pub violations: Vec<String>,
    /// Names of things that happened.
    pub covered: std::collections::BTreeSet<String>,
    random: Random,
    entries: HashMap<PathBuf, (Option<usize>, u64)>,
    attributes: HashMap<usize, (Snapshot, u64)>,
    plain: HashMap<PathBuf, (Result<Snapshot, i32>, u64)>,
    pages: HashMap<usize, Rc<Vec<u8>>>,
    /// Since when the gate has been shut for an artifact that is not decided, and for how long the gate can hold it
    /// back.
    pub gated_since: HashMap<PathBuf, u64>,
    pub gate_max: u64,
}

/// A client, and the clock of the machine it is on.
#[derive(Clone)]
pub struct Client {
    pub state: Rc<RefCell<State>>,
    nature: Rc<Nature>,
    copies: Rc<Cell<usize>>,
    start: Instant,
}

impl Client {
    pub fn new(world: World, nature: Nature, seed: u64, gate_max: u64) -> Client {
        Client {
            state: Rc::new(RefCell::new(State {
                world,
                asked: Asked::default(),
                poll_began: 0,
                violations: Vec::new(),
                covered: std::collections::BTreeSet::new(),
                random: Random::new(seed),
                entries: HashMap::new(),
                attributes: HashMap::new(),
                plain: HashMap::new(),
                pages: HashMap::new(),
                gated_since: HashMap::new(),
                gate_max,
            })),
            nature: Rc::new(nature),
            copies: Rc::default(),
            start: Instant::now(),
        }
    }

    pub fn instant(&self, at: u64) -> Instant {
        self.start + Duration::from_nanos(at)
    }

    pub fn nanoseconds(&self, at: Instant) -> u64 {
        at.saturating_duration_since(self.start).as_nanos() as u64
    }

    /// One step over the wire: time passes, and something may be wrong.
    fn step(
        &self,
        what: &'static str,
        path: &Path,
        hits: fn(Wrong) -> Option<i32>,
    ) -> io::Result<()> {
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        state.asked.steps += 1;
        let mut latency = self.nature.latency / 2 + state.random.next() % (self.nature.latency + 1);
        let mut failed = None;
        let now = state.world.now;
        for fault in &self.nature.faults {
            if now < fault.from || now >= fault.until || !state.random.percent(fault.percent) {
                continue;
            }
            match fault.what {
                Wrong::Slow(time) => {
                    latency += time;
                    state.covered.insert("fault: slow".to_owned());
                }
                what => failed = failed.or(hits(what)),
            }
        }
        state.world.advance(now + latency);
        let now = state.world.now;
        state.world.trace.note(
            now,
            || format!("{what} {} {failed:?}", path.display()),
            (what, failed),
        );
        match failed {
            Some(errno) => {
                state.covered.insert(format!("errno {errno}"));
                Err(io::Error::from_raw_os_error(errno))
            }
            None => Ok(()),
        }
    }

    /// Whether a fault strikes now that makes no step fail.
    fn is_wrong(&self, what: Wrong) -> bool {
        let mut state = self.state.borrow_mut();
        let now = state.world.now;
        let mut active = self.nature.faults.iter();
        let fault =
            active.find(|fault| fault.what == what && (fault.from..fault.until).contains(&now));
        let is_wrong = fault.is_some_and(|fault| state.random.percent(fault.percent));
        if is_wrong {
            state.covered.insert(format!("fault: {what:?}"));
        }
        is_wrong
    }

    /// A name in a directory, as this client remembers it.
    fn entry(&self, state: &mut State, path: &Path) -> Option<usize> {
        let now = state.world.now;
        if let Some((entry, until)) = state.entries.get(path)
            && now < *until
        {
            let is_gone = entry.is_some_and(|inode| state.world.inodes[inode].links == 0);
            if !(is_gone && self.nature.cache.notices_removal) {
                return *entry;
            }
        }
        let entry = state.world.at(path);
        let cache = &self.nature.cache;
        let trusted = if entry.is_some() {
            cache.entries
        } else {
            cache.negative
        };
        state
            .entries
            .insert(path.to_owned(), (entry, now + trusted));
        entry
    }

    /// Follows a path to the file at its end.
    fn walk(&self, path: &Path) -> io::Result<(Vec<PathBuf>, PathBuf, usize)> {
        let (links, end, inode) = self.way(path)?;
        Ok((links, end, inode.ok_or(ErrorKind::NotFound)?))
    }

    /// Follows a path. Returns the links on the way, the path at the end, and the file there, if there is one.
    fn way(&self, path: &Path) -> io::Result<(Vec<PathBuf>, PathBuf, Option<usize>)> {
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        if state.world.is_detached && path != Path::new(ROOT) && path != Path::new("/") {
            return Err(ErrorKind::NotFound.into());
        }
        let mut links = Vec::new();
        let mut end = PathBuf::new();
        let mut ahead: Vec<PathBuf> = backwards(path);
        let mut found = None;
        while let Some(part) = ahead.pop() {
            end.push(&part);
            let Some(inode) = self.entry(state, &end) else {
                end.extend(ahead.into_iter().rev());
                return Ok((links, end, None));
            };
            let file = &state.world.inodes[inode];
            if file.kind == Kind::Link {
                if links.len() == 8 {
                    return Err(io::Error::from_raw_os_error(40));
                }
                links.push(end.clone());
                end.pop();
                ahead.extend(backwards(&file.target));
            }
            found = Some(inode);
        }
        Ok((links, end, found))
    }

    fn snapshot(&self, inode: usize) -> Snapshot {
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        let now = state.world.now;
        let device = if state.world.is_detached {
            99
        } else {
            state.world.device
        };
        // Remembered attributes are gone with the mount.
        if let Some((seen, until)) = state.attributes.get(&inode)
            && now < *until
            && seen.device == device
        {
            return *seen;
        }
        let file = &state.world.inodes[inode];
        let nature = state.world.nature;
        let number = match self.nature.unstable_inodes {
            true => 1000 + state.random.next() % 1000,
            false => file.number,
        };
        let seen = Snapshot {
            kind: file.kind,
            device: if state.world.is_detached {
                99
            } else {
                state.world.device
            },
            inode: number,
            links: if nature.has_hard_links { file.links } else { 1 },
            size: file.data.len() as u64,
            modified: stamp_of(file.modified),
            changed: stamp_of(match nature.has_change_time {
                true => file.changed,
                false => file.modified,
            }),
            born: nature.has_birth.then(|| stamp_of(file.born)),
        };
        let until = now + self.nature.cache.attributes;
        state.attributes.insert(inode, (seen, until));
        seen
    }

    /// A plain look, as programs make it that ask for nothing special.
    pub fn plain_look(&self, path: &Path) -> io::Result<Snapshot> {
        self.step("stat", path, |_| None)?;
        let now = self.state.borrow().world.now;
        let known = self.state.borrow().plain.get(path).copied();
        if let Some((seen, until)) = known
            && now < until
        {
            return seen.map_err(io::Error::from_raw_os_error);
        }
        let seen = self
            .walk(path)
            .map(|(_, _, inode)| self.snapshot(inode))
            .map_err(|_| 2);
        let until = now + self.nature.cache.plain;
        self.state
            .borrow_mut()
            .plain
            .insert(path.to_owned(), (seen, until));
        seen.map_err(io::Error::from_raw_os_error)
    }

    /// Looks from an open directory, which goes on showing the filesystem that was mounted when it was opened.
    fn as_mounted_at<T>(&self, directory: &Directory, look: impl FnOnce() -> T) -> T {
        let swap = |mounted: &Directory| {
            let world = &mut self.state.borrow_mut().world;
            Directory {
                is_detached: mem::replace(&mut world.is_detached, mounted.is_detached),
                device: mem::replace(&mut world.device, mounted.device),
            }
        };
        let present = swap(directory);
        let seen = look();
        swap(&present);
        seen
    }

    fn listing(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        if state.world.is_detached {
            return Ok(Vec::new());
        }
        let names = state.world.names_in(directory);
        // Reading names makes the client learn which files they lead to, and which names are gone.
        state
            .entries
            .retain(|path, _| path.parent() != Some(directory));
        let until = state.world.now + self.nature.cache.entries;
        for path in &names {
            let entry = state.world.at(path);
            state.entries.insert(path.clone(), (entry, until));
        }
        Ok(names)
    }
}

fn backwards(path: &Path) -> Vec<PathBuf> {
    let parts = path
        .components()
        .rev()
        .filter(|part| *part != Component::CurDir);
    parts.map(|part| part.as_os_str().into()).collect()
}

fn hits_all(wrong: Wrong) -> Option<i32> {
    match wrong {
        Wrong::All(errno) => Some(errno),
        _ => None,
    }
}

fn hits_look(wrong: Wrong) -> Option<i32> {
    match wrong {
        Wrong::Look(errno) => Some(errno),
        other => hits_all(other),
    }
}

fn hits_open(wrong: Wrong) -> Option<i32> {
    match wrong {
        Wrong::Open(errno) => Some(errno),
        other => hits_all(other),
    }
}

fn hits_read(wrong: Wrong) -> Option<i32> {
    match wrong {
        Wrong::Read(errno) => Some(errno),
        other => hits_all(other),
    }
}

fn hits_list(wrong: Wrong) -> Option<i32> {
    match wrong {
        Wrong::List(errno) => Some(errno),
        other => hits_all(other),
    }
}

fn hits_stage(wrong: Wrong) -> Option<i32> {
    match wrong {
        Wrong::Stage(errno) => Some(errno),
        _ => None,
    }
}

/// An open artifact: it stays the file it was, whatever becomes of its name.
pub struct Opened {
    client: Client,
    inode: usize,
    at: usize,
    /// The content when the artifact was first read.
    begun: Option<Rc<Vec<u8>>>,
}

impl Read for Opened {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.client.step("read", Path::new(""), hits_read)?;
        if self.at > 0 && self.client.is_wrong(Wrong::ShortFile) {
            return Ok(0);
        }
        let mut state = self.client.state.borrow_mut();
        let state = &mut *state;
        let fresh = Rc::clone(&state.world.inodes[self.inode].data);
        match &self.begun {
            None => {
                self.begun = Some(Rc::clone(&fresh));
                state.asked.readings += 1;
            }
            Some(begun) if !Rc::ptr_eq(begun, &fresh) => {
                state.covered.insert("fault: torn".to_owned());
            }
            Some(_) => {}
        }
        let data = match self.client.nature.cache.keeps_content {
            true => Rc::clone(state.pages.entry(self.inode).or_insert(fresh)),
            false => fresh,
        };
        let rest = data.get(self.at..).unwrap_or_default();
        let count = rest.len().min(buffer.len()).min(self.client.nature.chunk);
        buffer[..count].copy_from_slice(&rest[..count]);
        self.at += count;
        Ok(count)
    }
}

/// An open directory, and what was mounted there when it was opened.
pub struct Directory {
    is_detached: bool,
    device: u64,
}

/// A private copy, counted while it exists.
pub struct Copy {
    bytes: Cursor<Vec<u8>>,
    copies: Rc<Cell<usize>>,
}

impl Copy {
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get_ref()
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        self.copies.set(self.copies.get() - 1);
    }
}

impl Read for Copy {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.bytes.read(buffer)
    }
}

impl Write for Copy {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Copy {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.bytes.seek(to)
    }
}

impl Files for Client {
    type Artifact = Opened;
    type Directory = Directory;

    fn look(&self, path: &Path) -> io::Result<Snapshot> {
        self.step("look", path, hits_look)?;
        if path != Path::new(ROOT) && self.is_wrong(Wrong::NotFound) {
            return Err(ErrorKind::NotFound.into());
        }
        self.walk(path).map(|(_, _, inode)| self.snapshot(inode))
    }

    fn open_directory(&self, directory: &Path, _looks: usize) -> Option<Directory> {
        let how = match self.nature.opens_directories {
            true => "directory opened",
            false => "directory not opened",
        };
        self.state.borrow_mut().covered.insert(how.to_owned());
        if !self.nature.opens_directories {
            return None;
        }
        self.step("open directory", directory, hits_open).ok()?;
        self.walk(directory).ok()?;
        let state = self.state.borrow();
        Some(Directory {
            is_detached: state.world.is_detached,
            device: state.world.device,
        })
    }

    fn look_from(&self, directory: &Directory, path: &Path) -> io::Result<Snapshot> {
        self.step("look from directory", path, hits_look)?;
        if self.is_wrong(Wrong::NotFound) {
            return Err(ErrorKind::NotFound.into());
        }
        self.as_mounted_at(directory, || {
            self.walk(path).map(|(_, _, inode)| self.snapshot(inode))
        })
    }

    fn look_link(&self, path: &Path) -> io::Result<Snapshot> {
        self.step("look at link", path, hits_look)?;
        if self.is_wrong(Wrong::NotFound) {
            return Err(ErrorKind::NotFound.into());
        }
        let inode = {
            let mut state = self.state.borrow_mut();
            if state.world.is_detached {
                None
            } else {
                self.entry(&mut state, path)
            }
        };
        let inode = inode.ok_or(ErrorKind::NotFound)?;
        Ok(self.snapshot(inode))
    }

    fn look_open(&self, artifact: &Opened) -> io::Result<Snapshot> {
        self.step("look at open", Path::new(""), hits_look)?;
        Ok(self.snapshot(artifact.inode))
    }

    fn names(&self, directory: &Path, each: &mut dyn FnMut(&OsStr)) -> io::Result<()> {
        self.step("names", directory, hits_list)?;
        let names = self.listing(directory)?;
        let is_half = self.is_wrong(Wrong::HalfList);
        let shown = if is_half {
            names.len() / 2
        } else {
            names.len()
        };
        names[..shown]
            .iter()
            .filter_map(|path| path.file_name())
            .for_each(each);
        match is_half {
            true => Err(io::Error::from_raw_os_error(5)),
            false => Ok(()),
        }
    }

    fn list(
        &self,
        directory: &Path,
        _depth: usize,
        is_wanted: &dyn Fn(&OsStr, Kind) -> bool,
    ) -> io::Result<Listing> {
        self.step("list", directory, hits_list)?;
        self.walk(directory)?;
        let names = self.listing(directory)?;
        if self.is_wrong(Wrong::HalfList) {
            return Err(io::Error::from_raw_os_error(5));
        }
        let is_wanted =
            |path: &PathBuf| is_wanted(path.file_name().unwrap_or_default(), Kind::File);
        Ok(Listing {
            files: names.into_iter().filter(is_wanted).collect(),
            directories: Vec::new(),
        })
    }

    fn open(&self, path: &Path) -> io::Result<Opened> {
        self.step("open", path, hits_open)?;
        if path != Path::new(ROOT) && self.is_wrong(Wrong::NotFound) {
            return Err(ErrorKind::NotFound.into());
        }
        let (_, _, inode) = self.walk(path)?;
        Ok(Opened {
            client: self.clone(),
            inode,
            at: 0,
            begun: None,
        })
    }

    fn forget_content(&self, artifact: &Opened) -> io::Result<()> {
        let mut state = self.state.borrow_mut();
        state.asked.forgotten += 1;
        state.pages.remove(&artifact.inode);
        Ok(())
    }

    fn route(&self, path: &Path) -> io::Result<Route> {
        self.step("route", path, hits_look)?;
        let (links, end, _) = self.way(path)?;
        Ok(Route { links, end })
    }

    fn filesystem(&self, _path: &Path) -> io::Result<Filesystem> {
        Ok(Filesystem {
            name: self.nature.cache.name.into(),
            locality: self.nature.locality,
            locks_can_hang: self.nature.locks == Locks::Hanging,
            looks_can_lag: self.nature.looks_can_lag,
            names: Names::ByListing,
        })
    }

    fn probe(&self, lock: &Path) -> io::Result<Lock> {
        // A probe that fails is not judged here: it proves nothing.
        self.step("probe", lock, |_| None)?;
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        state.asked.probes += 1;
        let exists = state.world.lock_files.contains(lock);
        let is_held = state.world.held.contains_key(lock);
        Ok(match self.nature.locks {
            Locks::Hanging => {
                state
                    .violations
                    .push("gate: asked where asking can hang".to_owned());
                Lock::Absent
            }
            Locks::Unknown => Lock::Absent,
            _ if !exists || state.world.is_detached => Lock::Absent,
            Locks::Shared if is_held => {
                let now = state.world.now;
                for path in state.world.absences.keys() {
                    state.gated_since.entry(path.clone()).or_insert(now);
                }
                Lock::Held
            }
            _ => Lock::Free,
        })
    }
}

impl Stage for Client {
    type Staged = Copy;

    fn create(&self, artifact: &Path) -> io::Result<Copy> {
        self.step("stage", artifact, hits_stage)?;
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        state.asked.staged += 1;
        self.judge_gate(state, artifact);
        self.copies.set(self.copies.get() + 1);
        state.asked.most_copies = state.asked.most_copies.max(self.copies.get());
        Ok(Copy {
            bytes: Cursor::default(),
            copies: Rc::clone(&self.copies),
        })
    }
}

impl Client {
    /// Judges that nothing is staged behind a gate that was shut when the poll began, before the cap is reached.
    fn judge_gate(&self, state: &mut State, artifact: &Path) {
        // While the filesystem is unmounted, its locks are out of reach as well. A file that was opened before can
        // still be looked at, but the copy opens the path, and finds nothing.
        let is_detached = state.world.is_detached;
        if self.nature.locks != Locks::Shared || !self.nature.is_judged || is_detached {
            return;
        }
        let directory = artifact.parent().unwrap_or(Path::new(""));
        for name in [".cargo-lock", ".cargo-artifact-lock"] {
            let Some(held) = state.world.held_since(&directory.join(name)) else {
                continue;
            };
            // The cap holds for all the builds that one change waits for.
            let since = state
                .gated_since
                .get(artifact)
                .map_or(held, |since| held.min(*since));
            let now = state.world.now;
            if held < state.poll_began && now < since + state.gate_max {
                let held = (now - held) / MS;
                state.violations.push(format!(
                    "gate: staged although a build had held it for {held} ms"
                ));
            }
        }
    }
}

impl Clock for Client {
    fn now(&self) -> Instant {
        self.instant(self.state.borrow().world.now)
    }
}

/// The caches of clients as they are found.
pub const LOCAL: Cache = Cache {
    name: "local",
    entries: 0,
    negative: 0,
    notices_removal: true,
    attributes: 0,
    keeps_content: false,
    plain: 0,
};

pub const NFS: Cache = Cache {
    name: "nfs",
    entries: 60 * SECOND,
    negative: 60 * SECOND,
    plain: 60 * SECOND,
    ..LOCAL
};

pub const FUSE: Cache = Cache {
    name: "fuse",
    entries: 3 * SECOND,
    negative: 3 * SECOND,
    notices_removal: false,
    plain: 3 * SECOND,
    ..LOCAL
};

pub const ALWAYS: Cache = Cache {
    name: "fuse, cache=always",
    entries: 3600 * SECOND,
    negative: 3600 * SECOND,
    plain: 3600 * SECOND,
    ..FUSE
};

/// A client whose server itself remembers attributes: nobody can ask past it.
pub const SERVER: Cache = Cache {
    name: "sshfs",
    attributes: 20 * SECOND,
    plain: 20 * SECOND,
    ..LOCAL
};

/// A client that is a share of a virtual machine, whose pages go stale.
pub const PAGES: Cache = Cache {
    name: "vboxsf",
    keeps_content: true,
    ..LOCAL
};
