//! Events of the system, as a reference: it has no interval, and it needs a filesystem that tells.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use inotify::{Inotify, WatchMask};

use super::loaded::{Copies, calls_copies};
use crate::tool::Tool;
use crate::watched::Watched;

/// A thread that waits for events of the directory, and who loads.
pub struct Events {
    changed: Receiver<()>,
    copies: Copies,
}

impl Events {
    /// Loads what is there, and whatever takes its place.
    pub fn new(watched: &Watched) -> Events {
        let mut inotify = watch(watched.directory());
        let library = watched.library();
        let name = library.file_name().map(OsStr::to_owned);
        let (sender, changed) = mpsc::channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(mut events) = inotify.read_events_blocking(&mut buffer) {
                if events.any(|event| event.name == name.as_deref()) && sender.send(()).is_err() {
                    break;
                }
            }
        });
        Events {
            changed,
            copies: Copies::of(library),
        }
    }
}

/// Watches a directory for files that are complete as far as events tell: closed after writing, renamed or linked.
pub fn watch(directory: &Path) -> Inotify {
    let inotify = Inotify::init().expect("there are events on Linux");
    let mask = WatchMask::CLOSE_WRITE | WatchMask::MOVED_TO | WatchMask::CREATE;
    let watches = &mut inotify.watches();
    watches
        .add(directory, mask)
        .expect("the directory can be watched");
    inotify
}

impl Tool for Events {
    fn wait(&mut self, patience: Duration) -> u64 {
        match self.changed.recv_timeout(patience) {
            Ok(()) => self.copies.reload(),
            Err(_) => 0,
        }
    }

    calls_copies!();
}
