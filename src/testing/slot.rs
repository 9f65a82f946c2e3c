//! Slots: the directories that copies are in, below the target directory. A slot belongs to one copy at a time, and is used
//! again by the next one, so what a build left there is not built twice.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::cargo::Package;
use super::error::Error;

/// The directory of all slots, in the target directory.
const SLOTS: &str = "replug-testing";

/// A directory that belongs to one copy, for as long as that is there.
#[derive(Debug)]
pub(super) struct Slot {
    directory: PathBuf,
    /// The file that is locked, and is let go of when the slot is dropped or the process ends.
    _lock: File,
}

impl Slot {
    /// The first slot for copies of `package` that nobody has.
    pub(super) fn take(package: &Package) -> Result<Slot, Error> {
        let slots = package.target.join(SLOTS).join(&package.name);
        let mut number = 0;
        loop {
            let directory = slots.join(number.to_string());
            let taken = try_take(&directory);
            match taken.map_err(|source| Error::Copy {
                path: directory.clone(),
                source,
            })? {
                Some(lock) => {
                    return Ok(Slot {
                        directory,
                        _lock: lock,
                    });
                }
                None => number += 1,
            }
        }
    }

    /// The root of the mirrored tree.
    pub(super) fn tree(&self) -> PathBuf {
        self.directory.join("tree")
    }

    /// Where cargo builds the copy.
    pub(super) fn target(&self) -> PathBuf {
        self.directory.join("target")
    }
}

/// The lock of a slot; `None` if somebody has it.
fn try_take(directory: &Path) -> io::Result<Option<File>> {
    fs::create_dir_all(directory)?;
    let lock = File::create(directory.join("lock"))?;
    match lock.try_lock() {
        Ok(()) => Ok(Some(lock)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
