//! The client's side: what a poller sees of the server's files, through caches, latency and faults.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use replug::watch::{Kind, Locality, Snapshot};
use vocabulary::failure;

use crate::cache::{Cache, Memory};
use crate::faults::{Fault, Hits, Wrong};
use crate::random::Random;
use crate::seam::Directory;
use crate::tree::{Eyes, Whereabouts};
use crate::walk::Walk;
use crate::world::{MS, SECOND, World, stamp_of};

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

/// What a client's system says when it is asked who writes to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leases {
    /// Nothing.
    Unsupported,
    /// The truth.
    True,
    /// In three of ten answers, that somebody does, although nobody does.
    Wary,
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
    pub leases: Leases,
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
    pub covered: BTreeSet<String>,
    pub memory: Memory,
    random: Random,
    /// Since when the gate has been shut for an artifact that is not decided, and for how long the gate can hold it
    /// back.
    pub gated_since: HashMap<PathBuf, u64>,
    pub gate_max: u64,
    /// Whether it is taken down where each artifact was seen, by the links that led there.
    pub notes_ways: bool,
}

/// A client, and the clock of the machine it is on.
#[derive(Clone)]
pub struct Client {
    pub state: Rc<RefCell<State>>,
    pub nature: Rc<Nature>,
    pub copies: Rc<Cell<usize>>,
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
                covered: BTreeSet::new(),
                memory: Memory::default(),
                random: Random::new(seed),
                gated_since: HashMap::new(),
                gate_max,
                notes_ways: false,
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

    pub fn present(&self) -> Instant {
        self.instant(self.state.borrow().world.now)
    }

    /// One step over the wire: time passes, and something may be wrong.
    pub fn step(&self, what: &'static str, path: &Path, hits: Hits) -> io::Result<()> {
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
    pub fn is_wrong(&self, what: Wrong) -> bool {
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

    /// Whether something happens now that happens in so many of a hundred times.
    pub fn draws(&self, percent: u64) -> bool {
        self.state.borrow_mut().random.percent(percent)
    }

    /// Whether the server does not find what it lists. The client's own disk does not contradict itself.
    pub fn hides(&self, path: &Path) -> bool {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let can_be = name.starts_with("lib") || name.starts_with("..");
        can_be && !self.is_own(path) && self.is_wrong(Wrong::NotFound)
    }

    /// Whether a path is on the client's own disk.
    pub fn is_own(&self, path: &Path) -> bool {
        let state = self.state.borrow();
        let tree = &state.world.tree;
        let volume = match tree.whereabouts(path, Eyes::Client) {
            Whereabouts::There(inode) => tree.inodes[inode].volume,
            Whereabouts::Absent(volume) => volume,
        };
        tree.volumes[volume].is_own
    }

    /// Follows a path to what is at its end.
    pub fn walk(&self, path: &Path) -> io::Result<usize> {
        self.walk_from(None, path, true)
    }

    /// Follows a path, name by name, as the client finds each of them; and the link at its end, if wished.
    pub fn walk_from(
        &self,
        directory: Option<&Directory>,
        path: &Path,
        follows_last: bool,
    ) -> io::Result<usize> {
        let mut walk = Walk::default();
        let mut rest = path;
        if let Some(directory) = directory {
            walk.passed.push(directory.inode);
            rest = path.strip_prefix(&directory.path).unwrap_or(path);
        }
        self.follow(&mut walk, rest, follows_last)?;
        Ok(walk.here())
    }

    /// Follows a path, and takes down the links on it, and the path without them, whether anything is there or not.
    pub fn route_of(&self, path: &Path) -> io::Result<(Vec<PathBuf>, PathBuf)> {
        let mut walk = Walk::default();
        walk.route = Some((Vec::new(), PathBuf::from("/")));
        match self.follow(&mut walk, path, true) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(walk.route.unwrap_or_default()),
        }
    }

    fn follow(&self, walk: &mut Walk, path: &Path, follows_last: bool) -> io::Result<()> {
        let mut state = self.state.borrow_mut();
        let State { world, memory, .. } = &mut *state;
        memory.keep_up(&world.tree);
        let cache = &self.nature.cache;
        let mut find = |directory, name: &OsStr| {
            let child = memory.child(&world.tree, cache, world.now, directory, name);
            child.map(|child| world.tree.across(child, Eyes::Client))
        };
        walk.go(&world.tree, path, follows_last, &mut find)
    }

    /// An urgent look at what has been found.
    pub fn snapshot(&self, inode: usize) -> Snapshot {
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        let now = state.world.now;
        let tree = &state.world.tree;
        state.memory.keep_up(tree);
        if let Some(seen) = state.memory.attributes(inode, now) {
            return seen;
        }
        let file = &tree.inodes[inode];
        if file.kind == Kind::Directory {
            state.memory.look_at(tree, &self.nature.cache, now, inode);
        }
        let nature = tree.nature;
        let volume = tree.volumes[file.volume];
        let number = match self.nature.unstable_inodes && !volume.is_own {
            true => 1000 + state.random.next() % 1000,
            false => file.number,
        };
        let seen = Snapshot {
            kind: file.kind,
            device: volume.device,
            // As on a system that does not tell.
            mount: 0,
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
        if !volume.is_own {
            let until = now + self.nature.cache.attributes;
            state.memory.remember_attributes(inode, seen, until);
        }
        seen
    }

    /// A plain look, as programs make it that ask for nothing special.
    pub fn plain_look(&self, path: &Path) -> io::Result<Snapshot> {
        self.step("stat", path, |_| None)?;
        let now = self.state.borrow().world.now;
        let known = self.state.borrow().memory.plain(path, now);
        if let Some(seen) = known {
            return seen.map_err(io::Error::from_raw_os_error);
        }
        let seen = self
            .walk(path)
            .map(|inode| self.snapshot(inode))
            .map_err(|_| failure::ABSENT);
        let until = now + self.nature.cache.plain;
        let memory = &mut self.state.borrow_mut().memory;
        memory.remember_plain(path.to_owned(), seen, until);
        seen.map_err(io::Error::from_raw_os_error)
    }

    /// Whether a client that remembers names cannot be made to ask for them, because listings fail.
    fn cannot_list(&self, state: &State) -> bool {
        self.could_not_list(state.poll_began..state.world.now + 1)
    }

    /// Whether names from before a mount came or went `since` then can have led to what they led to then.
    pub fn could_follow_old_names(&self, since: u64) -> bool {
        let world = &self.state.borrow().world;
        let mut remounts = world.remounts.iter().filter(|at| **at >= since);
        remounts.any(|at| self.could_not_list(*at..world.now + 1))
    }

    fn could_not_list(&self, times: Range<u64>) -> bool {
        let remembers = self.nature.cache.entries > 0;
        let mut faults = self.nature.faults.iter();
        remembers
            && faults.any(|fault| {
                let fails = matches!(fault.what, Wrong::List(_) | Wrong::HalfList | Wrong::All(_));
                fails && fault.from < times.end && times.start < fault.until
            })
    }

    /// Whether the client's system says who holds a lock.
    pub fn tells_holders(&self) -> bool {
        self.nature.locality == Locality::Local
    }

    /// Judges that nothing is staged behind a gate that was shut when the poll began, before the cap is reached.
    pub fn judge_gate(&self, artifact: &Path) {
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        // While the filesystem is unmounted, its locks are out of reach as well. A file that was opened before can
        // still be looked at, but the copy opens the path, and finds nothing.
        // What the poll has asked before a mount came or went says nothing of what is there after it.
        let is_another = state.world.remounts.last() >= Some(&state.poll_began);
        let is_out_of_reach = state.world.is_detached || is_another || self.cannot_list(state);
        if self.nature.locks != Locks::Shared || !self.nature.is_judged || is_out_of_reach {
            return;
        }
        let directory = artifact.parent().unwrap_or(Path::new(""));
        for name in [".cargo-lock", ".cargo-artifact-lock"] {
            let Some(held) = state
                .world
                .built_since(&directory.join(name), self.tells_holders())
            else {
                continue;
            };
            // The cap holds for all the builds that one change waits for.
            let since = state
                .gated_since
                .get(artifact)
                .map_or(held, |since| held.min(*since));
            let now = state.world.now;
            // Nobody can see who holds a lock here; for five seconds it holds back what nobody could write to.
            let most = match self.nature.leases {
                Leases::Unsupported => state.gate_max,
                Leases::True | Leases::Wary => state.gate_max.min(5 * SECOND),
            };
            if held < state.poll_began && now < since + most {
                let held = (now - held) / MS;
                state.violations.push(format!(
                    "gate: staged although a build had held it for {held} ms"
                ));
            }
        }
    }
}
