//! The quiet after a save: one save is often several writes, and a checkout is hundreds. Pure; the clock is given.

use std::time::{Duration, Instant};

/// How long nothing may change before a build begins: longer than the steps of one save are apart (a truncation and the
/// writing; a file aside and its renaming), and hardly a tenth of the shortest build.
pub(super) const QUIET: Duration = Duration::from_millis(30);

/// How long changes can put a build off. A build that begins within them is ended by the next one.
const LONGEST: Duration = Duration::from_millis(500);

/// The time since sources began to change.
#[derive(Debug, Default)]
pub(super) struct Quiet {
    /// The first and the last change that nothing was made of yet.
    stirred: Option<(Instant, Instant)>,
}

impl Quiet {
    /// Something has changed. Returns whether that is the first change that nothing was made of yet.
    pub(super) fn stir(&mut self, now: Instant) -> bool {
        let before = self.stirred;
        let first = before.map_or(now, |(first, _)| first);
        self.stirred = Some((first, now));
        before.is_none()
    }

    /// Whether something has changed, and nothing since for long enough. Told once.
    pub(super) fn is_over(&mut self, now: Instant) -> bool {
        let is_due = |(first, last): &mut (Instant, Instant)| {
            now >= *last + QUIET || now >= *first + LONGEST
        };
        self.stirred.take_if(is_due).is_some()
    }

    /// Whether something has changed and the quiet is not over.
    pub(super) fn is_stirred(&self) -> bool {
        self.stirred.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(1);

    #[test]
    fn nothing_is_over_that_has_not_begun() {
        let mut quiet = Quiet::default();
        assert!(!quiet.is_over(Instant::now() + LONGEST));
    }

    #[test]
    fn two_saves_in_short_order_are_one() {
        let (mut quiet, start) = (Quiet::default(), Instant::now());
        assert!(quiet.stir(start));
        assert!(!quiet.stir(start + QUIET / 2));
        assert!(!quiet.is_over(start + QUIET), "the second save is too new");
        assert!(quiet.is_stirred());
        assert!(quiet.is_over(start + QUIET / 2 + QUIET));
        assert!(!quiet.is_over(start + QUIET * 9), "it is told once");
    }

    #[test]
    fn changes_without_end_do_not_put_a_build_off_for_ever() {
        let (mut quiet, start) = (Quiet::default(), Instant::now());
        let mut now = start;
        while !quiet.is_over(now) {
            let _ = quiet.stir(now);
            now += TICK;
        }
        assert_eq!(now, start + LONGEST);
    }
}
