//! replug: a host with an interface.

use std::time::{Duration, Instant};

use bench_plugins::Bench;
use replug::{Host, Options, Outcome, Unload};

use super::{Pace, Tool};
use crate::watched::Watched;

/// A host, and what its owner measures.
pub struct Replug {
    host: Host<Bench>,
    held: Duration,
}

impl Replug {
    /// As it is.
    pub fn new(watched: &Watched, pace: Pace) -> Replug {
        let options = Options::new(watched.library());
        let options = match pace {
            Pace::Every(interval) => options.interval(interval),
            Pace::Default => options,
        };
        Replug {
            host: Host::<Bench>::watch(options).expect("the directory can be watched"),
            held: Duration::ZERO,
        }
    }

    /// Unmaps what it can.
    pub fn unloading(watched: &Watched, pace: Pace) -> Replug {
        let Replug { host, held } = Replug::new(watched, pace);
        let host = host.unloading(Unload::WhenProven);
        Replug { host, held }
    }
}

impl Tool for Replug {
    fn wait(&mut self, patience: Duration) -> u64 {
        let Ok(update) = self.host.updates().recv_timeout(patience) else {
            self.host.sweep();
            return 0;
        };
        let begun = Instant::now();
        let Some(Outcome::Loaded(_)) = self.host.apply(update) else {
            return 0;
        };
        self.held = begun.elapsed();
        1
    }

    fn held(&self) -> Duration {
        self.held
    }

    fn version(&mut self) -> Option<u64> {
        self.host.version().ok()
    }

    fn touch(&mut self, number: u64) {
        self.host.touch(number).expect("one is live");
    }
}
