//! A host whose plugins are the fixtures of `tests/plugins`, and the artifact that it watches.

use std::time::Instant;

use fixtures::Fixture;
use replug::error::Step;
use replug::outcome::{Kept, Loaded, Retired};
use replug::watch::Watcher;
use replug::{Host, Options, Outcome, Unload, chain};

use crate::{Artifact, DEADLINE, Scratch, is_by_the_way, specimen};

/// A host and its artifact, in a scratch directory.
pub struct World {
    /// The host, which does what the test tells it to.
    pub host: Host<Fixture>,
    /// The file that the host watches.
    pub artifact: Artifact,
    /// Where the artifact and the staged copies are.
    pub scratch: Scratch,
    /// What was told of retired generations while others were loaded.
    pub retired: Vec<Retired>,
    builds: u32,
}

impl World {
    /// A world whose host has nothing to load yet.
    pub fn new() -> World {
        World::watched_by(|options| Host::<Fixture>::watch(options).unwrap())
    }

    /// A world whose host is made of the usual options by `watch`.
    pub fn watched_by(watch: impl FnOnce(Options) -> Host<Fixture>) -> World {
        World::watched_in(Scratch::new(), watch)
    }

    /// A world in a scratch directory that the test has made something of, whose host is made of the usual options by `watch`.
    pub fn watched_in(scratch: Scratch, watch: impl FnOnce(Options) -> Host<Fixture>) -> World {
        let artifact = scratch.artifact();
        let options = scratch.options();
        World {
            host: watch(options),
            artifact,
            scratch,
            retired: Vec::new(),
            builds: 0,
        }
    }

    /// A world whose watcher does not know what the host expects, so that only the host can find out what does not
    /// fit.
    pub fn unsuspecting() -> World {
        World::watched_by(|options| Host::<Fixture>::new().watching(Watcher::new(options).unwrap()))
    }

    /// A world whose first generation is this fixture.
    #[track_caller]
    pub fn with(name: &str) -> World {
        World::new().and(name)
    }

    /// This world, with a fixture as its first generation.
    #[track_caller]
    pub fn and(mut self, name: &str) -> World {
        self.load(name);
        self
    }

    /// A world whose first generation is this fixture, and whose retired generations are unmapped if that can be.
    #[track_caller]
    pub fn unloading(name: &str) -> World {
        let watch = |options| Host::<Fixture>::watch(options).unwrap();
        World::watched_by(|options| watch(options).unloading(Unload::WhenProven)).and(name)
    }

    /// Puts another build of the fixture in place, and checks that it goes live.
    #[track_caller]
    pub fn load(&mut self, name: &str) -> Loaded {
        let mut outcome = self.publish(name);
        loop {
            match outcome {
                Outcome::Loaded(loaded) => return loaded,
                // On a busy machine others are waited for so long that the host looks for what is retired.
                Outcome::Retired(retired) => self.retired.push(retired),
                other => panic!("not loaded: {other:?}"),
            }
            outcome = self.next_outcome();
        }
    }

    /// Waits for a poll that begins after this call, and so for what the worker does at the beginning of each.
    #[track_caller]
    pub fn poll_now(&self) {
        let watcher = self.host.watcher().expect("the host has a watcher");
        assert!(watcher.poll_now(DEADLINE), "no poll ended in time");
    }

    /// Puts another build of the fixture in place, which is kept out; returns the step and the reason.
    #[track_caller]
    pub fn keep_out(&mut self, name: &str) -> (Step, String) {
        let outcome = self.publish(name);
        self.why(outcome)
    }

    /// Puts another build of the fixture in place, and returns what became of it.
    #[track_caller]
    pub fn publish(&mut self, name: &str) -> Outcome {
        self.builds += 1;
        self.put(&specimen(name, self.builds));
        self.next_outcome()
    }

    /// Puts a library in place, and makes the watcher look at it.
    #[track_caller]
    pub fn put(&self, library: &[u8]) {
        self.artifact.link(library);
        assert!(self.host.watcher().unwrap().poll_now(DEADLINE));
    }

    /// Waits for the next outcome that is worth a test's attention.
    #[track_caller]
    pub fn next_outcome(&mut self) -> Outcome {
        let deadline = Instant::now() + DEADLINE;
        while let Some(left) = deadline.checked_duration_since(Instant::now()) {
            match self.host.wait(left) {
                // A slow machine may see the moment between an unlink and a link.
                Some(Outcome::Trying(_) | Outcome::Missing | Outcome::Returned) | None => {}
                Some(outcome) if is_by_the_way(&outcome) => {}
                Some(outcome) => return outcome,
            }
        }
        panic!("nothing happened in time");
    }

    /// The step at which something was kept out and the reason, in the words that a person reads. The artifact is
    /// called `IT`.
    #[track_caller]
    pub fn why(&self, outcome: Outcome) -> (Step, String) {
        match outcome {
            Outcome::Kept(Kept { error, .. }) => (error.step(), self.told(&error)),
            other => panic!("not kept out: {other:?}"),
        }
    }

    /// An error and its causes in the words that a person reads. The artifact is called `IT`.
    pub fn told(&self, error: &dyn std::error::Error) -> String {
        let artifact = self.artifact.path().to_str().unwrap();
        chain(error).replace(artifact, "IT")
    }

    /// The number of the live generation.
    pub fn generation(&self) -> Option<u64> {
        self.host.live().map(|plugin| plugin.generation())
    }
}
