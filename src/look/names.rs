//! The names in directories, as read in one poll. Thousands of artifacts can share a directory, and its names are
//! read once, not once for each artifact. The next poll forgets all names but keeps the room for them, so that idle
//! polls allocate nothing.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::Path;

use super::files::Files;

/// The hashes of names. Of each name only 64 bits are kept; the names themselves would take more room. Nobody can
/// guess the keys of the hash, so two names have one hash only by chance, and hardly ever.
#[derive(Debug, Default)]
pub(crate) struct Names {
    keys: RandomState,
    /// The directories that were asked, so that looks at the files in them are fresh.
    asked: HashSet<u64>,
    /// The directories whose names are known, and the names, each hashed together with its directory.
    known: HashSet<u64>,
    names: HashSet<u64>,
}

impl Names {
    /// Forgets everything, for the next poll.
    pub(crate) fn forget(&mut self) {
        self.asked.clear();
        self.known.clear();
        self.names.clear();
    }

    /// Takes down that a directory is asked. Says whether that is the first time in this poll.
    pub(crate) fn ask(&mut self, directory: &Path) -> bool {
        self.asked.insert(self.keys.hash_one(directory.as_os_str()))
    }

    /// Whether `directory` holds `name`, by the names that were read when the directory was first asked for any name
    /// in this poll.
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
