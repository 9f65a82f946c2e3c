//! The tree of files: directories with the names in them, links, and what is mounted where. A directory is found by
//! its name in another directory, so all that is below goes where it goes, and whoever still holds a directory that
//! was renamed finds its old files in it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use replug::watch::Kind;

use crate::walk::Walk;

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
    /// Without it, a directory looks the same whatever names come and go; but not on the client's own disk.
    pub stamps_directories: bool,
    /// Without it, a client can only tell by the stamps of a directory that names in it have changed.
    pub counts_changes: bool,
}

/// One file, directory or link, whatever names it has.
#[derive(Debug, Clone)]
pub struct Inode {
    pub kind: Kind,
    pub volume: usize,
    pub number: u64,
    pub links: u64,
    pub data: Rc<Vec<u8>>,
    pub modified: u64,
    pub changed: u64,
    pub born: u64,
    pub target: PathBuf,
    /// What is in a directory, and how often that has changed: some protocols count what stamps may hide.
    pub names: BTreeMap<OsString, usize>,
    pub version: u64,
    /// Since when somebody holds this lock file, and whether that is a check.
    pub held: Option<u64>,
    pub is_checked: bool,
}

/// A filesystem: its device, as its files show it, and whether it is the client's own disk.
#[derive(Debug, Clone, Copy)]
pub struct Volume {
    pub device: u64,
    pub is_own: bool,
}

/// Whose eyes see the tree: a mount can be there for one of them only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Eyes {
    Writer,
    Client,
}

/// A mount: the directory that it covers, the root that it shows there, and to whom.
#[derive(Debug)]
struct Mount {
    covered: usize,
    root: usize,
    seen_by: [bool; 2],
}

/// Where a path leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whereabouts {
    There(usize),
    /// The path ends early, on this volume.
    Absent(usize),
}

/// The directory at the top of all.
pub const TOP: usize = 0;

/// The device of the client's own disk.
pub const OWN_DEVICE: u64 = 99;

#[derive(Debug)]
pub struct Tree {
    pub nature: Nature,
    pub inodes: Vec<Inode>,
    pub volumes: Vec<Volume>,
    /// The present time, as files are stamped with it.
    pub stamp: u64,
    /// How often clients have lost or got a mount, and forgotten all that they knew of it.
    pub remounts: u64,
    mounts: Vec<Mount>,
    free_numbers: Vec<u64>,
    next_number: u64,
}

impl Tree {
    pub fn new(nature: Nature) -> Tree {
        let mut tree = Tree {
            nature,
            inodes: Vec::new(),
            volumes: Vec::new(),
            stamp: 0,
            remounts: 0,
            mounts: Vec::new(),
            free_numbers: Vec::new(),
            next_number: 100,
        };
        tree.add_volume(OWN_DEVICE, true);
        tree
    }

    /// Makes another filesystem, and returns its root.
    pub fn add_volume(&mut self, device: u64, is_own: bool) -> usize {
        self.volumes.push(Volume { device, is_own });
        self.make(self.volumes.len() - 1, Kind::Directory)
    }

    /// Shows the filesystem with this root in the place of a directory.
    pub fn mount(&mut self, root: usize, over: &Path, seen_by: &[Eyes]) {
        let Some(covered) = self.resolve(over, Eyes::Writer) else {
            return;
        };
        self.mounts.push(Mount {
            covered,
            root,
            seen_by: [Eyes::Writer, Eyes::Client].map(|eyes| seen_by.contains(&eyes)),
        });
    }

    /// Takes the last mount of a path away.
    pub fn unmount(&mut self, path: &Path) {
        let Some(root) = self.resolve(path, Eyes::Writer) else {
            return;
        };
        if let Some(last) = self.mounts.iter().rposition(|mount| mount.root == root) {
            self.mounts.remove(last);
        }
    }

    /// Shows a mount to clients, or hides it from them.
    pub fn show(&mut self, root: usize, is_shown: bool) {
        for mount in &mut self.mounts {
            if mount.root == root {
                mount.seen_by[Eyes::Client as usize] = is_shown;
            }
        }
        self.remounts += 1;
    }

    /// What these eyes see in the place of an inode: the root of what is mounted there.
    pub fn across(&self, mut inode: usize, eyes: Eyes) -> usize {
        if self.inodes[inode].kind != Kind::Directory {
            return inode;
        }
        let mut mounts = self.mounts.iter();
        // A mount over a mount comes after it.
        while let Some(mount) =
            mounts.find(|mount| mount.covered == inode && mount.seen_by[eyes as usize])
        {
            inode = mount.root;
        }
        inode
    }

    /// The version of a directory, as a protocol shows it.
    pub fn version(&self, directory: usize) -> u64 {
        let inode = &self.inodes[directory];
        match self.nature.counts_changes {
            true => inode.version,
            false => inode.changed,
        }
    }

    pub fn child(&self, directory: usize, name: &OsStr) -> Option<usize> {
        self.inodes[directory].names.get(name).copied()
    }

    /// What a name leads to, in a word.
    pub fn kind_of(&self, found: Option<usize>) -> &'static str {
        match found.map(|inode| self.inodes[inode].kind) {
            None => "nothing",
            Some(Kind::Directory) => "a directory",
            Some(Kind::Link) => "a link",
            Some(_) => "a file",
        }
    }

    /// Follows a path, and the links on it.
    pub fn whereabouts(&self, path: &Path, eyes: Eyes) -> Whereabouts {
        let mut walk = Walk::default();
        let mut find = |directory, name: &OsStr| {
            let child = self.child(directory, name);
            child.map(|child| self.across(child, eyes))
        };
        match walk.go(self, path, true, &mut find) {
            Ok(()) => Whereabouts::There(walk.here()),
            Err(_) => Whereabouts::Absent(self.inodes[walk.here()].volume),
        }
    }

    /// The path that a path leads to by its links, as clients see them, whether anything is there or not.
    pub fn end_of(&self, path: &Path) -> PathBuf {
        let mut walk = Walk::default();
        walk.route = Some((Vec::new(), PathBuf::from("/")));
        let mut find = |directory, name: &OsStr| {
            let child = self.child(directory, name);
            child.map(|child| self.across(child, Eyes::Client))
        };
        // A path that leads nowhere has an end as well.
        let _ = walk.go(self, path, true, &mut find);
        walk.route.map_or(PathBuf::new(), |(_, end)| end)
    }

    /// A path as far as it leads without any link, as clients see it.
    pub fn before_links(&self, path: &Path) -> PathBuf {
        let is_link = |path: &&Path| {
            let inode = self.at(path);
            inode.is_some_and(|inode| self.inodes[inode].kind == Kind::Link)
        };
        let first = path.ancestors().filter(is_link).last();
        let directory = first.and_then(Path::parent);
        directory.unwrap_or(path).to_owned()
    }

    pub fn resolve(&self, path: &Path, eyes: Eyes) -> Option<usize> {
        match self.whereabouts(path, eyes) {
            Whereabouts::There(inode) => Some(inode),
            Whereabouts::Absent(_) => None,
        }
    }

    /// The directory that holds a name, as writers find it, and the name.
    fn place<'a>(&self, path: &'a Path) -> Option<(usize, &'a OsStr)> {
        let directory = self.resolve(path.parent()?, Eyes::Writer)?;
        let is_directory = self.inodes[directory].kind == Kind::Directory;
        is_directory.then_some((directory, path.file_name()?))
    }

    /// What has this name, the name itself not followed.
    pub fn at(&self, path: &Path) -> Option<usize> {
        let (directory, name) = self.place(path)?;
        self.child(directory, name)
    }

    fn make(&mut self, volume: usize, kind: Kind) -> usize {
        let number = self.free_numbers.pop().unwrap_or_else(|| {
            self.next_number += 1;
            self.next_number
        });
        self.inodes.push(Inode {
            kind,
            volume,
            number,
            links: 1,
            data: Rc::default(),
            modified: self.stamp,
            changed: self.stamp,
            born: self.stamp,
            target: PathBuf::new(),
            names: BTreeMap::new(),
            version: 0,
            held: None,
            is_checked: false,
        });
        self.inodes.len() - 1
    }

    /// Makes something of this name; nothing, if there is no directory for it.
    pub fn add(&mut self, path: &Path, kind: Kind) -> Option<usize> {
        let (directory, name) = self.place(path)?;
        let inode = self.make(self.inodes[directory].volume, kind);
        self.name(directory, name, inode);
        Some(inode)
    }

    pub fn link(&mut self, from: &Path, to: &Path) {
        if let (Some(inode), Some((directory, name))) = (self.at(from), self.place(to)) {
            self.inodes[inode].links += 1;
            self.inodes[inode].changed = self.stamp;
            self.name(directory, name, inode);
        }
    }

    pub fn rename(&mut self, from: &Path, to: &Path) {
        let places = (self.place(from), self.place(to));
        let (Some((old, old_name)), Some((new, new_name))) = places else {
            return;
        };
        if let Some(inode) = self.inodes[old].names.remove(old_name) {
            self.inodes[inode].changed = self.stamp;
            self.name(new, new_name, inode);
            self.touch_directory(old);
        }
    }

    pub fn remove(&mut self, path: &Path) {
        if let Some((directory, name)) = self.place(path) {
            self.drop_name(directory, name);
        }
    }

    /// Removes all that is in a directory.
    pub fn clear(&mut self, path: &Path) {
        let Some(directory) = self.resolve(path, Eyes::Writer) else {
            return;
        };
        let names: Vec<_> = self.inodes[directory].names.keys().cloned().collect();
        for name in names {
            let below = path.join(&name);
            let is_directory = self
                .at(&below)
                .is_some_and(|inode| self.inodes[inode].kind == Kind::Directory);
            if is_directory {
                self.clear(&below);
            }
            self.drop_name(directory, &name);
        }
    }

    fn name(&mut self, directory: usize, name: &OsStr, inode: usize) {
        self.drop_name(directory, name);
        self.inodes[directory].names.insert(name.to_owned(), inode);
        self.touch_directory(directory);
    }

    fn drop_name(&mut self, directory: usize, name: &OsStr) {
        let Some(old) = self.inodes[directory].names.remove(name) else {
            return;
        };
        let inode = &mut self.inodes[old];
        inode.links -= 1;
        inode.changed = self.stamp;
        if inode.links == 0 && self.nature.reuses_inodes {
            self.free_numbers.push(inode.number);
        }
        self.touch_directory(directory);
    }

    fn touch_directory(&mut self, directory: usize) {
        let directory = &mut self.inodes[directory];
        directory.version += 1;
        if self.nature.stamps_directories || self.volumes[directory.volume].is_own {
            directory.modified = self.stamp;
            directory.changed = self.stamp;
        }
    }
}
