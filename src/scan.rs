//! Which artifacts exist: the libraries in a directory. Lists a directory only when it changed since the last
//! listing, and forgets nothing because a listing failed.

use std::ffi::OsStr;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::io;
use std::mem;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::files::{Clock, Files, Locality};
use crate::snapshot::Snapshot;

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

/// Remembers what the directories looked like when they were last listed.
#[derive(Debug)]
pub(crate) struct Scan {
    root: PathBuf,
    depth: usize,
    searched: Vec<(PathBuf, Snapshot)>,
    /// The names of libraries that the root gave before the last listing, summed up so that their order does not matter.
    /// Some may be those of directories, which a listing leaves out.
    names: Option<u64>,
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
            names: None,
            confirm_at: None,
        }
    }

    /// Lists the directory if it, or one below it, changed. `root` is what a look at it just now said.
    ///
    /// On a remote filesystem the names are read in any case, to the end: that is what makes its client ask for them, and
    /// a look at one of them fresh.
    pub(crate) fn changes(
        &mut self,
        now: Instant,
        root: Snapshot,
        locality: Locality,
        files: &impl Files,
        clock: &impl Clock,
    ) -> io::Result<Option<Vec<PathBuf>>> {
        let confirms = self.confirm_at.take_if(|at| now >= *at).is_some();
        let is_local = locality == Locality::Local;
        let names = match is_local || self.depth > 1 {
            true => None,
            false => Some(self.sum_of_names(files)?),
        };
        // Names are only summed up in the root: where there are directories below, all are listed each time.
        let has_names = is_local || names.is_some() && names == self.names;
        if !confirms && has_names && self.is_as_listed(root, files) {
            return Ok(None);
        }
        // Whatever ends this early, the next poll lists again.
        let before = mem::take(&mut self.searched);
        let begun = clock.now();
        let listing = files.list(&self.root, self.depth)?;
        self.searched.push((self.root.clone(), root));
        for directory in listing.directories {
            // One that cannot be looked at any more has changed; its parent's snapshot will say so.
            if let Ok(snapshot) = files.look(&directory) {
                self.searched.push((directory, snapshot));
            }
        }
        // Directories below are looked at after the listing, so what they look like may be newer than it.
        let changed = self.searched != before;
        // Where the names are read at each poll, nothing is left to confirm.
        self.confirm_at = (changed && is_local).then(|| begun + root.racy_for());
        self.names = names;
        Ok(Some(listing.libraries))
    }

    /// The directory could not be looked at. What was listed proves nothing any more.
    pub(crate) fn forget(&mut self) {
        self.searched.clear();
        self.confirm_at = None;
    }

    /// When it wants to be asked again, if before the next poll.
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

fn sum_of(name: &OsStr) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(name)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

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
}
