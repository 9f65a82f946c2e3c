//! A host of fixtures, and the artifact that it watches.

use std::time::{Duration, Instant};

use fixtures::Fixture;
use replug::{Host, Loaded, Options, Outcome, Unload};

use crate::specimen::specimen;
use crate::vocabulary::{Artifact, DEADLINE, Scratch};

/// A host, where it is in a scratch directory.
pub struct World {
    pub host: Host<Fixture>,
    pub artifact: Artifact,
    pub scratch: Scratch,
    builds: u32,
}

impl World {
    /// A host with nothing to load yet.
    pub fn new() -> World {
        let scratch = Scratch::new();
        let artifact = scratch.artifact();
        let options = Options::new(artifact.path())
            .stage_dir(scratch.stage())
            .interval(Duration::from_millis(2))
            .settle(Duration::from_millis(10));
        World {
            host: Host::<Fixture>::watch(options).unwrap(),
            artifact,
            scratch,
            builds: 0,
        }
    }

    /// A host whose first generation is this fixture.
    #[track_caller]
    pub fn with(name: &str) -> World {
        let mut world = World::new();
        world.load(name);
        world
    }

    /// The same, and retired generations are unmapped if that can be.
    #[track_caller]
    pub fn unloading(name: &str) -> World {
        let World {
            host,
            artifact,
            scratch,
            builds,
        } = World::new();
        let host = host.unloading(Unload::WhenProven);
        let mut world = World {
            host,
            artifact,
            scratch,
            builds,
        };
        world.load(name);
        world
    }

    /// Puts another build of the fixture in place, which goes live.
    #[track_caller]
    pub fn load(&mut self, name: &str) -> Loaded {
        match self.publish(name) {
            Outcome::Loaded(loaded) => loaded,
            other => panic!("not loaded: {other:?}"),
        }
    }

    /// Puts another build of the fixture in place, and says what became of it.
    #[track_caller]
    pub fn publish(&mut self, name: &str) -> Outcome {
        self.builds += 1;
        self.artifact.link(&specimen(name, self.builds));
        self.next()
    }

    /// Waits for the next outcome that is worth a test's attention.
    #[track_caller]
    pub fn next(&mut self) -> Outcome {
        let deadline = Instant::now() + DEADLINE;
        while let Some(left) = deadline.checked_duration_since(Instant::now()) {
            match self.host.wait(left) {
                Some(Outcome::Waiting(_)) | None => {}
                Some(outcome) => return outcome,
            }
        }
        panic!("nothing happened in time");
    }
}
