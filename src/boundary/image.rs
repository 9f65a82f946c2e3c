//! An image: a library that was mapped into this process by the system's loader, and may have run code.

use std::collections::HashSet;
use std::error::Error;
use std::ffi::{CStr, CString, c_void};
use std::fmt;
use std::fs::File;
use std::io;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, OnceLock, PoisonError};

use libloading::Library;

use super::beside::{Beside, THERE};
use super::imports::{WayBack, way_back};
use super::residence::{self, Residence};
use super::system;
use crate::handshake::{ENTRY, Mismatch};
use replug_plugin::__private::Entry;
use replug_plugin::shown::{shown, shown_bytes};

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
    Loader(#[source] LoaderError),
    /// The library loads, but lacks a symbol that the host needs.
    #[error("it has no `{}`", shown_bytes(symbol.to_bytes()))]
    Symbol {
        /// The missing symbol.
        symbol: CString,
        /// The loader's error.
        source: LoaderError,
    },
    /// The library has data under a name that is called.
    #[error("its `{}` is data, where the host needs a function", shown_bytes(symbol.to_bytes()))]
    Data {
        /// The name.
        symbol: CString,
    },
    /// The library was built from another declaration than the one by which the host calls it.
    #[error("it does not fit this host")]
    Handshake(#[source] Mismatch),
    /// Ordinary Rust crosses, and the library had allocated before it got its host's allocator.
    #[error(
        "it allocated memory before its host could give it an allocator, so the host could not free that memory: it has \
         a constructor that runs when it is loaded; do that work in `init`, or at the first call"
    )]
    Allocated,
    /// The loader handed out an image that was loaded before.
    #[error("the loader returned the image of an earlier load instead of a new one")]
    SameImage,
    /// Somebody removed or replaced the staged copy.
    #[error(
        "the file at `{}` is not the copy that was vetted: somebody removed or replaced it; find out who tidies that \
         directory, or choose another one for staged copies",
        shown(staged)
    )]
    NotVetted {
        /// The path of the staged copy.
        staged: PathBuf,
    },
    /// The host named the function that frees answers as the one that makes them.
    #[error("`plugin_free` takes back the answers of a function, it is none")]
    NotAFunction,
    /// The library has C++ objects of which a process has one each, and another build or plugin has brought these.
    #[error(
        "it defines `{}`{}: of such a C++ object a process has only one, and that is the one of an earlier build or of \
         another plugin; build it with `-fno-gnu-unique`, or restart the host",
        shown_bytes(name.to_bytes()), And(*others)
    )]
    Unique {
        /// The first of the objects.
        name: CString,
        /// The number of other objects of this kind.
        others: usize,
    },
    /// The library needs another library, and none of that name is where the loader looks.
    #[error(
        "it needs `{}`, and no such library is where the loader looks; install it, or put it beside this one{THERE}",
        shown(.0)
    )]
    Needs(String),
    /// The library needs another library, of which this process has another build.
    #[error(
        "it needs `{}`, of which this process has another build, and the loader would take that one; restart the host, \
         or link that library in statically, or give each build of it a soname of its own",
        shown_bytes(soname.to_bytes())
    )]
    OtherBuild {
        /// The name of the library that is needed.
        soname: CString,
    },
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

impl LoadFailure {
    /// The loader has refused a library, in these words.
    pub(super) fn loader(error: libloading::Error) -> LoadFailure {
        LoadFailure::Loader(LoaderError(error))
    }
}

/// A number of further things, in words.
struct And(usize);

impl fmt::Display for And {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            others => write!(f, " and {others} more"),
        }
    }
}

/// The words of the system's loader, with their causes. They repeat what a library says of itself, so they are
/// [`shown`], and have no source that would print them as they are.
#[derive(Debug)]
pub struct LoaderError(libloading::Error);

impl fmt::Display for LoaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", shown(&self.0.to_string()))?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {}", shown(&error.to_string()))?;
            cause = error.source();
        }
        Ok(())
    }
}

impl Error for LoaderError {}

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
    /// How many futures of the image live, if it exchanges ordinary Rust with its host. What it gave away can hold pointers
    /// into it then.
    futures: OnceLock<unsafe extern "C" fn() -> usize>,
}

/// Why the image of a retired generation is still mapped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Mapped {
    /// The host did not ask for unmapping, and nothing of the image was seen to be at work.
    #[error("kept mapped, because something may still reach its code")]
    Kept,
    /// Threads that the image started are still running.
    #[error("kept mapped, because it started threads that did not stop: {}", shown(&.0.join(", ")))]
    Threads(Vec<String>),
    /// Threads of the host have called the image, and their thread-locals of the image are dropped when they end.
    #[error("kept mapped until threads end that have called it: {}", shown(&.0.join(", ")))]
    Callers(Vec<String>),
    /// A call is in progress, a handle has not noticed yet that there is a newer generation, or a future of it lives.
    #[error("kept mapped while a handle or a future lends it")]
    Lent,
    /// The image handled this signal. Whoever handled the signal later was told of the image's handler, and may call
    /// it.
    #[error("kept mapped, because it handled signal {0}, and a later handler may call its own")]
    Signal(i32),
    /// The image uses this function or variable, by which libc or the system keeps pointers into it.
    #[error("kept mapped, because it uses `{0}`, by which it can still be reached")]
    WayBack(&'static str),
    /// The image needs this library, which may keep pointers into the image and does not tell.
    #[error("kept mapped, because it needs `{}`, by which it can still be reached", shown(.0))]
    Library(String),
    /// The image exchanges ordinary Rust with its host, and what it gave away can hold pointers into it.
    #[error(
        "kept mapped, because ordinary Rust crosses, which can point into its code and constants"
    )]
    Ordinary,
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
    /// Maps a staged copy of an artifact, all its symbols bound at once and visible to nobody else. This runs the
    /// library's initialisers. If the image `is_to_go`, what unmapping it later takes is done as well.
    pub(crate) fn open(
        staged: &Path,
        artifact: &Path,
        is_to_go: bool,
    ) -> Result<Image, LoadFailure> {
        // The lock is held to the end: two hosts that load at once must not both count the same keys.
        let mut images = images();
        let needed = SPARE_THREAD_KEYS + IMAGES_IN_USE.load(Ordering::Relaxed) + 1;
        let free = system::free_thread_keys(needed);
        if free < needed {
            return Err(LoadFailure::ThreadKeys { free });
        }
        let beside = Beside::of(artifact);
        let refused = |error| match beside.lacks(staged) {
            Some(name) => LoadFailure::Needs(name),
            None => LoadFailure::loader(error),
        };
        let (library, id) = system::open(staged).map_err(refused)?;
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
            futures: OnceLock::new(),
        })
    }

    /// Why the image is kept mapped, if nothing of it is seen to be at work.
    pub(crate) fn kept(&self) -> Mapped {
        match self.stays() {
            true => Mapped::Ordinary,
            false => Mapped::Kept,
        }
    }

    /// Keeps the image mapped for good.
    ///
    /// # Safety
    ///
    /// The function is the image's own, and counts its futures.
    pub(super) unsafe fn stay(&self, futures: unsafe extern "C" fn() -> usize) {
        self.futures.get_or_init(|| futures);
    }

    /// Whether the image exchanges ordinary Rust with its host, and so is never unmapped.
    fn stays(&self) -> bool {
        self.futures.get().is_some()
    }

    /// Whether futures that the image made live.
    pub(crate) fn has_futures(&self) -> bool {
        // SAFETY: the function is this image's, which is mapped for good.
        let alive = self.futures.get().map(|alive| unsafe { alive() });
        alive.is_some_and(|alive| alive > 0)
    }

    /// Lets the image ask this host instead of libc, if the image can.
    pub(super) fn attach(&self, entry: &Entry) {
        // SAFETY: the function is called below, or never.
        if let Some(attach) = unsafe { entry.attach() } {
            // The file leaves the disk before it is asked whether the image can go.
            if self.is_to_go()
                && let Some(way) = way_back(&self.path)
            {
                self.way_back.get_or_init(|| way);
            }
            // SAFETY: the function is this image's, which was just mapped, and nothing else of the image was called.
            self.residence
                .get_or_init(|| unsafe { Residence::attach(attach, self.is_to_go()) });
        }
    }

    /// The path of the copy that was mapped.
    #[cfg(unix)]
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The handle by which the loader knows the image.
    pub(crate) fn id(&self) -> usize {
        self.id
    }

    /// Whether the image is to be unmapped when it is retired, so that threads which have called it let go of it
    /// then.
    pub(crate) fn is_to_go(&self) -> bool {
        self.is_to_go && !self.stays()
    }

    /// Ends the calling thread's part in the image, if the image is to go, as if the thread had ended: the
    /// thread-locals that the image has on this thread are dropped. What uses them later all the same, such as a
    /// destructor of the library's own, finds new ones. In the middle of a call of a plugin's this waits for
    /// [`leave_rest`].
    pub(crate) fn leave(&self) {
        if self.is_to_go() {
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
        if let Ok(entry) = self.address(ENTRY)
            && let Some(signal) = system::signal_handled_by(entry)
        {
            return Err(Mapped::Signal(signal));
        }
        self.residence.take().ok_or(Mapped::Kept)
    }

    /// The residence, if nothing speaks for ever against unmapping the image.
    fn residence_to_go(&self) -> Result<&Residence, Mapped> {
        if self.stays() {
            return Err(Mapped::Ordinary);
        }
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

    /// The address of an exported symbol, for a [`Table`](super::Table) of one's own.
    ///
    /// # Errors
    ///
    /// If the image exports no such symbol, or exports it as null.
    ///
    /// # Safety
    ///
    /// Each library that comes to be at the watched path has under this name exactly what the table takes it for: for a
    /// function, the same parameters, result and calling convention. The table is not used after the image is retired,
    /// other than by calls that the host lends it for.
    pub unsafe fn symbol(&self, name: &CStr) -> Result<NonNull<c_void>, LoadFailure> {
        self.address(name)
    }

    /// The address of an exported symbol. The address is good for as long as the image is mapped.
    pub(super) fn address(&self, name: &CStr) -> Result<NonNull<c_void>, LoadFailure> {
        // SAFETY: the symbol is only asked for its address; nothing is read or called through this type.
        let found = unsafe { self.library.get::<*mut c_void>(name) };
        let missing = |source| LoadFailure::Symbol {
            symbol: name.to_owned(),
            source: LoaderError(source),
        };
        NonNull::new(*found.map_err(missing)?)
            .ok_or_else(|| missing(libloading::Error::DlSymUnknown))
    }

    /// The address of an exported function; an error also if data is under this name.
    pub(super) fn function(&self, name: &CStr) -> Result<NonNull<c_void>, LoadFailure> {
        let found = self.address(name)?;
        match system::is_code(found) {
            true => Ok(found),
            false => Err(LoadFailure::Data {
                symbol: name.to_owned(),
            }),
        }
    }
}

/// Ends the calling thread's part in the images that it was to [leave](Image::leave) in the middle of a call. Returns
/// `false` if it is still in the middle of one, and there are such images.
pub(crate) fn leave_rest() -> bool {
    residence::leave_rest()
}

/// Drops the thread-locals that plugins have on this thread, as if the thread had ended. A plugin that is called on this thread
/// later finds new ones.
///
/// With [`Unload::WhenProven`](crate::Unload::WhenProven) the image of a retired generation goes when no thread has thread-locals
/// of it any more. A thread of a pool has some after a call by [`Handle::live`](crate::Handle::live), and does not end: it says by
/// this function that it has nothing to do for now. Executors offer a place for that, tokio for one:
///
/// ```
/// let pool = tokio::runtime::Builder::new_multi_thread()
///     .on_thread_park(replug::leave_plugins)
///     .build()?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Not for a callback of the host's global allocator, which can run beneath a plugin's code.
///
/// In the middle of a call in which a plugin has called its host, the thread leaves when that call is over, and a
/// [`Caller`](crate::Caller) or this function is used next. What is never unmapped, as each generation at the rust level, keeps its
/// thread-locals, and so does a thread of the plugin's own.
pub fn leave_plugins() {
    residence::leave_all();
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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn an_image_that_was_loaded_before_is_refused() {
        // The C library is mapped in any case, and only its name can be given to the loader twice.
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let mut mapped = maps.lines().filter_map(|line| line.split_once('/'));
        let libc = mapped.find(|(_, path)| path.contains("/libc.so") || path.contains("/libc-"));
        let libc = format!("/{}", libc.expect("the C library is mapped").1);
        let first = Image::open(libc.as_ref(), libc.as_ref(), false).unwrap();
        let again = Image::open(libc.as_ref(), libc.as_ref(), false);
        assert!(matches!(again, Err(LoadFailure::SameImage)), "{again:?}");
        drop(first);
    }

    #[test]
    fn the_name_of_a_library_that_keeps_an_image_mapped_moves_nothing() {
        let mapped = Mapped::Library("libx\n\u{1b}[2J.so".into());
        let said =
            r"kept mapped, because it needs `libx\n\x1b[2J.so`, by which it can still be reached";
        assert_eq!(mapped.to_string(), said);
    }
}
