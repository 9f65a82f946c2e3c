//! The eyes on the sources: one look at each per poll, through the library's own filesystem. Whether a build follows is
//! for others to say.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use replug::watch::{Files as _, Locality, Names, OsFiles, Stamp};

use super::content::{Content, Source};
use super::listing::{Listed, Reach};
use super::sources::Sources;

/// All sources, as they were last seen.
#[derive(Debug, Default)]
pub(super) struct Eyes {
    sources: Sources,
    files: BTreeMap<PathBuf, Source>,
    directories: Vec<Listed>,
    /// The directories whose names are asked for before the files are looked at, from above to below: a network
    /// filesystem's client that remembers names asks its server then.
    ways: BTreeSet<PathBuf>,
    /// Whether cargo's lock file is left alone, because a build of ours may be writing it.
    is_lock_ours: bool,
}

/// The sources that have changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Saved {
    pub(super) files: Vec<PathBuf>,
    /// The earliest of their write times.
    pub(super) oldest: Option<Stamp>,
}

impl Eyes {
    /// Follows other sources from now on. Of a file that is new to the eyes, what is there now is what was built,
    /// unless the file was written after `since`, when that build began.
    pub(super) fn follow(&mut self, sources: Sources, since: Option<Stamp>, now: Instant) {
        let before = std::mem::replace(&mut self.sources, sources);
        if before == self.sources {
            return;
        }
        let mut reaches = BTreeMap::new();
        let mut reach = |path: &PathBuf, reach: Reach| {
            let entry = reaches.entry(path.clone()).or_insert(reach);
            *entry = reach.max(*entry);
        };
        let sources = &self.sources;
        sources.rooms.iter().for_each(|it| reach(it, Reach::Room));
        sources.trees.iter().for_each(|it| reach(it, Reach::Tree));
        let is_directory = |path: &&PathBuf| path.is_dir();
        let named = sources.named.iter().filter(is_directory);
        named.for_each(|it| reach(it, Reach::Everything));
        let listed = reaches.into_iter();
        self.directories = listed.map(|(it, reach)| Listed::new(it, reach)).collect();
        let above = sources.named.iter().chain(&sources.trees);
        let above = above.filter_map(|path| path.parent());
        self.ways = ways(above.chain(sources.trees.iter().map(PathBuf::as_path)));
        let known: BTreeSet<_> = self.files.keys().cloned().collect();
        let sources = &self.sources;
        let directories = &self.directories;
        self.files.retain(|path, _| {
            let may_be_listed = directories.iter().any(|it| it.may_hold(path));
            may_be_listed || sources.named.contains(path)
        });
        self.look(now);
        for (path, source) in &mut self.files {
            let was_written_since = since.is_some_and(|since| source.modified() >= Some(since));
            if !known.contains(path) && !was_written_since {
                source.built = source.content;
            }
        }
    }

    /// One look at everything. Returns whether a content has changed since the look before.
    pub(super) fn look(&mut self, now: Instant) -> bool {
        for way in &self.ways {
            // A directory that cannot be read is found out by the looks at its files.
            let _ = OsFiles.names(way, &mut |_| {});
        }
        let is_remote = !self.ways.is_empty();
        for listed in &mut self.directories {
            listed.look(&self.sources, is_remote, now);
        }
        let listed = self.directories.iter().flat_map(|it| &it.files);
        for path in self.sources.named.iter().chain(listed) {
            if !self.files.contains_key(path) {
                self.files.insert(path.clone(), Source::new());
            }
        }
        let mut has_changed = false;
        for (path, source) in &mut self.files {
            if !self.is_lock_ours || self.sources.lock.as_ref() != Some(path) {
                has_changed |= source.look(path, is_remote, now);
            }
        }
        has_changed
    }

    /// The changes since a build last began; `None` if there is none that asks for a build.
    pub(super) fn saved(&self) -> Option<Saved> {
        let is_saved = |(path, source): &(&PathBuf, &Source)| {
            source.has_changed() && (self.counts(path) || source.built == Content::Absent)
        };
        let saved: Vec<_> = self.files.iter().filter(is_saved).collect();
        if saved.is_empty() {
            return None;
        }
        Some(Saved {
            oldest: saved.iter().filter_map(|(_, it)| it.modified()).min(),
            files: saved.into_iter().map(|(path, _)| path.clone()).collect(),
        })
    }

    /// Takes the changes since a build last began, because one begins now.
    pub(super) fn take_saved(&mut self) -> Option<Saved> {
        let saved = self.saved()?;
        for source in self.files.values_mut() {
            source.built = source.content;
        }
        Some(saved)
    }

    /// Whether a change of this file decides about a build.
    fn counts(&self, path: &Path) -> bool {
        // Also a file that is listed no more, for it was removed.
        let is_listed = |listed: &Listed| listed.counts() && listed.may_hold(path);
        self.sources.all_count
            || self.sources.named.contains(path)
            || self.directories.iter().any(is_listed)
    }

    /// Whether cargo's lock file was there at the last look at it.
    pub(super) fn has_lock(&self) -> bool {
        let lock = self.sources.lock.as_ref();
        let lock = lock.and_then(|lock| self.files.get(lock));
        lock.is_some_and(|lock| lock.content != Content::Absent)
    }

    /// Leaves cargo's lock file alone while a build of ours may write it.
    pub(super) fn leave_lock(&mut self) {
        self.is_lock_ours = true;
    }

    /// Takes cargo's lock file as the build has left it.
    pub(super) fn take_lock(&mut self, now: Instant) {
        if !std::mem::take(&mut self.is_lock_ours) {
            return;
        }
        let lock = self.sources.lock.as_ref();
        if let Some((lock, source)) = lock.and_then(|it| Some((it, self.files.get_mut(it)?))) {
            source.look(lock, !self.ways.is_empty(), now);
            source.built = source.content;
        }
    }

    /// The time until the next look, after one that took so long: a twentieth of the time at most is spent with
    /// looking.
    pub(super) fn pause(&self, took: Duration, is_busy: bool) -> Duration {
        /// While somebody works: hardly more than the tick of a filesystem's clock.
        const BUSY: Duration = Duration::from_millis(8);
        /// After long quiet, and where others than this system are asked.
        const IDLE: Duration = Duration::from_millis(100);
        const REMOTE: Duration = Duration::from_millis(200);
        const LONGEST: Duration = Duration::from_secs(5);
        let pause = match (self.ways.is_empty(), is_busy) {
            (true, true) => BUSY,
            (true, false) => IDLE,
            (false, _) => REMOTE,
        };
        pause.max((took * 20).min(LONGEST))
    }
}

/// The directories whose names must be asked for before files in `directories` are looked at, from the root of their
/// filesystem on; none on local filesystems.
fn ways<'p>(directories: impl Iterator<Item = &'p Path>) -> BTreeSet<PathBuf> {
    let directories: BTreeSet<_> = directories.collect();
    let mut ways = BTreeSet::new();
    for directory in directories {
        match OsFiles.filesystem(directory) {
            Ok(filesystem) if filesystem.locality == Locality::Local => {}
            Ok(filesystem) if filesystem.names == Names::ByPath => {
                ways.insert(directory.to_owned());
            }
            _ => {
                let device = |path: &Path| OsFiles.look(path).ok().map(|seen| seen.device);
                let own = device(directory);
                let above = directory.ancestors().take_while(|it| device(it) == own);
                ways.extend(above.map(Path::to_owned));
            }
        }
    }
    ways
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A directory `src` with a file that is a source and one that is not, and eyes on it.
    fn followed() -> (tempfile::TempDir, PathBuf, Eyes) {
        let directory = tempfile::tempdir().unwrap();
        let src = directory.path().join("src");
        fs::create_dir(&src).unwrap();
        fs::write(src.join("lib.rs"), "one").unwrap();
        fs::write(src.join("notes.txt"), "one").unwrap();
        let sources = Sources {
            named: [src.join("lib.rs"), directory.path().join("Cargo.lock")].into(),
            trees: [src.clone()].into(),
            lock: Some(directory.path().join("Cargo.lock")),
            ..Sources::default()
        };
        let mut eyes = Eyes::default();
        eyes.follow(sources, None, Instant::now());
        (directory, src, eyes)
    }

    #[track_caller]
    fn assert_saved(eyes: &mut Eyes, files: &[PathBuf]) {
        eyes.look(Instant::now() + Duration::from_secs(3));
        let saved = eyes.take_saved().map(|saved| saved.files);
        assert_eq!(saved.unwrap_or_default(), files);
    }

    #[test]
    fn a_source_counts_and_a_file_that_is_none_counts_only_when_it_is_new() {
        let (_directory, src, mut eyes) = followed();
        assert_saved(&mut eyes, &[]);
        fs::write(src.join("notes.txt"), "two").unwrap();
        assert_saved(&mut eyes, &[]);
        fs::write(src.join("lib.rs"), "two").unwrap();
        assert_saved(&mut eyes, &[src.join("lib.rs")]);
        fs::write(src.join("new.rs"), "").unwrap();
        assert_saved(&mut eyes, &[src.join("new.rs")]);
        fs::write(src.join("new.rs"), "two").unwrap();
        assert_saved(&mut eyes, &[]);
        fs::remove_file(src.join("lib.rs")).unwrap();
        assert_saved(&mut eyes, &[src.join("lib.rs")]);
    }

    #[test]
    fn a_file_that_is_gone_from_a_directory_that_a_build_script_named_counts() {
        let (directory, _src, mut eyes) = followed();
        let data = directory.path().join("data");
        fs::create_dir(&data).unwrap();
        fs::write(data.join("a"), "").unwrap();
        let mut sources = eyes.sources.clone();
        sources.named.insert(data.clone());
        eyes.follow(sources, None, Instant::now());
        assert_saved(&mut eyes, &[]);
        fs::remove_file(data.join("a")).unwrap();
        assert_saved(&mut eyes, &[data.join("a")]);
    }

    #[test]
    fn after_a_build_that_failed_every_file_counts_from_the_state_in_which_the_build_began() {
        let (_directory, src, mut eyes) = followed();
        fs::write(src.join("lib.rs"), "mod other;").unwrap();
        assert_saved(&mut eyes, &[src.join("lib.rs")]);
        fs::write(src.join("notes.txt"), "two").unwrap();
        assert_saved(&mut eyes, &[]);
        let sources = Sources {
            all_count: true,
            ..eyes.sources.clone()
        };
        eyes.follow(sources, None, Instant::now());
        assert_saved(&mut eyes, &[src.join("notes.txt")]);
    }

    #[test]
    fn the_lock_file_that_a_build_writes_is_no_change_and_one_that_somebody_writes_is() {
        let (directory, _src, mut eyes) = followed();
        let lock = directory.path().join("Cargo.lock");
        eyes.leave_lock();
        fs::write(&lock, "one").unwrap();
        assert_saved(&mut eyes, &[]);
        eyes.take_lock(Instant::now());
        assert_saved(&mut eyes, &[]);
        fs::write(&lock, "two").unwrap();
        assert_saved(&mut eyes, &[lock]);
    }

    #[test]
    fn a_file_that_becomes_a_source_counts_if_it_was_written_after_the_build_began() {
        for (since, is_saved) in [(None, false), (Some(Stamp::default()), true)] {
            let (directory, _src, mut eyes) = followed();
            let far = directory.path().join("far.txt");
            fs::write(&far, "").unwrap();
            let mut sources = eyes.sources.clone();
            sources.named.insert(far.clone());
            eyes.follow(sources, since, Instant::now());
            let saved: &[PathBuf] = if is_saved { &[far] } else { &[] };
            assert_saved(&mut eyes, saved);
        }
    }
}
