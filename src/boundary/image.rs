//! An image: a library that was mapped into this process by the system's loader, and may have run code.

use std::collections::HashSet;
use std::ffi::{CStr, CString, c_void};
use std::fs::File;
use std::io;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, OnceLock, PoisonError};

use libloading::Library;

use super::imports::{WayBack, way_back};
use super::residence::Residence;
use super::system;
use crate::handshake::{ENTRY, Mismatch};
use replug_plugin::__private::Entry;

/// The number of thread-local keys that must be left over after a load. Each copy of std that a plugin brings takes
/// one key, when its code first needs it, and the process aborts if there is none; the host's own threads and
/// libraries need some as well.
const SPARE_THREAD_KEYS: usize = 16;

/// The number of images in use. Each of them may yet take its key.
static IMAGES_IN_USE: AtomicUsize = AtomicUsize::new(0);

/// The handles of all images that are mapped into this process. A new one must be none of these.
static IMAGES: LazyLock<Mutex<HashSet<usize>>> = LazyLock::new(Mutex::default);

fn images() -> MutexGuard<'static, HashSet<usize>> {
    IMAGES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Why a staged copy did not become a generation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadFailure {
    /// The system's loader refused the copy.
    #[error("the loader refuses it")]
    Loader(#[source] libloading::Error),
    /// The library loads, but lacks a symbol that the host needs.
    #[error("it has no `{}`", symbol.to_string_lossy())]
    Symbol {
        /// The missing symbol.
        symbol: CString,
        /// The loader's error.
        source: libloading::Error,
    },
    /// The library was built from another declaration than the one by which the host calls it.
    #[error("it does not fit this host")]
    Handshake(#[source] Mismatch),
    /// The loader handed out an image that was loaded before.
    #[error("the loader returned the image of an earlier load instead of a new one")]
    SameImage,
    /// The host named the function that frees answers as the one that makes them.
    #[error("`plugin_free` takes back the answers of a function, it is none")]
    NotAFunction,
    /// Loading the library could use up the process's thread-local keys, which ends in an abort.
    #[error(
        "this process has only {free} thread-local keys left and keeps {SPARE_THREAD_KEYS} and one for each \
         plugin in use; every generation can take one for good, so restart the host to go on reloading"
    )]
    ThreadKeys {
        /// The keys that are left, as far as they were counted.
        free: usize,
    },
}

/// A library that is mapped into this process. Dropping the image takes the library out of use and no more; the
/// library stays mapped.
#[derive(Debug)]
pub struct Image {
    library: ManuallyDrop<Library>,
    id: usize,
    path: PathBuf,
    /// The host's services for the image, which know its threads; empty if the image takes no services.
    residence: OnceLock<Residence>,
    /// The way back into the image that its imports show.
    way_back: OnceLock<WayBack>,
    is_to_go: bool,
}

/// Why the image of a retired generation is still mapped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Mapped {
    /// The host did not ask for unmapping, and nothing of the image was seen to be at work.
    #[error("kept mapped, because something may still reach its code")]
    Kept,
    /// Threads that the image started are still running.
    #[error("kept mapped, because it started threads that did not stop: {}", .0.join(", "))]
    Threads(Vec<String>),
    /// Threads of the host have called the image, and their thread-locals of the image are dropped when they end.
    #[error("kept mapped until threads end that have called it: {}", .0.join(", "))]
    Callers(Vec<String>),
    /// A call is in progress, or a handle has not noticed yet that there is a newer generation.
    #[error("kept mapped while a handle lends it")]
    Lent,
    /// The image handled this signal. Whoever handled the signal later was told of the image's handler, and may call
    /// it.
    #[error("kept mapped, because it handled signal {0}, and a later handler may call its own")]
    Signal(i32),
    /// The image uses this function or variable, by which libc or the system keeps pointers into it.
    #[error("kept mapped, because it uses `{0}`, by which it can still be reached")]
    WayBack(&'static str),
    /// The image needs this library, which may keep pointers into the image and does not tell.
    #[error("kept mapped, because it needs `{0}`, by which it can still be reached")]
    Library(String),
    /// The image can never be unmapped.
    #[error("kept mapped: {0}")]
    Forever(&'static str),
}

impl From<&WayBack> for Mapped {
    fn from(way: &WayBack) -> Mapped {
        match way {
            WayBack::Symbol(symbol) => Mapped::WayBack(symbol),
            WayBack::Library(library) => Mapped::Library(library.clone()),
            WayBack::Unread => Mapped::Forever("what it imports cannot be read"),
        }
    }
}

impl Mapped {
    /// Whether another try at unmapping is worth it.
    pub(crate) fn can_pass(&self) -> bool {
        matches!(self, Mapped::Threads(_) | Mapped::Callers(_) | Mapped::Lent)
    }
}

impl Image {
    /// Maps a staged copy, all its symbols bound at once and visible to nobody else. This runs the library's
    /// initialisers. If the image `is_to_go`, what unmapping it later takes is done as well.
    pub(crate) fn open(staged: &Path, is_to_go: bool) -> Result<Image, LoadFailure> {
        // The lock is held to the end: two hosts that load at once must not both count the same keys.
        let mut images = images();
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
        Ok(Image {
            library,
            id,
            path: staged.to_owned(),
            residence: OnceLock::new(),
            way_back: OnceLock::new(),
            is_to_go,
        })
    }

    /// Lets the image ask this host instead of libc, if the image can.
    pub(super) fn attach(&self, entry: &Entry) {
        if let Some(attach) = entry.attach() {
            // The file leaves the disk before it is asked whether the image can go.
            if self.is_to_go
                && let Some(way) = way_back(&self.path)
            {
                self.way_back.get_or_init(|| way);
            }
            // SAFETY: the function is this image's, which was just mapped, and nothing else of the image was called.
            self.residence
                .get_or_init(|| unsafe { Residence::attach(attach, self.is_to_go) });
        }
    }

    /// Whether the image is to be unmapped when it is retired, so that threads which have called it let go of it
    /// then.
    pub(crate) fn is_to_go(&self) -> bool {
        self.is_to_go
    }

    /// Ends the calling thread's part in the image, if the image is to go, as if the thread had ended: the
    /// thread-locals that the image has on this thread are dropped. What uses them later all the same, such as a
    /// destructor of the library's own, finds new ones.
    pub(crate) fn leave(&self) {
        if self.is_to_go {
            self.residence.get().iter().for_each(|it| it.leave());
        }
    }

    /// The threads that the image started and that are still running, if there are any.
    pub(crate) fn running_threads(&self) -> Option<Mapped> {
        let started = self.residence.get()?.threads(true);
        (!started.is_empty()).then_some(Mapped::Threads(started))
    }

    /// Unmaps the image, if it can be seen that nothing reaches the image any more: the caller has the only way to
    /// it, no thread has anything to do with it, it never handled a signal, and neither libc nor another library knows
    /// of it. Nothing of the image may be called after that.
    ///
    /// # Errors
    ///
    /// Why the image is still mapped.
    pub(crate) fn unmap(&mut self) -> Result<(), Mapped> {
        let residence = self.prove_out_of_reach()?;
        let mut images = images();
        residence.set_closing(true);
        // SAFETY: nothing reaches the image any more, and the library is not used again.
        let library = unsafe { ManuallyDrop::take(&mut self.library) };
        if let Err(library) = system::close(library, &self.path) {
            residence.set_closing(false);
            self.library = ManuallyDrop::new(library);
            self.residence = OnceLock::from(residence);
            return Err(Mapped::Forever("the loader keeps it"));
        }
        images.remove(&self.id);
        // SAFETY: the image is unmapped.
        unsafe { residence.end() };
        Ok(())
    }

    /// Takes the residence, if all is there for the proof that nothing reaches the image any more.
    fn prove_out_of_reach(&mut self) -> Result<Residence, Mapped> {
        let residence = self.residence_to_go()?;
        if let Some(running) = self.running_threads() {
            return Err(running);
        }
        if !residence.is_empty() {
            return Err(Mapped::Callers(residence.threads(false)));
        }
        if let Ok(entry) = self.symbol(ENTRY)
            && let Some(signal) = system::signal_handled_by(entry)
        {
            return Err(Mapped::Signal(signal));
        }
        self.residence.take().ok_or(Mapped::Kept)
    }

    /// The residence, if nothing speaks for ever against unmapping the image.
    fn residence_to_go(&self) -> Result<&Residence, Mapped> {
        let Some(residence) = self.residence.get() else {
            return Err(Mapped::Forever(
                "it was not built with `export!` for this system",
            ));
        };
        if let Some(reason) = residence.forever() {
            return Err(Mapped::Forever(reason));
        }
        if let Some(way) = self.way_back.get() {
            return Err(way.into());
        }
        if let Some(way) = residence.way_back() {
            return Err(Mapped::WayBack(way));
        }
        residence
            .signal()
            .map_or(Ok(residence), |signal| Err(Mapped::Signal(signal)))
    }

    /// The address of an exported symbol. The address is good for as long as the image is mapped.
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
