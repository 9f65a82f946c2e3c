//! Which artifacts exist: the libraries in a directory. Lists a directory only when it changed since the last
//! listing, and forgets nothing because a listing failed.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use walkdir::WalkDir;

use crate::error::Error;
use crate::files::{Clock, Files};
use crate::snapshot::Snapshot;

/// What a directory holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// The libraries, by name, in order.
    pub libraries: Vec<PathBuf>,
    /// The directories that were searched below the one asked for.
    pub directories: Vec<PathBuf>,
}

/// Whether a file of this name in a watched directory is an artifact: `lib*.so`, `lib*.dylib` or `*.dll` by
/// system. Hidden and temporary names (`.nfs...`, `.fuse_hidden...`, `libx.so.tmp`) are not.
pub(crate) fn is_library_name(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    let middle = name
        .strip_prefix(std::env::consts::DLL_PREFIX)
        .and_then(|rest| rest.strip_suffix(std::env::consts::DLL_SUFFIX));
    middle.is_some_and(|middle| !middle.is_empty() && !name.starts_with('.'))
}

/// The plugin's name, made from its artifact's: `plugin01` for `target/debug/libplugin01.so`.
pub fn plugin_name(artifact: &Path) -> String {
    let stem = artifact
        .file_stem()
        .unwrap_or(artifact.as_os_str())
        .to_string_lossy();
    let prefix = std::env::consts::DLL_PREFIX;
    match stem.strip_prefix(prefix) {
        Some(name) if !name.is_empty() => name.to_owned(),
        _ => stem.into_owned(),
    }
}

/// Lists the libraries in `directory`, `depth` levels deep; links to directories are not followed.
///
/// Names that vanish while being listed are left out. Any other failure fails the listing, for a partial one
/// would look like removals.
pub(crate) fn list(directory: &Path, depth: usize) -> io::Result<Listing> {
    let mut listing = Listing::default();
    for entry in WalkDir::new(directory)
        .min_depth(1)
        .max_depth(depth)
        .sort_by_file_name()
    {
        match entry {
            Ok(entry) if entry.file_type().is_dir() => {
                // A directory at the last level is not searched, so its changes are none of ours.
                if entry.depth() < depth {
                    listing.directories.push(entry.into_path());
                }
            }
            Ok(entry) if is_library_name(entry.file_name()) => {
                listing.libraries.push(entry.into_path());
            }
            Ok(_) => {}
            Err(error) if error.depth() > 0 && is_gone(&error) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(listing)
}

fn is_gone(error: &walkdir::Error) -> bool {
    error
        .io_error()
        .is_some_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// Remembers what the directories looked like when they were last listed.
#[derive(Debug)]
pub(crate) struct Scan {
    root: PathBuf,
    depth: usize,
    searched: Vec<(PathBuf, Snapshot)>,
    /// When to list once more although nothing seems to have changed: a name added within one timestamp tick
    /// of the listing leaves the directory's snapshot as it was.
    confirm_at: Option<Instant>,
}

impl Scan {
    pub(crate) fn new(root: PathBuf, depth: usize) -> Scan {
        Scan {
            root,
            depth,
            searched: Vec::new(),
            confirm_at: None,
        }
    }

    /// Lists the directory if it, or one below it, changed. `root` is what a look at it just now said.
    pub(crate) fn changes(
        &mut self,
        now: Instant,
        root: Snapshot,
        files: &impl Files,
        clock: &impl Clock,
    ) -> Result<Option<Vec<PathBuf>>, Error> {
        let confirm = self.confirm_at.is_some_and(|at| now >= at);
        let changed = !self.is_as_listed(root, files);
        if !changed && !confirm {
            return Ok(None);
        }
        let failed = |source| Error::List {
            path: self.root.clone(),
            source,
        };
        let begun = clock.now();
        let listing = files.list(&self.root, self.depth).map_err(failed)?;
        self.searched.clear();
        self.searched.push((self.root.clone(), root));
        for directory in listing.directories {
            // One that cannot be looked at any more has changed; its parent's snapshot will say so.
            if let Ok(snapshot) = files.look(&directory) {
                self.searched.push((directory, snapshot));
            }
        }
        self.confirm_at = changed.then(|| begun + root.racy_for());
        Ok(Some(listing.libraries))
    }

    /// When it wants to be asked again, if before the next poll.
    pub(crate) fn wants(&self) -> Option<Instant> {
        self.confirm_at
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn only_finished_visible_library_names_are_artifacts() {
        for name in ["libplugin01.so", "libx-0123abcd.so", "lib.x.so"] {
            assert!(is_library_name(OsStr::new(name)), "{name}");
        }
        for name in [
            "lib.so",
            "plugin01.so",
            "libx.so.tmp",
            "libx.so.1",
            "libx.a",
            ".libx.so",
            ".nfs0001",
            ".fuse_hidden0001",
            "libx.rlib",
            "libx.d",
        ] {
            assert!(!is_library_name(OsStr::new(name)), "{name}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_listing_goes_as_deep_as_it_was_told_and_names_what_it_searched() {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path();
        fs::create_dir_all(root.join("a/b")).unwrap();
        for name in ["libtop.so", "a/libmiddle.so", "a/b/libdeep.so", "notes.txt"] {
            fs::write(root.join(name), "").unwrap();
        }
        let shallow = list(root, 1).unwrap();
        assert_eq!(shallow.libraries, [root.join("libtop.so")]);
        assert!(shallow.directories.is_empty());
        let deeper = list(root, 2).unwrap();
        assert_eq!(
            deeper.libraries,
            [root.join("a/libmiddle.so"), root.join("libtop.so")]
        );
        assert_eq!(deeper.directories, [root.join("a")]);
    }

    #[test]
    fn a_directory_that_is_not_there_fails_the_listing() {
        let scratch = tempfile::tempdir().unwrap();
        assert!(list(&scratch.path().join("nowhere"), 1).is_err());
    }
}
