//! The half of the [`Poller`] for a directory of libraries: which there are, what it means that the directory or what is
//! mounted there is gone, and each of its artifacts in turn. Nothing is ever removed because of a listing.

use std::collections::HashSet;
use std::io;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::Poller;
use crate::absence::Absence;
use crate::artifact::{Artifact, Shared};
use crate::change::Waiting;
use crate::error::Error;
use crate::files::{Clock, Files, Locality};
use crate::scan::Scan;
use crate::settle::LOOK_AGAIN;
use crate::snapshot::{Kind, Snapshot};
use crate::trouble::{Cause, Reached, Trouble, is_absent};
use crate::update::News;

impl<F: Files, C: Clock> Poller<F, C> {
    /// The path is a directory of libraries, or was one when it was last seen.
    pub(super) fn poll_directory(&mut self, now: Instant) -> Option<Instant> {
        let pauses = self
            .trouble
            .as_deref()
            .and_then(|trouble| trouble.pauses_until(now));
        if let Some(until) = pauses {
            return Some(until);
        }
        self.shared.begin_look();
        let root = match self.shared.files.look(&self.root) {
            Ok(root) => root,
            Err(error) if is_absent(&error) => return self.directory_is_gone(now),
            Err(source) => {
                // What was listed proves nothing any more.
                self.scan.iter_mut().for_each(Scan::forget);
                let (cause, path) = (Cause::from(&source), self.root.to_path_buf());
                return Some(self.fail(now, cause, Error::Look { path, source }));
            }
        };
        if root.kind != Kind::Directory {
            self.become_file();
            return self.poll_file(now);
        }
        let listed = self.rescan(now, root);
        let has_moved = self.device.is_some_and(|before| before != root.device);
        if has_moved && self.is_moving(root) {
            // Mounted or unmounted between the two, so that the names are not of that device. Nothing follows.
            return Some(now + LOOK_AGAIN);
        }
        if has_moved && matches!(&listed, Ok(Some(listed)) if self.is_mount_lost(listed)) {
            let path = self.root.to_path_buf();
            return Some(self.fail(now, Cause::MountLost, Error::MountLost { path }));
        }
        let again = match listed {
            Ok(listed) => {
                self.notice_device(root.device);
                if self.absence.ends() {
                    self.shared.outbox.say(&self.root, News::Returned);
                }
                self.recovered(now);
                listed.into_iter().for_each(|listed| self.add(listed));
                None
            }
            Err(source) => {
                let (cause, path) = (Cause::from(&source), self.root.to_path_buf());
                let again = self.fail(now, cause, Error::List { path, source });
                if has_moved {
                    // Whether it is the same place at all is not known.
                    return Some(again);
                }
                Some(again)
            }
        };
        let followed = self.follow_all(now);
        let confirmation = self.scan.as_ref().and_then(Scan::wants);
        [again, followed, confirmation].into_iter().flatten().min()
    }

    /// Looks at each artifact, beginning where the last poll had to stop. Says when the first of them wants to be looked
    /// at again.
    fn follow_all(&mut self, now: Instant) -> Option<Instant> {
        let mut wanted: Option<Instant> = None;
        let count = self.artifacts.len();
        let first = mem::take(&mut self.turn);
        let directory = match self.shared.locality {
            Locality::Local => self.shared.files.open_directory(&self.root, count),
            // There each artifact is opened by its path, for the sake of asking.
            Locality::Remote => None,
        };
        for offset in 0..count {
            let index = (first + offset) % count;
            let artifact = &mut self.artifacts[index];
            let until = match artifact.pauses_until(now) {
                Some(until) => Some(until),
                None => {
                    let look = artifact.look(&mut self.shared, directory.as_ref());
                    artifact.follow(now, look, &mut self.shared)
                }
            };
            self.note(index);
            wanted = [wanted, until].into_iter().flatten().min();
            if self.shared.is_out_of_readings() {
                // The next poll is due at once, and goes on here. How the others are is as it was.
                self.turn = index;
                (0..count).for_each(|index| self.note(index));
                return Some(now);
            }
        }
        wanted
    }

    /// Whether the root is on another device by now than this look at it said.
    fn is_moving(&self, root: Snapshot) -> bool {
        let again = self.shared.files.look(&self.root);
        again.is_ok_and(|again| again.device != root.device)
    }

    /// An unmounted filesystem leaves an empty directory on another device. That is not a removal.
    fn is_mount_lost(&self, listed: &[PathBuf]) -> bool {
        listed.is_empty() && self.artifacts.iter().any(Artifact::has_decided)
    }

    fn directory_is_gone(&mut self, now: Instant) -> Option<Instant> {
        // Should it return, nothing is known of it.
        self.scan.iter_mut().for_each(Scan::forget);
        self.recovered(now);
        if self.absence.lasts(now) {
            self.shared.outbox.say(&self.root, News::Missing);
        }
        None
    }

    pub(super) fn become_directory(&mut self) {
        let depth = self.shared.options.depth;
        self.scan = Some(Scan::new(self.root.to_path_buf(), depth));
        // What was said of the path as a file holds for the directory, or is over.
        if let [artifact] = self.artifacts.as_slice() {
            self.is_empty = artifact.is_idle();
            if artifact.is_degraded() {
                self.shared.outbox.say(&self.root, News::Recovered);
            }
        }
        self.artifacts.clear();
    }

    fn become_file(&mut self) {
        self.scan = None;
        if self
            .trouble
            .take()
            .is_some_and(|trouble| trouble.has_degraded())
        {
            self.shared.outbox.say(&self.root, News::Recovered);
        }
        self.absence = Absence::default();
        self.artifacts = vec![Artifact::named(Arc::clone(&self.root))];
    }

    /// Lists the directory if that is called for.
    fn rescan(&mut self, now: Instant, root: Snapshot) -> io::Result<Option<Vec<PathBuf>>> {
        let Some(scan) = &mut self.scan else {
            return Ok(None);
        };
        if self.device.is_some_and(|before| before != root.device) {
            scan.forget();
        }
        let Shared {
            files,
            clock,
            locality,
            ..
        } = &self.shared;
        let listed = scan.changes(now, root, *locality, files, clock)?;
        if *locality == Locality::Remote {
            self.shared.has_listed(&self.root);
        }
        Ok(listed)
    }

    /// The directory cannot be looked at or listed. Nothing follows from that for what was known of it. Says when to try
    /// again.
    fn fail(&mut self, now: Instant, cause: Cause, error: Error) -> Instant {
        let trouble = Trouble::go_on(&mut self.trouble, Reached::Look, now);
        let is_news = trouble.is_news(now, cause);
        let again = self.shared.look_again(trouble);
        if is_news {
            self.shared.outbox.say(&self.root, News::Degraded(error));
        }
        again
    }

    fn recovered(&mut self, now: Instant) {
        let Some(trouble) = &mut self.trouble else {
            return;
        };
        if !trouble.is_over(now, Reached::Look) {
            return;
        }
        let overcome = self.trouble.take();
        if overcome.is_some_and(|trouble| trouble.has_degraded()) {
            self.shared.outbox.say(&self.root, News::Recovered);
        }
    }

    /// Takes up what a listing names, and lets go of what it does not name and nothing ever came of. Nothing else is ever
    /// taken off the list because of a listing: each artifact finds out for itself that it is gone.
    fn add(&mut self, listed: Vec<PathBuf>) {
        let is_empty = listed.is_empty() && self.artifacts.is_empty();
        if is_empty && !self.is_empty {
            self.shared
                .outbox
                .say(&self.root, News::Waiting(Waiting::Missing));
        }
        self.is_empty = is_empty;
        let named: HashSet<&Path> = listed.iter().map(PathBuf::as_path).collect();
        self.artifacts
            .retain(|artifact| !artifact.is_idle() || named.contains(&**artifact.path()));
        let known: HashSet<Arc<Path>> = self
            .artifacts
            .iter()
            .map(|artifact| Arc::clone(artifact.path()))
            .collect();
        let new = listed
            .into_iter()
            .filter(|path| !known.contains(path.as_path()));
        self.artifacts
            .extend(new.map(|path| Artifact::listed(path.into())));
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::cell::Cell;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::rc::Rc;
    use std::time::Duration;

    use super::*;
    use crate::machine::OsFiles;
    use crate::options::Options;
    use crate::stage::StageDirectory;

    /// A clock that stands still until it is moved.
    #[derive(Clone)]
    struct Hands(Rc<Cell<Instant>>);

    impl Clock for Hands {
        fn now(&self) -> Instant {
            self.0.get()
        }
    }

    #[track_caller]
    fn poll_until(
        poller: &mut Poller<OsFiles, Hands>,
        hands: &Hands,
        is_so: impl Fn(&Poller<OsFiles, Hands>) -> bool,
    ) {
        for _ in 0..100 {
            hands.0.set(hands.now() + Duration::from_millis(100));
            poller.poll(hands.now());
            if is_so(poller) {
                return;
            }
        }
        panic!("it never is so: {poller:?}");
    }

    #[test]
    fn a_poll_that_stops_early_leaves_the_troubles_of_the_rest_as_they_are() {
        let scratch = tempfile::tempdir().unwrap();
        let watched = scratch.path().join("watched");
        fs::create_dir(&watched).unwrap();
        let paths: Vec<PathBuf> = (0..100)
            .map(|number| watched.join(format!("liba{number:03}.so")))
            .collect();
        let replace_all = |content: &str| {
            for path in &paths {
                let new = scratch.path().join("new");
                fs::write(&new, content).unwrap();
                fs::rename(new, path).unwrap();
            }
        };
        replace_all("no library");
        symlink("libz.so", watched.join("libz.so")).unwrap();
        let files = OsFiles::new(StageDirectory::new(Some(scratch.path())).unwrap());
        let hands = Hands(Rc::new(Cell::new(Instant::now())));
        let mut poller = Poller::with(Options::new(&watched), files, hands.clone());
        poll_until(&mut poller, &hands, |poller| {
            let decided = poller.artifacts.iter().filter(|each| each.has_decided());
            poller.is_degraded && decided.count() == paths.len()
        });
        replace_all("no library either");
        poll_until(&mut poller, &hands, |poller| poller.turn > 0);
        assert!(poller.is_degraded, "nobody has looked at the link again");
    }
}
