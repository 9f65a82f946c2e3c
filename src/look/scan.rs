//! The scan: which artifacts exist, that is, which libraries a directory holds. A directory is listed only when it
//! changed since the last listing, and nothing is forgotten because a listing failed.

use std::cell::{Cell, RefCell};
use std::ffi::OsStr;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::io;
use std::mem;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use replug_plugin::shown::spelled;

use super::clock::Clock;
use super::files::{Files, Listing, Locality};
use super::naming::{is_library_name, is_nearly_a_library_name, stage_owner};
use super::snapshot::{Kind, Snapshot};

/// The scan of one watched directory: what the directories looked like when they were last listed.
#[derive(Debug)]
pub(crate) struct Scan {
    root: PathBuf,
    depth: usize,
    searched: Vec<(PathBuf, Snapshot)>,
    /// The sum of the hashes of the library names in the root, as the last listing had them; their order does not
    /// matter to a sum. Some may be names of directories, which a listing leaves out.
    names: Option<u64>,
    /// When to list once more although nothing seems to have changed: a name added within one timestamp tick
    /// of the listing leaves the directory's snapshot as it was.
    confirm_at: Option<Instant>,
    /// When to list once more because a directory below could not be listed.
    again_at: Option<Instant>,
    /// How often a listing found something else than the one before.
    changes: u64,
    /// A few names in the last listing that are nearly those of libraries.
    nearly: Vec<String>,
}

/// The time after which all is listed again if a directory below could not be listed, unless something changes sooner:
/// as long as a trouble rests at most.
const LIST_AGAIN: Duration = Duration::from_secs(2);
/// How many names that are nearly those of libraries are told to a person.
const NEARLY_SHOWN: usize = 3;

impl Scan {
    pub(crate) fn new(root: PathBuf, depth: usize) -> Scan {
        Scan {
            root,
            depth,
            searched: Vec::new(),
            names: None,
            confirm_at: None,
            again_at: None,
            changes: 0,
            nearly: Vec::new(),
        }
    }

    /// How often a listing found something else than the one before, as a number to compare.
    pub(crate) fn changes_so_far(&self) -> u64 {
        self.changes
    }

    /// Lists the directory if it, or a directory below it, changed. `root` is what a look at the directory said just
    /// now.
    ///
    /// On a remote filesystem the names are read to their end in any case: that makes the filesystem's client ask its
    /// server for the names, and makes a look at one of the files fresh.
    pub(crate) fn changes(
        &mut self,
        now: Instant,
        root: Snapshot,
        locality: Locality,
        files: &impl Files,
        clock: &impl Clock,
    ) -> io::Result<Option<Listing>> {
        let is_due = |at: &mut Option<Instant>| at.take_if(|at| now >= *at).is_some();
        let confirms = is_due(&mut self.confirm_at) | is_due(&mut self.again_at);
        let is_local = locality == Locality::Local;
        let names = match is_local || self.depth > 1 {
            true => None,
            false => Some(self.sum_of_names(files)?),
        };
        // Names are only summed up in the root: where there are directories below, all directories are listed each
        // time.
        let has_names = is_local || names.is_some() && names == self.names;
        if !confirms && has_names && self.is_as_listed(root, files) {
            return Ok(None);
        }
        // If anything ends this listing early, the next poll lists again.
        let before = mem::take(&mut self.searched);
        let begun = clock.now();
        let listed = Cell::new(0_u64);
        let nearly = RefCell::new(Vec::new());
        let is_wanted = |name: &OsStr, kind| {
            if is_library_name(name) {
                listed.set(listed.get().wrapping_add(sum_of(name)));
            } else if kind != Kind::Directory && is_nearly_a_library_name(name) {
                nearly.borrow_mut().push(spelled(name).into_owned());
            }
            is_wanted(name, kind)
        };
        let listing = files.list(&self.root, self.depth, &is_wanted)?;
        self.nearly = nearly.into_inner();
        self.nearly.sort();
        self.nearly.truncate(NEARLY_SHOWN);
        // The names of the listing itself: it is later than the names that called for it.
        let names = names.map(|_| listed.get());
        self.searched.push((self.root.clone(), root));
        for directory in &listing.directories {
            // A directory that cannot be looked at any more has changed; its parent's snapshot will say so.
            if let Ok(snapshot) = files.look(directory) {
                self.searched.push((directory.clone(), snapshot));
            }
        }
        // Directories below are looked at after the listing, so their snapshots may be newer than the listing.
        let changed = self.searched != before;
        self.changes += u64::from(changed || names != self.names);
        // Where the names are read at each poll, nothing is left to confirm.
        self.confirm_at = (changed && is_local).then(|| begun + root.racy_for());
        // The rights to a directory show in its snapshot, but not what else kept it from being listed.
        let has_unlisted = !listing.unlisted.is_empty();
        self.again_at = has_unlisted.then(|| begun + LIST_AGAIN);
        self.names = names;
        Ok(Some(listing))
    }

    /// A few names in the last listing that are nearly those of libraries, in order.
    pub(crate) fn nearly(&self) -> &[String] {
        &self.nearly
    }

    /// Forgets the last listing, because the directory could not be looked at: the listing proves nothing any more.
    pub(crate) fn forget(&mut self) {
        self.searched.clear();
        (self.confirm_at, self.again_at) = (None, None);
    }

    /// When the scan wants to be asked again, if before the next poll.
    pub(crate) fn wants(&self) -> Option<Instant> {
        self.confirm_at
    }

    fn sum_of_names(&self, files: &impl Files) -> io::Result<u64> {
        let mut names = 0_u64;
        files.names(&self.root, &mut |name| {
            if is_library_name(name) {
                names = names.wrapping_add(sum_of(name));
            }
        })?;
        Ok(names)
    }

    fn is_as_listed(&self, root: Snapshot, files: &impl Files) -> bool {
        let Some(((_, listed), below)) = self.searched.split_first() else {
            return false;
        };
        *listed == root
            && below
                .iter()
                .all(|(path, listed)| files.look(path).is_ok_and(|snapshot| snapshot == *listed))
    }
}

/// Libraries, wherever they are but among the private copies of some process, should it stage them below what is
/// watched.
fn is_wanted(name: &OsStr, kind: Kind) -> bool {
    match kind {
        Kind::Directory => stage_owner(name).is_none(),
        _ => is_library_name(name),
    }
}

fn sum_of(name: &OsStr) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(name)
}

#[cfg(test)]
mod tests {
    use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
    use std::fs;

    use super::*;
    use crate::look::machine::OsFiles;
    use crate::look::naming::stage_prefix;

    #[test]
    fn staged_copies_below_a_watched_directory_are_no_artifacts() {
        let scratch = tempfile::tempdir().unwrap();
        let stage = scratch
            .path()
            .join(format!("{}random", stage_prefix(7, 11)));
        fs::create_dir(&stage).unwrap();
        let library = format!("{DLL_PREFIX}x{DLL_SUFFIX}");
        fs::write(stage.join(&library), "").unwrap();
        let listed = || OsFiles.list(scratch.path(), 3, &is_wanted).unwrap();
        assert_eq!(listed(), Listing::default());
        let artifact = scratch.path().join(library);
        fs::write(&artifact, "").unwrap();
        assert_eq!(listed().files, [artifact]);
    }
}
