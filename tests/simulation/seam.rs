//! The seam of the product: its traits for files, copies and time, as a client of the simulation answers them.

use std::cell::Cell;
use std::ffi::{OsStr, OsString};
use std::io::{self, Cursor, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Instant;

use replug::watch::{
    Clock, Files, Filesystem, Holder, Kind, Listing, Locality, Lock, Names, Pen, PrivateCopy,
    Route, Snapshot, Stage, Writers,
};
use vocabulary::failure;

use crate::client::{Client, Leases, Locks};
use crate::faults::{Wrong, hits_list, hits_look, hits_open, hits_read, hits_stage};
use crate::world::World;

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
        let fresh = Rc::clone(&state.world.tree.inodes[self.inode].data);
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
        let volume = state.world.tree.inodes[self.inode].volume;
        let is_own = state.world.tree.volumes[volume].is_own;
        let data = match self.client.nature.cache.keeps_content && !is_own {
            true => state.memory.page(self.inode, fresh),
            false => fresh,
        };
        let rest = data.get(self.at..).unwrap_or_default();
        let count = rest.len().min(buffer.len()).min(self.client.nature.chunk);
        buffer[..count].copy_from_slice(&rest[..count]);
        self.at += count;
        Ok(count)
    }
}

/// An open directory: it stays the one it was, whatever is mounted or renamed meanwhile.
pub struct Directory {
    pub path: PathBuf,
    pub inode: usize,
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

impl PrivateCopy for Copy {
    fn append(&mut self, bytes: &[u8], _pen: &Pen) -> io::Result<()> {
        self.bytes.write_all(bytes)
    }
}

impl Seek for Copy {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.bytes.seek(to)
    }
}

impl Client {
    /// Looks at a path, or at the link that is there.
    fn look_at(
        &self,
        what: &'static str,
        directory: Option<&Directory>,
        path: &Path,
        follows_last: bool,
    ) -> io::Result<Snapshot> {
        self.step(what, path, hits_look)?;
        if self.hides(path) {
            return Err(ErrorKind::NotFound.into());
        }
        let walked = self.walk_from(directory, path, follows_last);
        if walked.is_err() {
            self.note_loss(|artifact| artifact.starts_with(path));
        }
        let inode = walked?;
        self.note_sighting(path, inode);
        Ok(self.snapshot(inode))
    }

    /// Takes down that the product was told, by an answer that `tells` it of a path, that nothing is there.
    fn note_loss(&self, tells: impl Fn(&Path) -> bool) {
        let state = &mut *self.state.borrow_mut();
        let World {
            now,
            tree,
            absences,
            ..
        } = &mut state.world;
        for (path, absences) in absences {
            if tells(path) || tells(&tree.end_of(path)) {
                absences.is_missed(*now);
            }
        }
    }

    /// Takes down which artifacts a whole listing does not name.
    fn note_names(&self, directory: &Path, names: &[OsString]) {
        self.note_loss(|artifact| {
            let is_named = artifact
                .file_name()
                .is_some_and(|name| names.iter().any(|it| it == name));
            artifact.parent() == Some(directory) && !is_named
        });
    }

    fn note_sighting(&self, path: &Path, inode: usize) {
        let state = &mut *self.state.borrow_mut();
        let World {
            now,
            tree,
            absences,
            ..
        } = &mut state.world;
        if let Some(absences) = absences.get_mut(path) {
            absences.is_seen(*now, tree.inodes[inode].volume);
            if state.notes_ways {
                absences.seen_at = Some(tree.end_of(path));
            }
        }
    }

    fn listing(&self, directory: &Path, drops: bool) -> io::Result<Vec<OsString>> {
        let inode = self.walk(directory)?;
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        let (tree, now) = (&state.world.tree, state.world.now);
        if tree.inodes[inode].kind != Kind::Directory {
            return Err(ErrorKind::NotADirectory.into());
        }
        let cache = &self.nature.cache;
        Ok(state.memory.listing(tree, cache, now, inode, drops))
    }
}

impl Files for Client {
    type Artifact = Opened;
    type Directory = Directory;

    fn look(&self, path: &Path) -> io::Result<Snapshot> {
        self.look_at("look", None, path, true)
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
        Some(Directory {
            path: directory.to_owned(),
            inode: self.walk(directory).ok()?,
        })
    }

    fn look_from(&self, directory: &Directory, path: &Path) -> io::Result<Snapshot> {
        self.look_at("look from directory", Some(directory), path, true)
    }

    fn ask_for_name(&self, path: &Path) {
        let asked = self.step("ask for name", path, hits_look);
        let (Some(above), Some(name)) = (path.parent(), path.file_name()) else {
            return;
        };
        let Ok(directory) = asked.and_then(|()| self.walk(above)) else {
            return;
        };
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        let (tree, now) = (&state.world.tree, state.world.now);
        let cache = &self.nature.cache;
        state.memory.ask(tree, cache, now, directory, name);
    }

    fn look_link(&self, path: &Path) -> io::Result<Snapshot> {
        self.look_at("look at link", None, path, false)
    }

    fn look_open(&self, artifact: &Opened) -> io::Result<Snapshot> {
        self.step("look at open", Path::new(""), hits_look)?;
        Ok(self.snapshot(artifact.inode))
    }

    fn names(&self, directory: &Path, each: &mut dyn FnMut(&OsStr)) -> io::Result<()> {
        self.step("names", directory, hits_list)?;
        let names = self.listing(directory, true)?;
        let is_half = self.is_wrong(Wrong::HalfList);
        if !is_half {
            self.note_names(directory, &names);
        }
        let shown = if is_half {
            names.len() / 2
        } else {
            names.len()
        };
        names[..shown].iter().for_each(|name| each(name));
        match is_half {
            true => Err(io::Error::from_raw_os_error(failure::BROKEN)),
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
        let names = self.listing(directory, false)?;
        if self.is_wrong(Wrong::HalfList) {
            return Err(io::Error::from_raw_os_error(failure::BROKEN));
        }
        self.note_names(directory, &names);
        let wanted = names.iter().filter(|name| is_wanted(name, Kind::File));
        Ok(Listing {
            files: wanted.map(|name| directory.join(name)).collect(),
            ..Listing::default()
        })
    }

    fn open(&self, path: &Path) -> io::Result<Opened> {
        self.step("open", path, hits_open)?;
        if self.hides(path) {
            return Err(ErrorKind::NotFound.into());
        }
        let inode = self.walk(path)?;
        self.note_sighting(path, inode);
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
        state.memory.forget_page(artifact.inode);
        Ok(())
    }

    fn route(&self, path: &Path) -> io::Result<Route> {
        self.step("route", path, hits_look)?;
        let (links, end) = self.route_of(path)?;
        Ok(Route { links, end })
    }

    fn filesystem(&self, path: &Path) -> io::Result<Filesystem> {
        if self.is_own(path) {
            return Ok(Filesystem {
                name: "local".into(),
                locality: Locality::Local,
                locks_can_hang: false,
                looks_can_lag: false,
                names: Names::ByListing,
                tells_writers: self.nature.leases != Leases::Unsupported,
            });
        }
        Ok(Filesystem {
            name: self.nature.cache.name.into(),
            locality: self.nature.locality,
            locks_can_hang: self.nature.locks == Locks::Hanging,
            looks_can_lag: self.nature.looks_can_lag,
            names: self.nature.cache.names,
            tells_writers: self.nature.leases != Leases::Unsupported,
        })
    }

    fn mounted(&self, path: &Path) -> Option<Filesystem> {
        let by_text = self.state.borrow().world.tree.before_links(path);
        self.filesystem(&by_text).ok()
    }

    fn writers(&self, artifact: &Opened) -> Writers {
        // It takes time, and cannot fail.
        let _ = self.step("writers", Path::new(""), |_| None);
        let is_wrong = self.nature.leases == Leases::Wary && self.draws(30);
        let state = &mut *self.state.borrow_mut();
        let is_written = state.world.is_written(artifact.inode);
        let (writers, how) = match (self.nature.leases, is_written || is_wrong) {
            (Leases::Unsupported, _) => (Writers::Unknown, "lease not supported"),
            (_, true) if is_written => (Writers::Somebody, "lease refused"),
            (_, true) => (Writers::Somebody, "lease refused wrongly"),
            (_, false) => (Writers::Nobody, "lease granted"),
        };
        state.covered.insert(how.to_owned());
        writers
    }

    fn probe(&self, lock: &Path) -> io::Result<Lock> {
        // A probe that fails is not judged here: it proves nothing.
        self.step("probe", lock, |_| None)?;
        let is_own = self.is_own(lock);
        self.state.borrow_mut().asked.probes += 1;
        match self.nature.locks {
            Locks::Hanging if !is_own => {
                let state = &mut *self.state.borrow_mut();
                // Nobody can know what is mounted just now.
                if state.world.remounts.last() >= Some(&state.poll_began) {
                    return Ok(Lock::Absent);
                }
                let violation = "gate: asked where asking can hang".to_owned();
                state.violations.push(violation);
                return Ok(Lock::Absent);
            }
            Locks::Unknown => return Ok(Lock::Absent),
            _ => {}
        }
        let Ok(inode) = self.walk(lock) else {
            return Ok(Lock::Absent);
        };
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        let is_held = state.world.tree.inodes[inode].held.is_some();
        if !is_held || self.nature.locks == Locks::LocalOnly {
            return Ok(Lock::Free);
        }
        let now = state.world.now;
        if !(self.tells_holders() && state.world.tree.inodes[inode].is_checked) {
            for path in state.world.absences.keys() {
                state.gated_since.entry(path.clone()).or_insert(now);
            }
        }
        Ok(Lock::Held)
    }

    fn holder(&self, lock: &Path) -> Option<Holder> {
        /// The number of any process.
        const CARGO: u32 = 4711;
        let inode = self.walk(lock).ok().filter(|_| self.tells_holders())?;
        let is_check = self.state.borrow().world.tree.inodes[inode].is_checked;
        is_check.then(|| Holder::new(CARGO, Some(b"check")))
    }
}

impl Stage for Client {
    type Staged = Copy;

    fn create(&self, artifact: &Path) -> io::Result<Copy> {
        self.step("stage", artifact, hits_stage)?;
        self.judge_gate(artifact);
        let asked = &mut self.state.borrow_mut().asked;
        asked.staged += 1;
        self.copies.set(self.copies.get() + 1);
        asked.most_copies = asked.most_copies.max(self.copies.get());
        Ok(Copy {
            bytes: Cursor::default(),
            copies: Rc::clone(&self.copies),
        })
    }
}

impl Clock for Client {
    fn now(&self) -> Instant {
        self.present()
    }
}
