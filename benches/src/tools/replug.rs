//! replug: a host with an interface.

use std::thread;
use std::time::{Duration, Instant};

use bench_plugins::Bench;
use replug::options::Expected;
use replug::watch::Poller;
use replug::{Host, Options, Outcome, Unload};

use crate::tool::{Pace, Tool};
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

/// A host with a live generation, and without a watcher, whose thread would be counted too.
pub fn host(watched: &Watched) -> Host<Bench> {
    let expected = Expected::of::<Bench>();
    let options = Options::new(watched.library()).expected(expected);
    load(Host::<Bench>::new(), options)
}

/// Lets a host load its first generation, by polls on this thread.
pub fn load<T>(mut host: Host<T>, options: Options) -> Host<T> {
    let mut poller = Poller::new(options).expect("the directory can be watched");
    while host.live().is_none() {
        poller.poll(Instant::now());
        // Always as many polls, so that they are counted out.
        thread::sleep(Options::SETTLE);
        let updates = poller.updates().try_iter();
        updates.for_each(|update| drop(host.apply(update)));
    }
    host
}
