//! The ground on which everything happens: the directories from the root of the mount down to what is watched.

use std::path::{Path, PathBuf};

use crate::world::{LINK, MOUNT};

/// The names of the directories below the root of the mount.
const NAMES: [&str; 3] = ["a", "b", "c"];

/// The most directories between the root of the mount and the libraries, the innermost one included.
pub const DEEPEST: usize = NAMES.len();

/// The directories on the way. Level 0 is the root of the mount; the libraries are in the directory at `depth`.
#[derive(Debug, Clone)]
pub struct Ground {
    pub depth: usize,
    /// Whether the mount is reached through a link on the client's own disk.
    pub is_linked_to: bool,
    /// The level whose name is a link to a directory beside it.
    pub linked: Option<usize>,
    /// The first level that is not there at the start.
    pub late: Option<usize>,
    /// The libraries' names, and whether each is a link through a link, as Kubernetes makes them.
    pub libraries: Vec<String>,
    pub is_linked: bool,
    /// The directory that the link leads to now, and the levels at which other filesystems are mounted.
    pub link_target: String,
    pub covered: Vec<usize>,
}

impl Ground {
    /// The path of a level, by its usual names.
    pub fn path(&self, level: usize) -> PathBuf {
        let root = PathBuf::from(if self.is_linked_to { LINK } else { MOUNT });
        let names = NAMES[..level].iter();
        names.fold(root, |path, name| path.join(name))
    }

    /// The directory that holds the libraries.
    pub fn directory(&self) -> PathBuf {
        self.path(self.depth)
    }

    pub fn artifacts(&self) -> Vec<PathBuf> {
        let directory = self.directory();
        let names = self.libraries.iter();
        names.map(|name| directory.join(name)).collect()
    }

    pub fn name(level: usize) -> &'static str {
        NAMES[level - 1]
    }

    /// The path of a level with its last name not a link.
    pub fn real(&self, level: usize) -> PathBuf {
        let path = self.path(level);
        match self.linked == Some(level) {
            true => path.with_file_name(&self.link_target),
            false => path,
        }
    }

    pub fn is_covered(&self) -> bool {
        !self.covered.is_empty()
    }

    /// The highest level that can be replaced: those at and above a mount are busy.
    pub fn highest(&self) -> usize {
        self.covered.iter().max().map_or(1, |level| level + 1)
    }
}

/// The directory above a path.
pub fn above(path: &Path) -> PathBuf {
    path.parent().unwrap_or(path).to_owned()
}
