//! The libraries of the build before, kept so that a key can put them back into their places.
//!
//! What is kept is a second name of the very file that cargo has made: compilers and linkers put a new file in the place of
//! the old one. So it takes no time, and the room of one more build.

use std::io;
use std::mem;
use std::path::{Path, PathBuf};

use replug::shown::shown;
use tempfile::TempPath;

use super::building::Made;
use crate::publish::{link_aside, rename_over};

/// The last build, and the one before it that was live.
#[derive(Default)]
pub(super) struct Earlier {
    now: Option<Round>,
    before: Option<Round>,
}

/// One build: what was made, and second names of that; none if they could not be given.
struct Round {
    made: Made,
    kept: Option<Vec<Kept>>,
}

/// A library under a second name, until this is dropped.
pub(super) struct Kept {
    library: PathBuf,
    name: TempPath,
}

/// Why nothing was put back.
#[derive(Debug, thiserror::Error)]
pub(super) enum CannotGoBack {
    #[error("there is no build before this one to go back to")]
    First,
    #[error("cannot go back: the filesystem of the libraries gives a file no second name")]
    NotKept,
    #[error("cannot go back: the libraries of the build before have other names")]
    Renamed,
    #[error("cannot put `{}` of the build before back", shown(library))]
    Write { library: PathBuf, source: io::Error },
}

impl Earlier {
    /// Takes down a build. The one that was there is what one goes back to, if it `was_live`; from a build that made the
    /// bytes of before nobody wants to go back.
    pub(super) fn built(&mut self, made: &Made, kept: Option<Vec<Kept>>, was_live: bool) {
        if self.now.as_ref().is_some_and(|now| now.made == *made) {
            return;
        }
        let made = made.clone();
        let before = self.now.replace(Round { made, kept });
        if was_live {
            self.before = before;
        }
    }

    /// Whether there is something to go back to.
    pub(super) fn check(&self) -> Result<(), CannotGoBack> {
        let before = self.before.as_ref().ok_or(CannotGoBack::First)?;
        if before.kept.is_none() {
            return Err(CannotGoBack::NotKept);
        }
        let paths =
            |round: &Round| -> Vec<_> { round.made.iter().map(|it| it.0.clone()).collect() };
        match self.now.as_ref().map(paths) == Some(paths(before)) {
            true => Ok(()),
            false => Err(CannotGoBack::Renamed),
        }
    }

    /// Puts the libraries of the build before back into their places, and returns them. The build that was there is then
    /// the one before, if it `was_live`.
    pub(super) fn go_back(&mut self, was_live: bool) -> Result<Made, CannotGoBack> {
        self.check()?;
        let before = self.before.as_ref().ok_or(CannotGoBack::First)?;
        let mut kept = before.kept.iter().flatten();
        kept.try_for_each(Kept::put_back)?;
        let made = before.made.clone();
        mem::swap(&mut self.now, &mut self.before);
        if !was_live {
            self.before = None;
        }
        Ok(made)
    }
}

impl Kept {
    /// Gives a library a second name.
    pub(super) fn of(library: &Path) -> io::Result<Kept> {
        Ok(Kept {
            library: library.to_owned(),
            name: link_aside(library, library)?,
        })
    }

    /// Puts the library back into its place, so that nobody sees half of it.
    fn put_back(&self) -> Result<(), CannotGoBack> {
        let second = link_aside(&self.name, &self.library);
        let put = second.and_then(|second| rename_over(second, &self.library));
        put.map_err(|source| CannotGoBack::Write {
            library: self.library.clone(),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use replug::Digest;

    use super::*;

    /// A build that made the library of these bytes, as a linker does it, after one that `was_live`.
    fn build(earlier: &mut Earlier, library: &Path, bytes: &[u8], was_live: bool) {
        let _ = fs::remove_file(library);
        fs::write(library, bytes).unwrap();
        let kept = vec![Kept::of(library).unwrap()];
        let made = vec![(library.to_owned(), Some(Digest::of(bytes)))];
        earlier.built(&made, Some(kept), was_live);
    }

    #[test]
    fn the_build_before_comes_back_and_the_next_time_the_one_after_it() {
        let directory = tempfile::tempdir().unwrap();
        let library = directory.path().join("liba.so");
        let mut earlier = Earlier::default();
        build(&mut earlier, &library, b"one", true);
        assert!(matches!(earlier.go_back(true), Err(CannotGoBack::First)));
        build(&mut earlier, &library, b"another", true);
        build(&mut earlier, &library, b"another", true);
        for bytes in [&b"one"[..], b"another", b"one"] {
            let made = earlier.go_back(true).unwrap();
            assert_eq!(made[0].1, Some(Digest::of(bytes)));
            assert_eq!(fs::read(&library).unwrap(), bytes);
        }
        drop(earlier);
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
    }

    #[test]
    fn nobody_goes_back_to_a_build_that_was_never_live() {
        let directory = tempfile::tempdir().unwrap();
        let library = directory.path().join("liba.so");
        let mut earlier = Earlier::default();
        build(&mut earlier, &library, b"good", true);
        build(&mut earlier, &library, b"kept out", true);
        build(&mut earlier, &library, b"good too", false);
        earlier.go_back(true).unwrap();
        assert_eq!(fs::read(&library).unwrap(), b"good");
        build(&mut earlier, &library, b"kept out again", true);
        earlier.go_back(false).unwrap();
        assert_eq!(fs::read(&library).unwrap(), b"good");
        assert!(matches!(earlier.go_back(true), Err(CannotGoBack::First)));
    }

    #[test]
    fn what_was_not_kept_or_has_another_name_is_not_put_back() {
        let directory = tempfile::tempdir().unwrap();
        let [library, other] = ["liba.so", "libb.so"].map(|it| directory.path().join(it));
        let mut earlier = Earlier::default();
        earlier.built(&vec![(library.clone(), None)], None, true);
        build(&mut earlier, &library, b"another", true);
        assert!(matches!(earlier.go_back(true), Err(CannotGoBack::NotKept)));
        build(&mut earlier, &other, b"renamed", true);
        assert!(matches!(earlier.go_back(true), Err(CannotGoBack::Renamed)));
        assert_eq!(fs::read(&library).unwrap(), b"another");
    }
}
