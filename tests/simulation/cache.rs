//! The memory of a client: what it keeps of names, attributes and content, and what makes it ask its server anew.
//! Names are kept by the directory they are in, as a kernel does it: a name of a directory that is out of date leads
//! into the old directory.

use std::collections::{BTreeSet, HashMap};
use std::ffi::{OsStr, OsString};
use std::mem;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use replug::watch::{Names, Snapshot};

use crate::tree::Tree;
use crate::world::SECOND;

/// A sort of client: what it remembers, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Cache {
    pub name: &'static str,
    /// What makes the client ask for names anew. One that looks names up by their whole path remembers none here.
    pub names: Names,
    /// Whether the client learns from a list of names what they lead to, and whether it can be asked for one name.
    pub lists_fill: bool,
    pub can_be_asked: bool,
    /// How long the client trusts a name that leads to something, and a name that leads nowhere.
    pub entries: u64,
    pub negative: u64,
    /// How long the client answers even the most urgent look, or a listing, from memory.
    pub attributes: u64,
    /// Whether content stays as it was first read until the client is told to let go of it.
    pub keeps_content: bool,
    /// How long the client answers a plain look, which is in no hurry, from memory.
    pub plain: u64,
}

/// The caches of clients as they are found.
pub const LOCAL: Cache = Cache {
    name: "local",
    names: Names::ByListing,
    lists_fill: true,
    can_be_asked: true,
    entries: 0,
    negative: 0,
    attributes: 0,
    keeps_content: false,
    plain: 0,
};

/// A client that asks for a name anew if its directory has changed, or if the name leads to something that is gone.
pub const NFS: Cache = Cache {
    name: "nfs",
    names: Names::ByLook,
    entries: 60 * SECOND,
    negative: 60 * SECOND,
    plain: 60 * SECOND,
    ..LOCAL
};

/// A client of a daemon that knows files by number: only time, a listing, and whoever wants to make a name, make it ask
/// for the name.
pub const FUSE: Cache = Cache {
    name: "fuse",
    entries: 3 * SECOND,
    negative: 3 * SECOND,
    plain: 3 * SECOND,
    ..LOCAL
};

/// The same, where nothing is ever forgotten, and a list is only a list.
pub const ALWAYS: Cache = Cache {
    name: "fuse, cache=always",
    lists_fill: false,
    entries: 3600 * SECOND,
    negative: 3600 * SECOND,
    plain: 3600 * SECOND,
    ..FUSE
};

/// The same, on a system where nobody can ask for one name: only lists tell.
pub const LISTED: Cache = Cache {
    name: "fuse, only lists",
    lists_fill: true,
    can_be_asked: false,
    ..ALWAYS
};

/// A client of a daemon that finds each file by its whole path.
pub const BINDFS: Cache = Cache {
    name: "bindfs",
    names: Names::ByPath,
    plain: 60 * SECOND,
    ..LOCAL
};

/// The same, where the daemon itself remembers attributes: nobody can ask past it.
pub const SERVER: Cache = Cache {
    name: "sshfs",
    attributes: 20 * SECOND,
    plain: 20 * SECOND,
    ..BINDFS
};

/// A client that is a share of a virtual machine, whose pages go stale.
pub const PAGES: Cache = Cache {
    name: "vboxsf",
    keeps_content: true,
    ..LOCAL
};

/// A name, as the client remembers it: by the version that its directory was known to have then.
#[derive(Debug, Clone, Copy)]
struct Entry {
    leads_to: Option<usize>,
    until: u64,
    version: u64,
}

/// What one client remembers.
#[derive(Debug, Default)]
pub struct Memory {
    entries: HashMap<usize, HashMap<OsString, Entry>>,
    /// The versions that directories are known to have, until when; and the names that were read, with the version at
    /// which, or the time until which, they count.
    versions: HashMap<usize, (u64, u64)>,
    listings: HashMap<usize, (u64, Vec<OsString>)>,
    attributes: HashMap<usize, (Snapshot, u64)>,
    plain: HashMap<PathBuf, (Result<Snapshot, i32>, u64)>,
    pages: HashMap<usize, Rc<Vec<u8>>>,
    remounts: u64,
    /// The sorts of things that old names have led to.
    pub served: BTreeSet<&'static str>,
}

impl Memory {
    /// Forgets everything, if the filesystem was unmounted since.
    pub fn keep_up(&mut self, tree: &Tree) {
        if self.remounts != tree.remounts {
            *self = Memory {
                remounts: tree.remounts,
                served: mem::take(&mut self.served),
                ..Memory::default()
            };
        }
    }

    /// A name in a directory, as the client finds it.
    pub fn child(
        &mut self,
        tree: &Tree,
        cache: &Cache,
        now: u64,
        directory: usize,
        name: &OsStr,
    ) -> Option<usize> {
        if !remembers_names(tree, cache, directory) {
            return tree.child(directory, name);
        }
        let version = match cache.names {
            Names::ByLook => self.version(tree, cache, now, directory),
            _ => 0,
        };
        let names = self.entries.entry(directory).or_default();
        if let Some(entry) = names.get(name) {
            let is_gone = entry
                .leads_to
                .is_some_and(|inode| tree.inodes[inode].links == 0);
            let is_noticed = cache.names == Names::ByLook && is_gone;
            if now < entry.until && entry.version == version && !is_noticed {
                if entry.leads_to != tree.child(directory, name) {
                    self.served.insert(tree.kind_of(entry.leads_to));
                }
                return entry.leads_to;
            }
        }
        let leads_to = tree.child(directory, name);
        let entry = remembered(leads_to, version, cache, now);
        names.insert(name.to_owned(), entry);
        leads_to
    }

    /// Asks for one name in a directory, whatever is remembered of it.
    pub fn ask(&mut self, tree: &Tree, cache: &Cache, now: u64, directory: usize, name: &OsStr) {
        if !cache.can_be_asked {
            return;
        }
        if remembers_names(tree, cache, directory)
            && let Some(names) = self.entries.get_mut(&directory)
        {
            names.remove(name);
        }
        self.child(tree, cache, now, directory, name);
    }

    /// The version that a directory is known to have; if that was too long ago, the server is asked.
    fn version(&mut self, tree: &Tree, cache: &Cache, now: u64, directory: usize) -> u64 {
        match self.versions.get(&directory) {
            Some((version, until)) if now < *until => *version,
            _ => self.look_at(tree, cache, now, directory),
        }
    }

    /// An urgent look at a directory shows the client which version it has.
    pub fn look_at(&mut self, tree: &Tree, cache: &Cache, now: u64, directory: usize) -> u64 {
        let version = tree.version(directory);
        let until = now + cache.entries;
        self.versions.insert(directory, (version, until));
        version
    }

    /// The names in a directory. Reading them makes the client learn what they lead to. A name that is gone is not among
    /// them, and what it led to stays remembered; but by a version that is no longer the directory's.
    ///
    /// A list that was read at the same version is shown once more, unless the client `drops` it.
    pub fn listing(
        &mut self,
        tree: &Tree,
        cache: &Cache,
        now: u64,
        directory: usize,
        drops: bool,
    ) -> Vec<OsString> {
        let names = || tree.inodes[directory].names.keys().cloned().collect();
        if is_behind_a_memory(tree, cache, directory) {
            // The daemon answers a listing like a look.
            let (until, known) = self
                .listings
                .entry(directory)
                .or_insert_with(|| (now + cache.attributes, names()));
            if *until <= now {
                (*until, *known) = (now + cache.attributes, names());
            }
            return known.clone();
        }
        if !remembers_names(tree, cache, directory) {
            return names();
        }
        let is_by_look = cache.names == Names::ByLook;
        if is_by_look && !drops {
            let version = self.version(tree, cache, now, directory);
            if let Some((read_at, names)) = self.listings.get(&directory)
                && *read_at == version
            {
                return names.clone();
            }
        }
        let version = match is_by_look {
            true => self.look_at(tree, cache, now, directory),
            false => 0,
        };
        if !cache.lists_fill {
            return names();
        }
        let entries = tree.inodes[directory].names.iter();
        let remember = |(name, inode): (&OsString, &usize)| {
            let entry = remembered(Some(*inode), version, cache, now);
            (name.clone(), entry)
        };
        self.entries
            .insert(directory, entries.map(remember).collect());
        let names: Vec<_> = names();
        self.listings.insert(directory, (version, names.clone()));
        names
    }

    pub fn attributes(&self, inode: usize, now: u64) -> Option<Snapshot> {
        let (seen, until) = self.attributes.get(&inode)?;
        (now < *until).then_some(*seen)
    }

    pub fn remember_attributes(&mut self, inode: usize, seen: Snapshot, until: u64) {
        self.attributes.insert(inode, (seen, until));
    }

    pub fn plain(&self, path: &Path, now: u64) -> Option<Result<Snapshot, i32>> {
        let (seen, until) = self.plain.get(path)?;
        (now < *until).then_some(*seen)
    }

    pub fn remember_plain(&mut self, path: PathBuf, seen: Result<Snapshot, i32>, until: u64) {
        self.plain.insert(path, (seen, until));
    }

    /// The content of a file, as it was first read.
    pub fn page(&mut self, inode: usize, fresh: Rc<Vec<u8>>) -> Rc<Vec<u8>> {
        Rc::clone(self.pages.entry(inode).or_insert(fresh))
    }

    pub fn forget_page(&mut self, inode: usize) {
        self.pages.remove(&inode);
    }
}

/// A client remembers no names of its own disk.
fn remembers_names(tree: &Tree, cache: &Cache, directory: usize) -> bool {
    let volume = tree.inodes[directory].volume;
    cache.entries > 0 && !tree.volumes[volume].is_own
}

fn is_behind_a_memory(tree: &Tree, cache: &Cache, directory: usize) -> bool {
    let volume = tree.inodes[directory].volume;
    cache.attributes > 0 && !tree.volumes[volume].is_own
}

fn remembered(leads_to: Option<usize>, version: u64, cache: &Cache, now: u64) -> Entry {
    let trusted = match leads_to {
        Some(_) => cache.entries,
        None => cache.negative,
    };
    Entry {
        leads_to,
        until: now + trusted,
        version,
    }
}
