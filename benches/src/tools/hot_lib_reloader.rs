//! hot-lib-reloader: its macro makes functions that find the library behind a lock, and a thread that reloads it
//! there.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use crate::tool::{Pace, Tool};
use crate::watched::Watched;

/// Where the library is; the macro makes statics, which ask for it when they are first used.
static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();

fn directory() -> &'static PathBuf {
    DIRECTORY.get().expect("it is set before the first call")
}

/// Between two calls of the thread that waits for another library.
const PAUSE: Duration = Duration::from_micros(100);

/// The module of one debounce, and the tool of that module: there is no other way to choose it than to the macro.
macro_rules! hot {
    ($module:ident, $Tool:ident, $debounce:tt) => {
        /// What the macro makes.
        #[allow(static_mut_refs)]
        #[hot_lib_reloader::hot_module(dylib = "bench", lib_dir = super::directory(), file_watch_debounce = $debounce)]
        pub mod $module {
            #[hot_functions]
            extern "Rust" {
                pub fn hot_version() -> u64;
                pub fn hot_sum(one: u64, other: u64) -> u64;
                pub fn hot_touch(number: u64);
            }

            #[lib_version]
            pub fn reloads() -> usize {}
        }

        /// Calls it.
        pub struct $Tool {
            reloads: usize,
            held: Duration,
            /// The longest call since the last reload: the library counts as reloaded some time after it can be called.
            longest: Duration,
        }

        impl Tool for $Tool {
            fn wait(&mut self, patience: Duration) -> u64 {
                let deadline = Instant::now() + patience;
                loop {
                    // It goes on calling, as a frame does: what it waits for at the lock is its pause.
                    let begun = Instant::now();
                    $module::hot_version();
                    self.longest = self.longest.max(begun.elapsed());
                    let reloads = $module::reloads();
                    if reloads > self.reloads {
                        let new = reloads - self.reloads;
                        self.reloads = reloads;
                        self.held = std::mem::take(&mut self.longest);
                        return new as u64;
                    }
                    if Instant::now() >= deadline {
                        return 0;
                    }
                    thread::sleep(PAUSE);
                }
            }

            fn held(&self) -> Duration {
                self.held
            }

            fn version(&mut self) -> Option<u64> {
                Some($module::hot_version())
            }

            fn touch(&mut self, number: u64) {
                $module::hot_touch(number);
            }
        }
    };
}

hot!(quick, Quick, 10);
hot!(usual, Usual, 500);

pub use quick::hot_sum as sum;

/// Opens one. A process can have only one.
pub fn open(watched: &Watched, pace: Pace) -> Box<dyn Tool> {
    DIRECTORY
        .set(watched.directory().to_owned())
        .expect("a trial has one tool");
    let (reloads, held, longest) = (0, Duration::ZERO, Duration::ZERO);
    match pace {
        Pace::Every(_) => Box::new(Quick {
            reloads,
            held,
            longest,
        }),
        Pace::Default => Box::new(Usual {
            reloads,
            held,
            longest,
        }),
    }
}
