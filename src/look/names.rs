//! The names in directories, as read in one poll. Thousands of artifacts can share a directory, and its names are
//! read once, not once for each artifact. The next poll forgets all names but keeps the room for them, so that idle
//! polls allocate nothing.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::Path;
use std::time::Instant;

use replug_plugin::shown::shown;

use super::files::{self, Files, is_absent};
use super::snapshot::Kind;
use super::way::{Step, directory_of};

/// The answer of a directory that was asked for its names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The directory is there, on this device, and names in it are fresh.
    Fresh(u64),
    /// There is no such directory, so nothing below it either.
    Absent,
    /// The directory above names no such directory any more, whatever the client still finds there.
    Struck,
    /// Something else is there: a symbolic link by now, say.
    Other,
}

/// The hashes of names. Of each name only 64 bits are kept; the names themselves would take more room. Nobody can
/// guess the keys of the hash, so two names have one hash only by chance, and hardly ever.
#[derive(Debug, Default)]
pub(crate) struct KnownNames {
    keys: RandomState,
    /// The directories that were asked in this poll, so that looks at the files in them are fresh.
    asked: HashMap<u64, Answer>,
    /// The directories whose names are known, and the names, each hashed together with its directory.
    known: HashSet<u64>,
    names: HashSet<u64>,
}

impl KnownNames {
    /// Forgets everything, for the next poll.
    pub(crate) fn forget(&mut self) {
        self.asked.clear();
        self.known.clear();
        self.names.clear();
    }

    /// Takes down that a directory on this device was asked in this poll.
    pub(crate) fn has_asked(&mut self, directory: &Path, device: u64) {
        let place = self.keys.hash_one(directory.as_os_str());
        self.asked.insert(place, Answer::Fresh(device));
    }

    /// Takes down that one of the directories above is named no more.
    pub(crate) fn is_struck(&mut self, directory: &Path) {
        let place = self.keys.hash_one(directory.as_os_str());
        self.asked.insert(place, Answer::Struck);
    }

    /// Makes the filesystem's client ask its server for the names in a directory on the way, unless that was done in
    /// this poll. The names on the way to the directory must have been asked for before.
    pub(crate) fn ask(
        &mut self,
        step: &mut Step,
        now: Instant,
        files: &impl Files,
    ) -> io::Result<Answer> {
        let place = self.keys.hash_one(step.directory.as_os_str());
        if let Some(answer) = self.asked.get(&place) {
            return Ok(*answer);
        }
        if step.asked == files::Names::ByListing {
            files.ask_for_name(&step.directory);
        }
        // The look makes the client notice that the names it remembers are old.
        let look = files.look_link(&step.directory);
        let can_rest = matches!(&look, Ok(seen) if step.can_rest(seen));
        let is_tick_over = matches!(&look, Ok(seen) if step.is_tick_over(*seen, now));
        let answer = match look {
            Ok(_) if self.has_struck(&step.directory, &mut step.was_named) => Answer::Struck,
            Ok(seen) => match seen.kind {
                Kind::Directory => Answer::Fresh(seen.device),
                Kind::Link => Answer::Other,
                _ => Answer::Absent,
            },
            Err(error) if is_absent(&error) => Answer::Absent,
            Err(error) => return Err(error),
        };
        let read = match (answer, step.asked) {
            (Answer::Fresh(_), files::Names::ByListing) if is_tick_over || !can_rest => {
                let read = self.read(&step.directory, files);
                read.map(|count| step.names = count)
            }
            (Answer::Fresh(_), files::Names::ByLook) if is_tick_over => {
                files.names(&step.directory, &mut |_| {})
            }
            (Answer::Fresh(_), files::Names::ByPath) => files.names(&step.directory, &mut |_| {}),
            _ => Ok(()),
        };
        if let Err(error) = read {
            // A refusal says nothing against the looks: to walk through a directory takes another right than to list it.
            // It seldom passes, so the names are not asked for in each poll.
            match error.kind() {
                io::ErrorKind::PermissionDenied => step.note_refused(now),
                _ => step.note_unread(),
            }
            let directory = shown(&step.directory);
            tracing::debug!(%directory, %error, "its names cannot be asked for");
        }
        self.asked.insert(place, answer);
        Ok(answer)
    }

    /// Whether `directory` holds `name`, by the names that were read when the directory was first asked for any name
    /// in this poll.
    pub(crate) fn has(
        &mut self,
        directory: &Path,
        name: &OsStr,
        files: &impl Files,
    ) -> io::Result<bool> {
        let place = self.keys.hash_one(directory.as_os_str());
        if self.asked.get(&place) == Some(&Answer::Struck) {
            return Ok(false);
        }
        if !self.known.contains(&place) {
            self.read(directory, files)?;
        }
        Ok(self.names.contains(&self.keys.hash_one((place, name))))
    }

    /// Whether the directory of `path`, if its names were read in this poll, named the path once, which is taken down
    /// in `was_named`, and does not any more.
    ///
    /// A client that remembers a name goes on finding what the name led to, and no look tells that it is gone: only the
    /// list of names does. A path that was never named may be spelled in another way than its directory spells it, where
    /// capitals do not count.
    pub(crate) fn has_struck(&self, path: &Path, was_named: &mut bool) -> bool {
        let place = self.keys.hash_one(directory_of(path).as_os_str());
        let Some(name) = path.file_name().filter(|_| self.known.contains(&place)) else {
            return false;
        };
        let is_named = self.names.contains(&self.keys.hash_one((place, name)));
        *was_named |= is_named;
        *was_named && !is_named
    }

    /// Reads the names in a directory, and counts them.
    fn read(&mut self, directory: &Path, files: &impl Files) -> io::Result<usize> {
        let keys = &self.keys;
        let place = keys.hash_one(directory.as_os_str());
        let mut count = 0;
        let mut keep = |name: &OsStr| {
            count += 1;
            self.names.insert(keys.hash_one((place, name)));
        };
        files.names(directory, &mut keep)?;
        self.known.insert(place);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use super::*;
    use crate::look::files::Listing;
    use crate::look::machine::OsFiles;
    use crate::look::place::Place;
    use crate::look::snapshot::Snapshot;
    use crate::look::way::Way;
    use crate::options::Options;

    /// Files of this machine, as if on NFS; the names cannot be read the first times.
    struct Unreadable {
        failures: Cell<usize>,
        readings: Cell<usize>,
    }

    impl Files for Unreadable {
        type Artifact = <OsFiles as Files>::Artifact;
        type Directory = <OsFiles as Files>::Directory;

        fn look(&self, path: &Path) -> io::Result<Snapshot> {
            OsFiles.look(path)
        }

        fn look_open(&self, artifact: &Self::Artifact) -> io::Result<Snapshot> {
            OsFiles.look_open(artifact)
        }

        fn open(&self, path: &Path) -> io::Result<Self::Artifact> {
            OsFiles.open(path)
        }

        fn names(&self, directory: &Path, each: &mut dyn FnMut(&OsStr)) -> io::Result<()> {
            if self.failures.get() > 0 {
                self.failures.set(self.failures.get() - 1);
                return Err(io::ErrorKind::StaleNetworkFileHandle.into());
            }
            self.readings.set(self.readings.get() + 1);
            OsFiles.names(directory, each)
        }

        fn list(
            &self,
            directory: &Path,
            depth: usize,
            is_wanted: &dyn Fn(&OsStr, Kind) -> bool,
        ) -> io::Result<Listing> {
            OsFiles.list(directory, depth, is_wanted)
        }

        fn filesystem(&self, _path: &Path) -> io::Result<files::Filesystem> {
            Ok(files::Filesystem {
                names: files::Names::ByLook,
                ..files::Filesystem::unknown()
            })
        }
    }

    #[test]
    fn names_that_could_not_be_read_are_read_once_more() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("libx.so");
        let files = Unreadable {
            failures: Cell::new(2),
            readings: Cell::new(0),
        };
        let options = Options::new(&path);
        let place = Place::on(files.filesystem(&path).unwrap(), &options);
        let mut way = Way::default();
        way.learn(&path, true, &place, &options, &files).unwrap();
        let step = way.steps().last_mut().unwrap();
        let mut names = KnownNames::default();
        let start = Instant::now();
        let mut ask = |milliseconds| {
            names.forget();
            let now = start + Duration::from_millis(milliseconds);
            names.ask(step, now, &files).unwrap();
            files.readings.get()
        };
        let readings: Vec<_> = [0, 1, 2, 60_000, 60_001]
            .into_iter()
            .map(&mut ask)
            .collect();
        // Read when the failures are over, and once when the tick is over; never again.
        assert_eq!(readings[..3], [0, 0, 1]);
        assert!(
            readings[4] <= 2 && readings[3] == readings[4],
            "{readings:?}"
        );
    }

    #[test]
    fn a_name_that_was_listed_and_is_listed_no_more_is_struck() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("libx.so");
        let (mut names, mut was_named) = (KnownNames::default(), false);
        let mut has_struck = |names: &mut KnownNames| {
            names.forget();
            names.read(scratch.path(), &OsFiles).unwrap();
            names.has_struck(&path, &mut was_named)
        };
        assert!(!has_struck(&mut names), "it never was listed");
        std::fs::write(&path, "").unwrap();
        assert!(!has_struck(&mut names), "it is listed");
        std::fs::remove_file(&path).unwrap();
        assert!(has_struck(&mut names), "whatever a client still finds");
        names.forget();
        assert!(!names.has_struck(&path, &mut true), "nobody has listed it");
    }
}
