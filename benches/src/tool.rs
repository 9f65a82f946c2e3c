//! A tool, which reloads a library: what it can do for the thread that calls, and how eager it is.

use std::time::Duration;

/// A library that is watched, loaded and called.
pub trait Tool {
    /// Waits for something new, for about as long as `patience` at most, and loads it. Says how often it loaded.
    fn wait(&mut self, patience: Duration) -> u64;

    /// How long the thread that calls was held by the last load.
    fn held(&self) -> Duration;

    /// Which library is live; `None` if there is none.
    fn version(&mut self) -> Option<u64>;

    /// Makes a thread-local of the library on this thread.
    fn touch(&mut self, number: u64);
}

/// How eager a tool is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// So long between polls, or as its debounce. hot-lib-reloader knows only [`QUICK`]'s.
    Every(Duration),
    /// As the tool is without being told anything.
    Default,
}

/// As quick as all of them can be without being busy.
pub const QUICK: Pace = Pace::Every(Duration::from_millis(10));
