//! What whoever only watches must do by himself: a private copy under a new name, loaded by libloading.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW, Symbol};
use tempfile::TempDir;

type Version = unsafe extern "C" fn() -> u64;
/// The function that is called so often that its calls can be counted.
pub type Sum = unsafe extern "C" fn(u64, u64) -> u64;
type Touch = unsafe extern "C" fn(u64);

/// Copies of one library, of which the last that could be loaded is live. The one before is closed.
pub struct Copies {
    watched: PathBuf,
    directory: TempDir,
    loads: u64,
    held: Duration,
    live: Option<Live>,
}

/// What is loaded, with its functions.
pub struct Live {
    // Dropped after what it lends.
    _library: Library,
    version: Symbol<Version>,
    sum: Symbol<Sum>,
    touch: Symbol<Touch>,
}

impl Live {
    /// Loads a file and finds its functions.
    pub fn load(path: &Path) -> Result<Live, libloading::Error> {
        // SAFETY: its initialisers are those of Rust's std. That it is whole is what some of the tools do not know.
        let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) }?;
        // SAFETY: the libraries of `bench-plugins` export it with this type.
        let version = unsafe { library.get(b"version\0") }?;
        // SAFETY: as above.
        let sum = unsafe { library.get(b"sum\0") }?;
        // SAFETY: as above.
        let touch = unsafe { library.get(b"touch\0") }?;
        Ok(Live {
            _library: library,
            version,
            sum,
            touch,
        })
    }

    /// Its function, for as long as it is loaded.
    pub fn sum(&self) -> Sum {
        *self.sum
    }

    /// Calls it.
    pub fn version(&self) -> u64 {
        // SAFETY: the library is loaded, and the function is of this type.
        unsafe { (self.version)() }
    }
}

impl Copies {
    /// Loads what is at `watched`, if anything.
    pub fn of(watched: PathBuf) -> Copies {
        let mut copies = Copies {
            watched,
            directory: tempfile::tempdir().expect("the temporary directory can be written to"),
            loads: 0,
            held: Duration::ZERO,
            live: None,
        };
        copies.reload();
        copies
    }

    /// Loads what is there now. Says how many libraries that were: none if it cannot be loaded.
    pub fn reload(&mut self) -> u64 {
        let begun = Instant::now();
        let copy = self.directory.path().join(format!("{}.so", self.loads));
        self.loads += 1;
        let Ok(_) = fs::copy(&self.watched, &copy) else {
            return 0;
        };
        let loaded = Live::load(&copy);
        let _ = fs::remove_file(&copy);
        let Ok(live) = loaded else {
            return 0;
        };
        self.live = Some(live);
        self.held = begun.elapsed();
        1
    }

    /// How long the last load took.
    pub fn held(&self) -> Duration {
        self.held
    }

    /// Calls what is live.
    pub fn version(&self) -> Option<u64> {
        self.live.as_ref().map(Live::version)
    }

    /// Calls what is live.
    pub fn touch(&self, number: u64) {
        if let Some(live) = &self.live {
            // SAFETY: the library is loaded, and the function is of this type.
            unsafe { (live.touch)(number) }
        }
    }
}

/// For a tool that is a `copies` and something that waits.
macro_rules! calls_copies {
    () => {
        fn held(&self) -> std::time::Duration {
            self.copies.held()
        }

        fn version(&mut self) -> Option<u64> {
            self.copies.version()
        }

        fn touch(&mut self, number: u64) {
            self.copies.touch(number);
        }
    };
}
pub(super) use calls_copies;
