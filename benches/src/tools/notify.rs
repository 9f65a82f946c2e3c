//! notify's poll watcher, of its two releases, and libloading.

use std::ffi::OsStr;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use super::loaded::{Copies, calls_copies};
use super::{Pace, Tool};
use crate::watched::Watched;

/// The tool of one release: their types are not the same, their names are.
macro_rules! poll {
    ($Tool:ident, $notify:ident) => {
        /// Its watcher, and who loads what it says has changed.
        pub struct $Tool {
            changed: Receiver<()>,
            copies: Copies,
            _watcher: $notify::PollWatcher,
        }

        impl $Tool {
            /// Watches the directory, so that a library that is replaced is seen again.
            pub fn new(watched: &Watched, pace: Pace, compare_contents: bool) -> $Tool {
                use $notify::{Config, Event, PollWatcher, RecursiveMode, Watcher};

                let library = watched.library();
                let name = library.file_name().map(OsStr::to_owned);
                let (sender, changed) = mpsc::channel();
                let said = move |event: $notify::Result<Event>| {
                    let is_ours = |event: Event| {
                        let mut paths = event.paths.iter();
                        !event.kind.is_remove()
                            && paths.any(|path| path.file_name() == name.as_deref())
                    };
                    if event.is_ok_and(is_ours) {
                        // Nobody waits any more when the trial ends.
                        let _ = sender.send(());
                    }
                };
                let config = Config::default().with_compare_contents(compare_contents);
                let config = match pace {
                    Pace::Every(interval) => config.with_poll_interval(interval),
                    Pace::Default => config,
                };
                let mut watcher = PollWatcher::new(said, config).expect("it polls");
                watcher
                    .watch(watched.directory(), RecursiveMode::NonRecursive)
                    .expect("the directory can be watched");
                $Tool {
                    changed,
                    copies: Copies::of(library),
                    _watcher: watcher,
                }
            }
        }

        impl Tool for $Tool {
            fn wait(&mut self, patience: Duration) -> u64 {
                match self.changed.recv_timeout(patience) {
                    Ok(()) => self.copies.reload(),
                    Err(_) => 0,
                }
            }

            calls_copies!();
        }
    };
}

poll!(Poll8, notify8);
poll!(Poll9, notify9);
