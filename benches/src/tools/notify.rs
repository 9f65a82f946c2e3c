//! notify's poll watcher, of its two releases, and libloading.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use super::loaded::{Copies, calls_copies};
use crate::tool::{Pace, Tool};
use crate::watched::Watched;

/// The watcher of one release: their types are not the same, their names are.
macro_rules! watch {
    ($watch:ident, $notify:ident) => {
        /// Watches a path, and tells `said` what changes there. Without a pace it polls when it is told to.
        pub fn $watch(
            path: &Path,
            pace: Option<Pace>,
            compare_contents: bool,
            said: impl FnMut($notify::Result<$notify::Event>) + Send + 'static,
        ) -> $notify::PollWatcher {
            use $notify::{Config, PollWatcher, RecursiveMode, Watcher};

            let config = Config::default().with_compare_contents(compare_contents);
            let config = match pace {
                Some(Pace::Every(interval)) => config.with_poll_interval(interval),
                Some(Pace::Default) => config,
                None => config.with_manual_polling(),
            };
            let mut watcher = PollWatcher::new(said, config).expect("it starts a thread");
            watcher
                .watch(path, RecursiveMode::NonRecursive)
                .expect("it can be watched");
            watcher
        }
    };
}

watch!(watch8, notify8);
watch!(watch9, notify9);

/// The tool of one release.
macro_rules! poll {
    ($Tool:ident, $watch:ident, $notify:ident) => {
        /// Its watcher, and who loads what it says has changed.
        pub struct $Tool {
            changed: Receiver<()>,
            copies: Copies,
            _watcher: $notify::PollWatcher,
        }

        impl $Tool {
            /// Watches the directory, so that a library that is replaced is seen again.
            pub fn new(watched: &Watched, pace: Pace, compare_contents: bool) -> $Tool {
                use $notify::Event;

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
                let watcher = $watch(watched.directory(), Some(pace), compare_contents, said);
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

poll!(Poll8, watch8, notify8);
poll!(Poll9, watch9, notify9);
