//! dynamic_reload: the owner asks it for news, in a loop.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use dynamic_reload::{DynamicReload, Lib, PlatformName, Search, Symbol, UpdateState};

use crate::library::NAME;
use crate::tool::{Pace, Tool};
use crate::watched::Watched;

/// Between two questions.
const PAUSE: Duration = Duration::from_millis(1);

/// The debounce of its own example: it has no default.
const OF_ITS_EXAMPLE: Duration = Duration::from_secs(2);

/// What it loaded, and who reloads it.
pub struct Reload {
    reload: DynamicReload,
    plugin: Plugin,
    held: Duration,
}

/// What its callback is given.
struct Plugin {
    live: Option<Arc<Lib>>,
    loads: u64,
}

impl Plugin {
    fn changed(&mut self, state: UpdateState, library: Option<&Arc<Lib>>) {
        match state {
            UpdateState::Before => self.live = None,
            UpdateState::After => {
                self.live = library.cloned();
                self.loads += 1;
            }
            UpdateState::ReloadFailed(_) => {}
        }
    }
}

impl Reload {
    /// Loads what is there.
    pub fn new(watched: &Watched, pace: Pace) -> Reload {
        let debounce = match pace {
            Pace::Every(debounce) => debounce,
            Pace::Default => OF_ITS_EXAMPLE,
        };
        let directory = watched.directory().to_str();
        let directory = directory.expect("temporary directories have names of text");
        let mut reload = DynamicReload::new(
            Some(vec![directory]),
            Some(directory),
            Search::Default,
            debounce,
        );
        // SAFETY: its initialisers are those of Rust's std.
        let live = unsafe { reload.add_library(NAME, PlatformName::Yes) };
        Reload {
            reload,
            plugin: Plugin {
                live: live.ok(),
                loads: 0,
            },
            held: Duration::ZERO,
        }
    }

    /// The symbol of this name in what is live.
    pub fn symbol<T>(&self, name: &[u8]) -> Option<Symbol<'_, T>> {
        let live = self.plugin.live.as_ref()?;
        // SAFETY: the callers name what the libraries of `bench-plugins` export, with its type.
        unsafe { live.lib.get(name) }.ok()
    }
}

impl Tool for Reload {
    fn wait(&mut self, patience: Duration) -> u64 {
        let deadline = Instant::now() + patience;
        let before = self.plugin.loads;
        loop {
            let begun = Instant::now();
            // SAFETY: nothing of the old library is used after it is gone. That the new one is whole is not known.
            unsafe { self.reload.update(&Plugin::changed, &mut self.plugin) };
            let loads = self.plugin.loads - before;
            if loads > 0 {
                self.held = begun.elapsed();
            }
            if loads > 0 || Instant::now() >= deadline {
                return loads;
            }
            thread::sleep(PAUSE);
        }
    }

    fn held(&self) -> Duration {
        self.held
    }

    fn version(&mut self) -> Option<u64> {
        let version = self.symbol::<extern "C" fn() -> u64>(b"version\0")?;
        Some(version())
    }

    fn touch(&mut self, number: u64) {
        if let Some(touch) = self.symbol::<extern "C" fn(u64)>(b"touch\0") {
            touch(number);
        }
    }
}
