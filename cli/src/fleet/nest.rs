//! `Nest`: what a mirror keeps in the directory that it publishes to: its lock, the manifest that it follows, and builds that
//! it has got, whole or in part. No name in it is that of a library.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use replug::Digest;
use replug::shown::shown;

use super::manifest::Manifest;
use super::refused::Refused;
use super::sealed::reopen;

/// The directory in the directory that hosts watch.
const NAME: &str = ".replug-mirror";

/// The manifest that is followed, as it came.
const FOLLOWED: &str = "followed";

const LOCK: &str = "lock";

/// What is behind the digest in the name of a build that is whole, of one that is not, and of a signature.
const WHOLE: &str = ".build";
const PART: &str = ".part";

/// The directory of a mirror, which no other mirror uses.
pub(crate) struct Nest {
    /// The directory that hosts watch.
    directory: PathBuf,
    path: PathBuf,
    _lock: File,
}

/// Something that cannot be done in the directory of a mirror.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NestError {
    #[error("cannot mirror to `{}`: it is no directory", shown(.0))]
    NoDirectory(PathBuf),
    #[error("cannot mirror to `{}`: another mirror works in it", shown(.0))]
    Taken(PathBuf),
    #[error("cannot use `{}`", shown(path))]
    Unusable { path: PathBuf, source: io::Error },
    #[error(
        "cannot read what was followed before, `{}`; remove it if an older manifest may be followed",
        shown(path)
    )]
    Forgotten { path: PathBuf, source: Refused },
}

impl Nest {
    /// Takes the directory, and removes what a mirror that was killed has left.
    pub(crate) fn take(directory: &Path) -> Result<Nest, NestError> {
        if !directory.is_dir() {
            return Err(NestError::NoDirectory(directory.to_owned()));
        }
        let path = directory.join(NAME);
        match fs::create_dir(&path) {
            Err(source) if source.kind() != ErrorKind::AlreadyExists => {
                return Err(NestError::Unusable { path, source });
            }
            _ => {}
        }
        let is_own = fs::symlink_metadata(&path).is_ok_and(|it| it.is_dir());
        if !is_own {
            return Err(NestError::NoDirectory(path));
        }
        let lock = File::options()
            .create(true)
            .append(true)
            .open(path.join(LOCK));
        let unusable = |source| NestError::Unusable {
            path: path.join(LOCK),
            source,
        };
        let lock = lock.map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(NestError::Taken(directory.to_owned())),
            Err(TryLockError::Error(source)) => return Err(unusable(source)),
        }
        Ok(Nest {
            directory: directory.to_owned(),
            path,
            _lock: lock,
        })
    }

    /// The place of a library in the directory that hosts watch.
    pub(crate) fn place(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    pub(crate) fn whole(&self, digest: Digest) -> PathBuf {
        self.path.join(format!("{digest}{WHOLE}"))
    }

    pub(crate) fn part(&self, digest: Digest) -> PathBuf {
        self.path.join(format!("{digest}{PART}"))
    }

    /// The manifest that was followed last, by this mirror or the one before.
    pub(crate) fn followed(&self) -> Result<Option<Manifest>, NestError> {
        let path = self.path.join(FOLLOWED);
        match fs::read_to_string(&path) {
            Ok(text) => match reopen(&text) {
                Ok(manifest) => Ok(Some(manifest)),
                Err(source) => Err(NestError::Forgotten { path, source }),
            },
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(NestError::Unusable { path, source }),
        }
    }

    /// Writes down which manifest is followed. A crash leaves the one before, or this one.
    pub(crate) fn follow(&self, sealed: &[u8]) -> Result<(), NestError> {
        let path = self.path.join(FOLLOWED);
        let unusable = |source| NestError::Unusable {
            path: path.clone(),
            source,
        };
        let mut aside = tempfile::NamedTempFile::new_in(&self.path).map_err(unusable)?;
        let written = aside
            .write_all(sealed)
            .and_then(|()| aside.as_file().sync_all());
        written.map_err(unusable)?;
        let renamed = aside.persist(&path).map_err(|failed| failed.error);
        renamed.map_err(unusable)?;
        #[cfg(unix)]
        File::open(&self.path)
            .and_then(|directory| directory.sync_all())
            .map_err(unusable)?;
        Ok(())
    }

    /// Removes all but what the manifest names: builds of before, and what a mirror that was killed has left here and beside
    /// the library. What cannot be removed is in nobody's way, and is tried again.
    pub(crate) fn sweep(&self, manifest: &Manifest) {
        let mut kept = vec![LOCK.to_owned(), FOLLOWED.to_owned()];
        for build in manifest.builds() {
            let digest = build.sha256;
            kept.extend([WHOLE, PART].map(|end| format!("{digest}{end}")));
        }
        remove_in(&self.path, |name| !kept.iter().any(|it| it == name));
        // As `publish` names what it has not finished. Who has the lock is the only one to publish here.
        let names = ["", ".minisig"].map(|end| format!(".{}{end}.", manifest.name));
        remove_in(&self.directory, |name| {
            name.ends_with(".publish") && names.iter().any(|it| name.starts_with(it))
        });
    }
}

fn remove_in(directory: &Path, is_old: impl Fn(&str) -> bool) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for entry in entries.flatten() {
        if entry.file_name().to_str().is_none_or(&is_old)
            && let Err(error) = fs::remove_file(entry.path())
        {
            let path = entry.path();
            tracing::debug!("cannot remove `{}`: {error}", shown(&path));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_mirror_has_a_directory_and_the_next_one_sweeps_it() {
        let directory = tempfile::tempdir().unwrap();
        let nest = Nest::take(directory.path()).unwrap();
        let taken = Nest::take(directory.path()).err().unwrap();
        assert!(matches!(taken, NestError::Taken(_)), "{taken}");
        drop(nest);
        let nest = Nest::take(directory.path()).unwrap();
        for name in [
            "librules.so",
            "librules.so.before",
            ".librules.so.x.publish",
            ".librules.so.minisig.x.publish",
            ".libother.so.x.publish",
        ] {
            fs::write(directory.path().join(name), "").unwrap();
        }
        fs::write(nest.part(Digest::of(b"old")), "").unwrap();
        nest.sweep(&Manifest::first("rules", "librules.so"));
        let names = |path: &Path| {
            let entries = fs::read_dir(path).unwrap();
            let names = entries.map(|it| it.unwrap().file_name().into_string().unwrap());
            let mut names: Vec<_> = names.collect();
            names.sort();
            names
        };
        let kept = [
            ".libother.so.x.publish",
            NAME,
            "librules.so",
            "librules.so.before",
        ];
        assert_eq!(names(directory.path()), kept);
        assert_eq!(names(&nest.path), [LOCK]);
    }

    #[test]
    fn what_was_followed_and_cannot_be_read_is_not_forgotten_by_itself() {
        let directory = tempfile::tempdir().unwrap();
        let nest = Nest::take(directory.path()).unwrap();
        assert!(nest.followed().unwrap().is_none());
        fs::write(nest.path.join(FOLLOWED), "half of").unwrap();
        let failed = nest.followed().unwrap_err().to_string();
        assert!(failed.contains("remove it if an older"), "{failed}");
    }
}
