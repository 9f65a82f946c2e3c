//! What directories said of their names in one poll. Thousands of artifacts can share a directory, and its names are to
//! be read once and not once for each. Forgets everything at the next poll, but keeps the room for it, so that idle
//! polls allocate nothing.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::Path;

use super::files::Files;

/// Of each name only a hash of 64 bits is kept. Nobody can guess the keys, so that two names have the same hash by chance
/// only, and that hardly ever; the names themselves would take more room.
#[derive(Debug, Default)]
pub(crate) struct Names {
    keys: RandomState,
    /// The directories that were asked, so that looks at what they name are fresh.
    asked: HashSet<u64>,
    /// Those whose names are known, and the names together with their directories.
    known: HashSet<u64>,
    names: HashSet<u64>,
}

impl Names {
    /// Forgets all of it, for the next poll.
    pub(crate) fn forget(&mut self) {
        self.asked.clear();
        self.known.clear();
        self.names.clear();
    }

    /// Takes down that a directory is asked. Says whether that is the first time in this poll.
    pub(crate) fn ask(&mut self, directory: &Path) -> bool {
        self.asked.insert(self.keys.hash_one(directory.as_os_str()))
    }

    /// Whether `directory` names this, by what it said when it was first asked about any name in this poll.
    pub(crate) fn has(
        &mut self,
        directory: &Path,
        name: &OsStr,
        files: &impl Files,
    ) -> io::Result<bool> {
        let keys = &self.keys;
        let place = keys.hash_one(directory.as_os_str());
        if !self.known.contains(&place) {
            let mut keep = |name: &OsStr| {
                self.names.insert(keys.hash_one((place, name)));
            };
            files.names(directory, &mut keep)?;
            self.known.insert(place);
        }
        Ok(self.names.contains(&keys.hash_one((place, name))))
    }
}
