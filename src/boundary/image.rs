//! An image: a library that was mapped into this process by the system's loader, and may have run code.

use std::collections::HashSet;
use std::ffi::{CStr, CString, c_void};
use std::fs::File;
use std::io;
use std::mem::ManuallyDrop;
use std::path::Path;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};

use libloading::Library;

use super::system;
use crate::handshake::Mismatch;

/// Thread-local keys that must be left over after a load. Each copy of std that a plugin brings takes one, when
/// its code first needs it, and the process aborts if there is none; the host's own threads and libraries need
/// some as well.
const SPARE_THREAD_KEYS: usize = 16;

/// Images that are in use, and so may yet take their key.
static IMAGES_IN_USE: AtomicUsize = AtomicUsize::new(0);

/// Every image of this process. None is ever unmapped, so a new one must be none of these.
static IMAGES: LazyLock<Mutex<HashSet<ImageId>>> = LazyLock::new(Mutex::default);

/// Why a staged copy did not become a generation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadFailure {
    /// The system's loader refused it.
    #[error("the loader refuses it")]
    Loader(#[source] libloading::Error),
    /// It loads, but lacks something that the host needs.
    #[error("it has no `{}`", symbol.to_string_lossy())]
    Symbol {
        /// What is missing.
        symbol: CString,
        /// What the loader said.
        source: libloading::Error,
    },
    /// It was built from another declaration than the one the host calls it by.
    #[error("it does not fit this host")]
    Handshake(#[source] Mismatch),
    /// The loader handed out an image that was loaded before.
    #[error("the loader returned the image of an earlier load instead of a new one")]
    SameImage,
    /// The host named the function that frees answers as the one that makes them.
    #[error("`plugin_free` takes back the answers of a function, it is none")]
    NotAFunction,
    /// Loading it could use up the process's thread-local keys, which ends in an abort.
    #[error(
        "this process has only {free} thread-local keys left and keeps {SPARE_THREAD_KEYS} and one for each \
         plugin in use; every generation can take one for good, so restart the host to go on reloading"
    )]
    ThreadKeys {
        /// Keys that are left, as far as was counted.
        free: usize,
    },
}

/// A library that is mapped into this process, for good. Dropping it takes it out of use and no more.
#[derive(Debug)]
pub struct Image {
    library: ManuallyDrop<Library>,
}

/// Tells one mapping from every other of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ImageId(pub(super) usize);

impl Image {
    /// Maps a staged copy, all its symbols bound at once and visible to nobody else. This runs its initialisers.
    pub(crate) fn open(staged: &Path) -> Result<Image, LoadFailure> {
        // Held to the end: two hosts that load at once must not both count the same keys.
        let mut images = IMAGES.lock().unwrap_or_else(PoisonError::into_inner);
        let needed = SPARE_THREAD_KEYS + IMAGES_IN_USE.load(Ordering::Relaxed) + 1;
        let free = system::free_thread_keys(needed);
        if free < needed {
            return Err(LoadFailure::ThreadKeys { free });
        }
        let (library, id) = system::open(staged).map_err(LoadFailure::Loader)?;
        let library = ManuallyDrop::new(library);
        if !images.insert(id) {
            return Err(LoadFailure::SameImage);
        }
        IMAGES_IN_USE.fetch_add(1, Ordering::Relaxed);
        Ok(Image { library })
    }

    /// The address of an exported symbol. It is good for as long as the process lives.
    ///
    /// # Errors
    ///
    /// If the image exports no such symbol, or exports it as null.
    pub fn symbol(&self, name: &CStr) -> Result<NonNull<c_void>, LoadFailure> {
        // SAFETY: the symbol is only asked for its address; nothing is read or called through this type.
        let found = unsafe { self.library.get::<*mut c_void>(name) };
        let missing = |source| LoadFailure::Symbol {
            symbol: name.to_owned(),
            source,
        };
        NonNull::new(*found.map_err(missing)?)
            .ok_or_else(|| missing(libloading::Error::DlSymUnknown))
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        IMAGES_IN_USE.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Tries whether code can be mapped from an open file; where it cannot, the filesystem is mounted `noexec` or
/// a security policy forbids it.
pub(crate) fn can_map_code(file: &File) -> io::Result<()> {
    system::can_map_code(file)
}
