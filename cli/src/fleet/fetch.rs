//! How the content of a build comes out of the storage: in as many goes as it takes, and nothing of it is used before its
//! digest is right.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write as _};
use std::path::{Path, PathBuf};

use replug::Digest;
use replug::shown::shown;

use super::manifest::Build;
use super::nest::Nest;
use super::storage::{Storage, StorageError};

/// How much is read at once, in bytes.
const CHUNK: usize = 256 * 1024;

/// Why there is no whole build.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("the build has {size} bytes, and at most {most} are taken (`--max-size`)")]
    TooLarge { size: u64, most: u64 },
    #[error(
        "`{}` ended after {length} of {size} bytes; the rest is asked for next time",
        shown(object)
    )]
    Truncated {
        object: String,
        length: u64,
        size: u64,
    },
    #[error(
        "`{}` has other bytes than the manifest says: their SHA-256 is {found}",
        shown(object)
    )]
    Changed { object: String, found: Digest },
    #[error("cannot write `{}`", shown(path))]
    Disk { path: PathBuf, source: io::Error },
}

impl FetchError {
    /// The reason in one word, for programs.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            FetchError::Storage(error) => error.word(),
            FetchError::TooLarge { .. } => "too-large",
            FetchError::Truncated { .. } => "truncated",
            FetchError::Changed { .. } => "changed",
            FetchError::Disk { .. } => "disk",
        }
    }
}

/// The name of a build's object.
pub(crate) fn object_of(digest: Digest, name: &str) -> String {
    format!("builds/{digest}/{name}")
}

/// Brings a build into the nest, as a whole; and says how many of its bytes were there from before.
pub(crate) fn fetch(
    storage: &Storage,
    nest: &Nest,
    build: &Build,
    name: &str,
    most: u64,
) -> Result<(PathBuf, u64), FetchError> {
    let size = build.size;
    if size > most {
        return Err(FetchError::TooLarge { size, most });
    }
    let whole = nest.whole(build.sha256);
    if fs::metadata(&whole).is_ok_and(|it| it.is_file() && it.len() == size) {
        return Ok((whole, size));
    }
    let part = nest.part(build.sha256);
    let disk = |path: &Path| {
        let path = path.to_owned();
        move |source| FetchError::Disk { path, source }
    };
    let mut file = File::options()
        .create(true)
        .append(true)
        .open(&part)
        .map_err(disk(&part))?;
    let mut had = file.metadata().map_err(disk(&part))?.len();
    if had > size {
        file.set_len(0).map_err(disk(&part))?;
        had = 0;
    }
    let object = storage.beside(&object_of(build.sha256, name));
    if had < size {
        let got = storage.content(&object, had, size, |piece| file.write_all(piece));
        match got {
            // More bytes than the manifest says are no part of the build; and without the rest it is begun anew next time.
            Err(error @ (StorageError::Endless { .. } | StorageError::NoRest { .. })) => {
                remove(&part).map_err(disk(&part))?;
                return Err(error.into());
            }
            Err(StorageError::Disk(source)) => return Err(disk(&part)(source)),
            Err(error) => return Err(error.into()),
            Ok(()) => {}
        }
    }
    let length = file.metadata().map_err(disk(&part))?.len();
    let object = object.to_string();
    if length < size {
        return Err(FetchError::Truncated {
            object,
            length,
            size,
        });
    }
    let found = digest_of(&part).map_err(disk(&part))?;
    if found != build.sha256 {
        remove(&part).map_err(disk(&part))?;
        return Err(FetchError::Changed { object, found });
    }
    file.sync_all().map_err(disk(&part))?;
    fs::rename(&part, &whole).map_err(disk(&whole))?;
    Ok((whole, had))
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The digest of a file, of any length.
pub(crate) fn digest_of(path: &Path) -> io::Result<Digest> {
    let mut file = File::open(path)?;
    let mut digester = ring::digest::Context::new(&ring::digest::SHA256);
    let mut piece = vec![0; CHUNK];
    loop {
        match file.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => digester.update(&piece[..read]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let digest = digester.finish();
    let digits: String = digest
        .as_ref()
        .iter()
        .map(|it| format!("{it:02x}"))
        .collect();
    Ok(digits.parse().expect("a SHA-256 has 64 digits"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_of_a_file_is_that_of_its_bytes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        for length in [0, 1, CHUNK, CHUNK + 1] {
            let bytes = vec![7; length];
            fs::write(&path, &bytes).unwrap();
            assert_eq!(digest_of(&path).unwrap(), Digest::of(&bytes));
        }
    }
}
