//! A poller without a thread, on this machine's filesystem, by a clock that the test moves.

use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use replug::Options;
use replug::watch::{Clock, Files, News, Poller, StageDirectory};

use crate::Scratch;

/// A clock that stands still until it is moved.
#[derive(Clone)]
pub struct Hands(Rc<Cell<Instant>>);

impl Default for Hands {
    fn default() -> Hands {
        Hands(Rc::new(Cell::new(Instant::now())))
    }
}

impl Clock for Hands {
    fn now(&self) -> Instant {
        self.0.get()
    }
}

impl Hands {
    /// Moves the clock on, together with all its clones.
    pub fn turn(&self, duration: Duration) {
        self.0.set(self.0.get() + duration);
    }
}

/// A poller, and the hands of its clock.
pub struct ByHand<F: Files> {
    /// The poller, which polls when it is told to.
    pub poller: Poller<F, StageDirectory, Hands>,
    hands: Hands,
}

impl<F: Files> ByHand<F> {
    /// A poller of `path`, through `files`.
    pub fn watch(scratch: &Scratch, path: &Path, files: F) -> ByHand<F> {
        ByHand::with(scratch, Options::new(path), files)
    }

    /// A poller of what `options` name, through `files`.
    pub fn with(scratch: &Scratch, options: Options, files: F) -> ByHand<F> {
        ByHand::by(Hands::default(), scratch, options, files)
    }

    /// A poller of what `options` name, through `files`, by a clock that others move as well.
    pub fn by(hands: Hands, scratch: &Scratch, options: Options, files: F) -> ByHand<F> {
        let poller = Poller::with(options, files, stage_in(scratch), hands.clone());
        ByHand { poller, hands }
    }

    /// Lets time pass.
    pub fn pass(&self, time: Duration) {
        self.hands.turn(time);
    }

    /// Polls until nothing is left to follow, and returns how many artifacts are ready.
    pub fn poll_until_settled(&mut self) -> usize {
        /// Time that passes at each round: longer than anything has to hold still, and than any doubt about a
        /// timestamp lasts.
        const LONG: Duration = Duration::from_secs(60);
        /// The number of rounds: more than an artifact has stages on its way, and more than its first audits.
        const ROUNDS: usize = 12;
        let mut ready = 0;
        for _ in 0..ROUNDS {
            self.hands.turn(LONG);
            self.poll();
            let updates = self.poller.updates().try_iter();
            ready += updates
                .filter(|update| matches!(update.news, News::Ready(_)))
                .count();
        }
        ready
    }

    /// Polls once, and returns how long after its beginning the next poll is due.
    pub fn poll(&mut self) -> Duration {
        let now = self.hands.now();
        self.poller.poll(now) - now
    }

    /// The news of health, whereabouts and place in a few polls, which are seconds apart.
    pub fn news_of_a_while(&mut self) -> Vec<&'static str> {
        let mut said = Vec::new();
        for _ in 0..10 {
            self.pass(Duration::from_secs(3));
            self.poll();
            let updates = self.poller.updates().try_iter();
            said.extend(updates.filter_map(|update| match update.news {
                News::Degraded(_) => Some("degraded"),
                News::Recovered => Some("recovered"),
                News::Missing => Some("missing"),
                News::Returned => Some("returned"),
                News::Placed(_) => Some("placed"),
                _ => None,
            }));
        }
        said
    }

    /// Polls whenever a poll is due, for so long.
    pub fn poll_for(&mut self, time: Duration) {
        let end = self.hands.now() + time;
        while self.hands.now() < end {
            let begun = self.hands.now();
            let due = begun + self.poll();
            self.pass(due.saturating_duration_since(self.hands.now()));
        }
    }
}

/// A stage directory in `scratch`.
pub fn stage_in(scratch: &Scratch) -> StageDirectory {
    StageDirectory::new(Some(&scratch.stage())).unwrap()
}
