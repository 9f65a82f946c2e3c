//! The pulse: a worker's signs of life, and what its owner makes of their absence. A filesystem that hangs takes the
//! worker with it. The worker can then say nothing, so the owner looks.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The signs of life, written by the worker at each step that can hang, and read by the owner. The counts are only
/// ever compared, so nothing is ordered by them.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    beats: AtomicU64,
    is_polling: AtomicBool,
    /// How many polls have ended.
    ended: AtomicU64,
    /// Whether the last poll that looked at anything could not, and nobody was told, for that may end by itself; or took
    /// as long to fail as if it hung.
    is_failing: AtomicBool,
    /// How many troubles were said.
    troubles: AtomicU64,
}

impl Pulse {
    /// The worker goes on.
    pub(crate) fn beat(&self) {
        // Only the worker writes; a store is less than an increment.
        let beats = self.beats.load(Ordering::Relaxed);
        self.beats.store(beats.wrapping_add(1), Ordering::Relaxed);
    }

    /// A poll begins.
    pub(crate) fn begin(&self) {
        self.beat();
        self.is_polling.store(true, Ordering::Relaxed);
    }

    /// A trouble was said, whose end will be said, too.
    pub(crate) fn say(&self) {
        self.troubles.fetch_add(1, Ordering::Relaxed);
    }

    /// A poll has ended, with or without failing; `None` if it looked at nothing, because of a pause.
    pub(crate) fn end(&self, is_failing: Option<bool>) {
        if let Some(is_failing) = is_failing {
            self.is_failing.store(is_failing, Ordering::Relaxed);
        }
        let ended = self.ended.load(Ordering::Relaxed);
        self.ended.store(ended.wrapping_add(1), Ordering::Relaxed);
        // The news is in the queue before the owner can think that all is well.
        self.is_polling.store(false, Ordering::Release);
    }
}

/// A writer that passes bytes on, and gives a sign of life for each piece.
pub(crate) struct Beating<'a, W> {
    inner: W,
    pulse: &'a Pulse,
}

impl<'a, W> Beating<'a, W> {
    pub(crate) fn new(inner: W, pulse: &'a Pulse) -> Beating<'a, W> {
        Beating { inner, pulse }
    }
}

impl<W: Write> Write for Beating<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.pulse.beat();
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// How long one step of a poll can take before the worker is said to hang.
const STALLED_AFTER: Duration = Duration::from_secs(2);

/// The owner's watch over the worker's pulse.
#[derive(Debug)]
pub(crate) struct Vigil {
    beats: u64,
    since: Instant,
    /// How many polls had ended, and how many troubles were said, when a stall was reported, if one was.
    said: Option<(u64, u64)>,
}

/// News of a stall: the owner notices that the worker hangs, or goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stall {
    /// The worker waits for the filesystem, for this long already.
    Begun(Duration),
    /// The worker goes on, and nothing else is wrong.
    Over,
}

impl Vigil {
    pub(crate) fn new(now: Instant) -> Vigil {
        Vigil {
            beats: 0,
            since: now,
            said: None,
        }
    }

    /// Feels the pulse. Each stall is reported once, and so is its end.
    pub(crate) fn check(&mut self, now: Instant, pulse: &Pulse) -> Option<Stall> {
        let is_polling = pulse.is_polling.load(Ordering::Acquire);
        let beats = pulse.beats.load(Ordering::Relaxed);
        let ended = pulse.ended.load(Ordering::Relaxed);
        if !is_polling || beats != self.beats {
            self.beats = beats;
            self.since = now;
            if pulse.is_failing.load(Ordering::Relaxed) {
                return None;
            }
            // If the stall has ended in another trouble, that trouble was reported, and its end will be.
            let troubles = pulse.troubles.load(Ordering::Relaxed);
            let over = self.said.take_if(|(at, _)| *at != ended);
            return over
                .filter(|(_, before)| *before == troubles)
                .map(|_| Stall::Over);
        }
        let stalled = now.saturating_duration_since(self.since);
        if self.said.is_some() || stalled < STALLED_AFTER {
            return None;
        }
        self.said = Some((ended, pulse.troubles.load(Ordering::Relaxed)));
        Some(Stall::Begun(stalled))
    }
}

/// The counters of a worker, which goes on counting while they are read.
#[derive(Debug, Default)]
pub struct Counts {
    polls: AtomicU64,
    digests: AtomicU64,
}

impl Counts {
    /// Sets both counts as they are now.
    pub(crate) fn set(&self, polls: u64, digests: u64) {
        self.polls.store(polls, Ordering::Relaxed);
        self.digests.store(digests, Ordering::Relaxed);
    }

    /// How many polls have been made.
    pub fn polls(&self) -> u64 {
        self.polls.load(Ordering::Relaxed)
    }

    /// How many times an artifact was read and digested.
    pub fn digests(&self) -> u64 {
        self.digests.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_poll_that_does_not_move_is_said_once_and_so_is_its_end() {
        let (pulse, start) = (Pulse::default(), Instant::now());
        let mut vigil = Vigil::new(start);
        pulse.begin();
        assert_eq!(vigil.check(start, &pulse), None);
        assert_eq!(vigil.check(start + STALLED_AFTER / 2, &pulse), None);
        let begun = vigil.check(start + STALLED_AFTER, &pulse);
        assert_eq!(begun, Some(Stall::Begun(STALLED_AFTER)));
        assert_eq!(vigil.check(start + LONG, &pulse), None);
        pulse.beat();
        assert_eq!(
            vigil.check(start + LONG, &pulse),
            None,
            "the poll has not ended"
        );
        pulse.end(Some(false));
        assert_eq!(vigil.check(start + LONG, &pulse), Some(Stall::Over));
        assert_eq!(vigil.check(start + LONG, &pulse), None);
    }

    #[test]
    fn a_stall_that_ends_in_an_error_leaves_the_last_word_to_the_worker() {
        let (pulse, start) = (Pulse::default(), Instant::now());
        let mut vigil = Vigil::new(start);
        pulse.begin();
        vigil.check(start, &pulse);
        assert!(vigil.check(start + LONG, &pulse).is_some());
        pulse.say();
        pulse.end(Some(false));
        assert_eq!(vigil.check(start + LONG, &pulse), None);
        pulse.begin();
        pulse.end(Some(false));
        assert_eq!(vigil.check(start + LONG, &pulse), None);
    }

    #[test]
    fn a_stall_goes_on_while_looks_fail_and_is_over_when_one_has_succeeded() {
        let (pulse, start) = (Pulse::default(), Instant::now());
        let mut vigil = Vigil::new(start);
        pulse.begin();
        vigil.check(start, &pulse);
        assert!(vigil.check(start + LONG, &pulse).is_some());
        for failures in 1..5 {
            pulse.end(Some(true));
            assert_eq!(vigil.check(start + LONG * failures, &pulse), None);
            pulse.begin();
            let later = start + LONG * failures + LONG / 2;
            assert_eq!(vigil.check(later, &pulse), None, "it was said");
        }
        pulse.end(Some(false));
        assert_eq!(vigil.check(start + LONG * 5, &pulse), Some(Stall::Over));
    }

    #[test]
    fn a_trouble_that_was_said_and_is_over_leaves_no_end_of_a_stall_to_be_said() {
        let (pulse, start) = (Pulse::default(), Instant::now());
        let mut vigil = Vigil::new(start);
        pulse.begin();
        vigil.check(start, &pulse);
        assert!(vigil.check(start + LONG, &pulse).is_some());
        pulse.end(Some(true));
        assert_eq!(vigil.check(start + LONG, &pulse), None);
        // The worker says `degraded`, and `recovered` a second later.
        pulse.say();
        pulse.begin();
        pulse.end(Some(false));
        pulse.begin();
        pulse.end(Some(false));
        assert_eq!(vigil.check(start + LONG, &pulse), None, "said twice");
    }

    #[test]
    fn an_old_trouble_of_another_library_hides_no_end_of_a_stall() {
        let (pulse, start) = (Pulse::default(), Instant::now());
        let mut vigil = Vigil::new(start);
        pulse.begin();
        pulse.say();
        pulse.end(Some(false));
        pulse.begin();
        vigil.check(start, &pulse);
        assert!(vigil.check(start + LONG, &pulse).is_some());
        let mut over = 0;
        for _ in 0..5 {
            pulse.end(Some(false));
            over += u32::from(vigil.check(start + LONG, &pulse).is_some());
            pulse.begin();
        }
        pulse.end(Some(false));
        over += u32::from(vigil.check(start + LONG, &pulse).is_some());
        assert_eq!(over, 1, "the end of the stall is said once");
    }

    #[test]
    fn a_worker_that_moves_or_rests_has_not_stalled_however_seldom_one_looks() {
        let (pulse, start) = (Pulse::default(), Instant::now());
        let mut vigil = Vigil::new(start);
        for minute in 0..5 {
            let now = start + LONG * minute;
            pulse.begin();
            assert_eq!(vigil.check(now, &pulse), None, "another poll");
            let mut copy = Beating::new(io::sink(), &pulse);
            copy.write_all(b"x").unwrap();
            assert_eq!(vigil.check(now + LONG / 2, &pulse), None, "a long reading");
            pulse.end(Some(false));
            assert_eq!(vigil.check(now + LONG / 2, &pulse), None);
        }
    }
}
