//! The libraries of the last two builds, kept so that a key can put the earlier ones back into their places.
//!
//! A copy is a file without a name, on the filesystem of its library: it is gone with the program, however that ends. On
//! Windows it has a name for as long.

use std::fs::{self, File, Permissions};
use std::io::{self, Seek as _, Write as _};
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use replug::shown::shown;

use super::building::Made;
use crate::publish::aside;

/// The last two builds that differ.
#[derive(Default)]
pub(super) struct Earlier {
    now: Option<Round>,
    before: Option<Round>,
}

/// One build: what was made, and the copies of that.
struct Round {
    made: Made,
    copies: Copies,
}

/// The copies of what a build made. Whoever makes them holds the lock from before the build is known to have ended.
pub(super) type Copies = Arc<Mutex<Vec<Copy>>>;

/// The copy of a library.
pub(super) struct Copy {
    library: PathBuf,
    permissions: Permissions,
    bytes: File,
}

/// Why nothing was put back.
#[derive(Debug, thiserror::Error)]
pub(super) enum CannotGoBack {
    #[error("there is no build before this one to go back to")]
    First,
    #[error("cannot go back: the libraries of the build before could not be kept")]
    NotKept,
    #[error("cannot put {} of the build before back", shown(library))]
    Write { library: PathBuf, source: io::Error },
}

impl Earlier {
    /// Takes down a build. From one that made the bytes of before nobody wants to go back.
    pub(super) fn built(&mut self, made: &Made, copies: Copies) {
        if self.now.as_ref().is_none_or(|now| now.made != *made) {
            let made = made.clone();
            self.before = self.now.replace(Round { made, copies });
        }
    }

    /// Puts the libraries of the build before back into their places, and returns them. The build that was there is then
    /// the one before.
    pub(super) fn go_back(&mut self) -> Result<Made, CannotGoBack> {
        let before = self.before.as_ref().ok_or(CannotGoBack::First)?;
        let copies = before.copies.lock().unwrap_or_else(PoisonError::into_inner);
        if copies.len() < before.made.len() {
            return Err(CannotGoBack::NotKept);
        }
        copies.iter().try_for_each(Copy::put_back)?;
        drop(copies);
        let made = before.made.clone();
        mem::swap(&mut self.now, &mut self.before);
        Ok(made)
    }
}

impl Copy {
    /// Copies a library, whose bytes these are.
    pub(super) fn of(library: &Path, bytes: &[u8]) -> io::Result<Copy> {
        let directory = library.parent().unwrap_or(Path::new("."));
        let mut copy = tempfile::tempfile_in(directory)?;
        copy.write_all(bytes)?;
        Ok(Copy {
            library: library.to_owned(),
            permissions: fs::metadata(library)?.permissions(),
            bytes: copy,
        })
    }

    /// Puts the copy into the library's place, so that nobody sees half of it.
    fn put_back(&self) -> Result<(), CannotGoBack> {
        let put = || {
            let mut aside = aside(&self.library)?;
            let mut bytes = &self.bytes;
            bytes.rewind()?;
            io::copy(&mut bytes, &mut aside)?;
            aside.as_file().set_permissions(self.permissions.clone())?;
            aside.persist(&self.library).map_err(|failed| failed.error)
        };
        put().map(drop).map_err(|source| CannotGoBack::Write {
            library: self.library.clone(),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use replug::Digest;

    use super::*;

    /// A build that made the library of these bytes.
    fn build(earlier: &mut Earlier, library: &Path, bytes: &[u8]) {
        fs::write(library, bytes).unwrap();
        let copies = vec![Copy::of(library, bytes).unwrap()];
        let made = vec![(library.to_owned(), Some(Digest::of(bytes)))];
        earlier.built(&made, Arc::new(Mutex::new(copies)));
    }

    #[test]
    fn the_build_before_comes_back_and_the_next_time_the_one_after_it() {
        let directory = tempfile::tempdir().unwrap();
        let library = directory.path().join("liba.so");
        let mut earlier = Earlier::default();
        build(&mut earlier, &library, b"one");
        assert!(matches!(earlier.go_back(), Err(CannotGoBack::First)));
        build(&mut earlier, &library, b"another");
        build(&mut earlier, &library, b"another");
        for bytes in [&b"one"[..], b"another", b"one"] {
            let made = earlier.go_back().unwrap();
            assert_eq!(made[0].1, Some(Digest::of(bytes)));
            assert_eq!(fs::read(&library).unwrap(), bytes);
        }
        // There a file has its name until it is closed.
        #[cfg(windows)]
        drop(earlier);
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
    }

    #[test]
    fn what_was_not_kept_is_not_put_back() {
        let directory = tempfile::tempdir().unwrap();
        let library = directory.path().join("liba.so");
        let mut earlier = Earlier::default();
        let made = vec![(library.clone(), None)];
        earlier.built(&made, Copies::default());
        build(&mut earlier, &library, b"another");
        assert!(matches!(earlier.go_back(), Err(CannotGoBack::NotKept)));
        assert_eq!(fs::read(&library).unwrap(), b"another");
    }
}
