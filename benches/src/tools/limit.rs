//! The limit: the thread that calls looks by itself, with one system call, and does nothing else.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{Stat, stat};

use super::loaded::{Copies, calls_copies};
use crate::tool::{Pace, Tool};
use crate::watched::Watched;

/// How long a file must hold still for a patient one: as long as for replug.
pub const STILL: Duration = replug::Options::SETTLE;

/// Looks, waits, and looks again.
pub struct Limit {
    watched: PathBuf,
    interval: Duration,
    still: Duration,
    next: Instant,
    loaded: Option<Identity>,
    seen: Option<(Identity, Instant)>,
    copies: Copies,
}

/// All that one look says.
type Identity = [i64; 6];

impl Limit {
    /// One that wants a file to hold still for so long.
    pub fn new(watched: &Watched, pace: Pace, still: Duration) -> Limit {
        let watched = watched.library();
        let loaded = stat(&watched).ok().map(identity);
        Limit {
            interval: match pace {
                Pace::Every(interval) => interval,
                Pace::Default => replug::Options::INTERVAL,
            },
            still,
            next: Instant::now(),
            loaded,
            seen: None,
            copies: Copies::of(watched.clone()),
            watched,
        }
    }

    fn poll(&mut self) -> u64 {
        let Some(found) = stat(&self.watched).ok().map(identity) else {
            return 0;
        };
        if self.loaded == Some(found) {
            return 0;
        }
        match self.seen {
            Some((seen, since)) if seen == found && since.elapsed() >= self.still => {}
            _ if self.still.is_zero() => {}
            Some((seen, _)) if seen == found => return 0,
            _ => {
                self.seen = Some((found, Instant::now()));
                return 0;
            }
        }
        self.loaded = Some(found);
        self.copies.reload()
    }
}

fn identity(found: Stat) -> Identity {
    [
        found.st_ino as i64,
        found.st_size,
        found.st_mtime,
        found.st_mtime_nsec as i64,
        found.st_ctime,
        found.st_ctime_nsec as i64,
    ]
}

impl Tool for Limit {
    fn wait(&mut self, patience: Duration) -> u64 {
        let deadline = Instant::now() + patience;
        loop {
            // In step with its own past: when it is called says nothing about when it looks.
            while self.next < Instant::now() {
                self.next += self.interval;
            }
            thread::sleep(self.next.saturating_duration_since(Instant::now()));
            let loads = self.poll();
            if loads > 0 || Instant::now() >= deadline {
                return loads;
            }
        }
    }

    calls_copies!();
}
