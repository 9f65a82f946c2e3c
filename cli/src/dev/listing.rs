//! The names in one directory of sources, and below it. The directory is listed again when it, or one below it, has
//! changed; where others than this system change it, at each poll.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use replug::shown::spelled;
use replug::watch::{Files as _, Kind, OsFiles, Snapshot};

use super::content::is_absent;
use super::sources::Sources;

/// How deep sources are nested at most. Whoever goes deeper follows a link to above itself.
const DEPTH: usize = 32;

/// How long after a directory that could not be listed is listed again.
const LIST_AGAIN: Duration = Duration::from_secs(1);

/// The reason to list a directory, which says how far the listing goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// New Rust files in the directory itself.
    Room,
    /// New files in the directory and below.
    Tree,
    /// All files in the directory and below: a build script named it.
    Everything,
}

/// A directory that is listed.
#[derive(Debug)]
pub(super) struct Listed {
    directory: PathBuf,
    reach: Reach,
    searched: Vec<(PathBuf, Option<Snapshot>)>,
    again_at: Option<Instant>,
    pub(super) files: Vec<PathBuf>,
}

impl Listed {
    pub(super) fn new(directory: PathBuf, reach: Reach) -> Listed {
        Listed {
            searched: vec![(directory.clone(), None)],
            directory,
            reach,
            again_at: None,
            files: Vec::new(),
        }
    }

    /// Whether each file here decides about a build, by itself.
    pub(super) fn counts(&self) -> bool {
        self.reach == Reach::Everything
    }

    /// Whether a file is in a directory that is listed here.
    pub(super) fn may_hold(&self, file: &Path) -> bool {
        file.starts_with(&self.directory)
    }

    /// Lists anew if that is due. A listing that fails leaves the names as they were.
    pub(super) fn look(&mut self, sources: &Sources, is_remote: bool, now: Instant) {
        let look = |path: &Path| OsFiles.look(path).ok();
        let is_due = self.again_at.take_if(|at| now >= *at).is_some();
        let looks: Vec<_> = self.searched.iter().map(|(it, _)| look(it)).collect();
        let mut before = self.searched.iter().zip(&looks);
        let has_changed = before.any(|((_, seen), look)| seen != look);
        if !has_changed && !is_due && !is_remote {
            return;
        }
        let depth = if self.reach == Reach::Room { 1 } else { DEPTH };
        let is_wanted = |name: &std::ffi::OsStr, kind: Kind| {
            let name = spelled(name);
            match (kind, self.reach) {
                (Kind::Directory, _) => !name.starts_with('.'),
                (_, Reach::Everything) => true,
                (_, reach) => Sources::may_be_source(&name, reach == Reach::Room),
            }
        };
        match OsFiles.list(&self.directory, depth, &is_wanted) {
            Ok(listing) => {
                self.files = listing.files;
                self.files.retain(|file| !sources.is_outside(file));
                let below = listing.directories.into_iter();
                let below = below.filter(|it| *it != self.directory);
                // What was seen before the listing, so that a change within the listing is one.
                let all = std::iter::once(self.directory.clone()).chain(below);
                let before = std::mem::take(&mut self.searched);
                let known = |path: &PathBuf| before.iter().position(|(it, _)| it == path);
                self.searched = all
                    .map(|path| {
                        (
                            known(&path).map_or_else(|| look(&path), |at| looks[at]),
                            path,
                        )
                    })
                    .map(|(seen, path)| (path, seen))
                    .collect();
                let seen = self.searched.iter().filter_map(|(_, seen)| *seen);
                // A name that came within the tick of the listing left the directory's snapshot as it was.
                let tick = seen.map(|seen| seen.racy_for()).max();
                self.again_at = tick.filter(|_| has_changed).map(|tick| now + tick);
            }
            Err(error) if is_absent(&error) => self.files.clear(),
            Err(_) => self.again_at = Some(now + LIST_AGAIN),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_new_file_below_is_found_and_a_room_has_only_rust() {
        let directory = tempfile::tempdir().unwrap();
        let below = directory.path().join("below");
        fs::create_dir(&below).unwrap();
        let sources = Sources::default();
        let listed = [Reach::Room, Reach::Tree, Reach::Everything];
        let mut listed = listed.map(|it| Listed::new(directory.path().into(), it));
        let mut look = |now| {
            listed.each_mut().map(|it| {
                it.look(&sources, false, now);
                it.files.len()
            })
        };
        let now = Instant::now();
        assert_eq!(look(now), [0, 0, 0]);
        for file in ["a.rs", "b.txt", "c", "below/d.rs"] {
            fs::write(directory.path().join(file), "").unwrap();
        }
        assert_eq!(look(now + LIST_AGAIN), [1, 3, 4]);
        fs::remove_dir_all(&below).unwrap();
        assert_eq!(look(now + LIST_AGAIN * 2), [1, 2, 3]);
    }
}
