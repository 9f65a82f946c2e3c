//! The schedule: when to poll next. Pure. On a local filesystem polls are brisk while somebody works, and after that
//! at the interval that the user said, at a fixed phase. On a remote filesystem others pay for a poll too, so the polls
//! are spread, slow down after long quiet, and keep their share of the time small.

use std::time::{Duration, Instant};

/// Time between polls of a local filesystem while somebody works, unless the interval is shorter. A build that arrives
/// is found 12 ms later on average, which nobody notices, and forty polls a second of one library are a ten-thousandth of a processor.
const BRISK: Duration = Duration::from_millis(25);

/// Time between polls, at most, while a build holds back a library that it has put into place: if that is its last, cargo
/// needs some 20 ms from there to its end. For so long at most from the first one on, because a build that goes on with other
/// crates can hold its lock for minutes.
const IMMINENT: Duration = Duration::from_millis(5);
const IMMINENT_FOR: Duration = Duration::from_millis(250);

/// How long somebody counts as working after a change: longer than most pauses between two builds. Whatever changes
/// more often than that is polled briskly for ever; each of its changes costs more than all these polls.
const AT_WORK: Duration = Duration::from_secs(5 * 60);

/// How much of an interval the jitter can cut off: one part in this many. Some hundred hosts that were started
/// together no longer poll in step after some twenty polls.
const JITTER: u32 = 20;

/// The quiet after which a remote filesystem is polled half as often, and the quiet after which a quarter as often.
const QUIET: Duration = Duration::from_secs(5 * 60);
const LONG_QUIET: Duration = Duration::from_secs(10 * 60);

/// The longest interval that quiet leads to, unless the user's is longer.
const SLOWEST: Duration = Duration::from_secs(2);

/// The parts of rest for each part of looking, so that looking takes 5 % of the time. A look that takes longer than
/// three seconds is not slow but hangs, and the rest is not made longer for such a look.
const REST: u32 = 19;
const LONGEST_REST: Duration = Duration::from_secs(60);

/// The rest that follows looks which took so long.
pub(crate) fn rest_after(took: Duration) -> Duration {
    took.saturating_mul(REST).min(LONGEST_REST)
}

/// The schedule of one poller: what the last polls say about the next one.
#[derive(Debug)]
pub(crate) struct Schedule {
    interval: Duration,
    steady: bool,
    /// Until when somebody counts as working on a local filesystem; `None` when that is over.
    brisk_until: Option<Instant>,
    /// Until when the end of a build that holds a library back counts as imminent; `None` if no build does.
    imminent_until: Option<Instant>,
    /// The jitter's state.
    random: u64,
    first: Option<Instant>,
    /// The phase that was found last, and of which pace: an idle poll takes no division.
    phase: Option<(Duration, Instant)>,
    /// When the next poll is due by the interval. A poll can come earlier, for an artifact that is suspect.
    due: Option<Instant>,
    /// Since when nothing has been suspect.
    quiet_since: Option<Instant>,
    /// How long the last two polls took.
    took: [Duration; 2],
}

impl Schedule {
    pub(crate) fn new(interval: Duration, steady: bool, seed: u64) -> Schedule {
        Schedule {
            interval,
            steady,
            brisk_until: None,
            imminent_until: None,
            random: seed,
            first: None,
            phase: None,
            due: None,
            quiet_since: None,
            took: [Duration::ZERO; 2],
        }
    }

    /// Somebody works: a poll at `now` found a change, or a build that is running.
    pub(crate) fn works(&mut self, now: Instant) {
        if !self.steady {
            self.brisk_until = Some(now + AT_WORK);
        }
    }

    /// A poll at `now` found a build that holds a change back.
    pub(crate) fn held_back(&mut self, now: Instant) {
        if !self.steady {
            self.imminent_until.get_or_insert(now + IMMINENT_FOR);
        }
    }

    /// A poll found no build that holds a change back.
    pub(crate) fn let_go(&mut self) {
        self.imminent_until = None;
    }

    /// When to poll a local filesystem next, after a poll at `now`. No wait is longer than the interval.
    pub(crate) fn next_local(&mut self, now: Instant) -> Instant {
        let pace = match self.brisk_until {
            None => self.interval,
            Some(_) if self.imminent_until.is_some_and(|until| now < until) => {
                self.interval.min(IMMINENT)
            }
            Some(until) if now < until => self.interval.min(BRISK),
            Some(_) => {
                self.brisk_until = None;
                self.interval
            }
        };
        self.next_phase(now, pace)
    }

    /// The first whole `interval` after `now`, counted from the first poll. Missed polls are not made up for.
    fn next_phase(&mut self, now: Instant, interval: Duration) -> Instant {
        // Time only goes on, so what comes before the phase that was found last has that phase too.
        if let Some((of, phase)) = self.phase
            && of == interval
            && now < phase
        {
            return phase;
        }
        let phase = self.find_phase(now, interval);
        self.phase = Some((interval, phase));
        phase
    }

    /// Finds the phase that [`next_phase`](Schedule::next_phase) remembers.
    fn find_phase(&mut self, now: Instant, interval: Duration) -> Instant {
        let first = *self.first.get_or_insert(now);
        let interval = interval.as_nanos();
        let passed = now.saturating_duration_since(first).as_nanos();
        let offset = (passed / interval + 1) * interval;
        first + Duration::from_nanos(offset.try_into().unwrap_or(u64::MAX))
    }

    /// When to poll a remote filesystem next, after a poll from `begun` to `ended`, of which a `round` that has a pace of
    /// its own took so long.
    pub(crate) fn next_remote(
        &mut self,
        begun: Instant,
        ended: Instant,
        round: Duration,
        busy: bool,
    ) -> Instant {
        let quiet_since = self.quiet_since.filter(|_| !busy).unwrap_or(begun);
        self.quiet_since = Some(quiet_since);
        let took = ended.saturating_duration_since(begun);
        let took = took.saturating_sub(round);
        let [_, last] = self.took;
        // One poll that hung says nothing about the next poll; two slow polls do. Reading is not looking, so a poll
        // that may have read a file can only show that looks are faster.
        self.took = [last, if busy { took.min(last) } else { took }];
        let pace = self.pace(begun.saturating_duration_since(quiet_since));
        let due = match self.due {
            // This poll came early, for an artifact that is suspect.
            Some(due) if due > begun => due,
            _ => begun + pace - self.jitter(pace),
        };
        let due = due.max(ended + rest_after(self.took[0].min(self.took[1])));
        self.due = Some(due);
        due
    }

    fn pace(&self, quiet: Duration) -> Duration {
        let factor = match quiet {
            _ if self.steady => 1,
            quiet if quiet >= LONG_QUIET => 4,
            quiet if quiet >= QUIET => 2,
            _ => 1,
        };
        (self.interval * factor).min(SLOWEST.max(self.interval))
    }

    /// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
    fn jitter(&mut self, pace: Duration) -> Duration {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let share = (mixed >> 32) as u32;
        (pace / JITTER).mul_f64(f64::from(share) / f64::from(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_millis(250);
    const LOOK: Duration = Duration::from_millis(2);

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    /// Polls a remote filesystem `count` times, each poll taking `took`, and returns the times in between.
    fn pauses(
        schedule: &mut Schedule,
        start: Instant,
        took: Duration,
        count: usize,
    ) -> Vec<Duration> {
        let mut now = start;
        let mut poll = || {
            let next = schedule.next_remote(now, now + took, Duration::ZERO, false);
            let pause = next - now;
            now = next;
            pause
        };
        (0..count).map(|_| poll()).collect()
    }

    #[test]
    fn polls_are_at_whole_intervals_from_the_first_and_what_was_missed_is_not_made_up_for() {
        let mut schedule = Schedule::new(INTERVAL, false, 0);
        let first = Instant::now();
        assert_eq!(schedule.next_local(first), first + INTERVAL);
        assert_eq!(schedule.next_local(first + ms(260)), first + 2 * INTERVAL);
        assert_eq!(schedule.next_local(first + ms(10_100)), first + ms(10_250));
    }

    /// The wait after a local poll that was so long after a change, on a schedule whose polls began with it.
    fn wait_after_a_change(interval: Duration, steady: bool, later: Duration) -> Duration {
        let mut schedule = Schedule::new(interval, steady, 0);
        let first = Instant::now();
        schedule.next_local(first);
        schedule.works(first);
        let now = first + later;
        schedule.next_local(now) - now
    }

    #[test]
    fn a_change_makes_local_polls_brisk_for_five_minutes() {
        let wait = |later| wait_after_a_change(INTERVAL, false, later);
        assert_eq!(wait(Duration::ZERO), BRISK);
        assert_eq!(wait(AT_WORK - BRISK), BRISK);
        assert_eq!(wait(AT_WORK), INTERVAL);
        assert_eq!(wait(3 * AT_WORK), INTERVAL);
    }

    #[test]
    fn each_change_begins_the_brisk_time_anew() {
        let mut schedule = Schedule::new(INTERVAL, false, 0);
        let first = Instant::now();
        schedule.next_local(first);
        for number in 0..10 {
            let change = first + number * (AT_WORK - INTERVAL);
            assert!(schedule.next_local(change) - change <= INTERVAL);
            schedule.works(change);
            let last = change + AT_WORK - INTERVAL;
            assert_eq!(schedule.next_local(last) - last, BRISK, "after {number}");
        }
    }

    #[test]
    fn no_local_wait_is_longer_than_the_interval_before_during_or_after_the_brisk_time() {
        for interval in [ms(1), ms(10), ms(60), INTERVAL, ms(5000)] {
            for later in [
                Duration::ZERO,
                ms(17),
                AT_WORK - ms(1),
                AT_WORK,
                2 * AT_WORK,
            ] {
                let wait = wait_after_a_change(interval, false, later);
                assert!(
                    wait <= interval,
                    "{wait:?} of {interval:?}, {later:?} later"
                );
            }
        }
        assert_eq!(wait_after_a_change(ms(10), false, ms(100)), ms(10));
    }

    #[test]
    fn the_end_of_a_build_that_holds_a_library_back_is_imminent_for_a_moment_and_for_each_build_anew()
     {
        let mut schedule = Schedule::new(INTERVAL, false, 0);
        let first = Instant::now();
        schedule.next_local(first);
        let mut wait = |now: Instant, is_held| {
            schedule.works(now);
            match is_held {
                true => schedule.held_back(now),
                false => schedule.let_go(),
            }
            schedule.next_local(now) - now
        };
        for build in [first, first + AT_WORK] {
            assert_eq!(wait(build, true), IMMINENT);
            assert_eq!(wait(build + IMMINENT_FOR - IMMINENT, true), IMMINENT);
            assert_eq!(wait(build + IMMINENT_FOR, true), BRISK);
            assert_eq!(wait(build + 2 * IMMINENT_FOR, false), BRISK);
        }
        let mut steady = Schedule::new(INTERVAL, true, 0);
        steady.works(first);
        steady.held_back(first);
        assert_eq!(steady.next_local(first) - first, INTERVAL);
    }

    #[test]
    fn a_steady_schedule_keeps_the_interval_whatever_changes() {
        assert_eq!(
            wait_after_a_change(INTERVAL, true, Duration::ZERO),
            INTERVAL
        );
    }

    #[test]
    fn a_change_makes_remote_polls_no_brisker() {
        let start = Instant::now();
        let mut schedule = Schedule::new(INTERVAL, false, 0);
        schedule.works(start);
        let pause = schedule.next_remote(start, start, Duration::ZERO, true) - start;
        assert!(pause >= INTERVAL - INTERVAL / JITTER, "{pause:?}");
    }

    #[test]
    fn jitter_shortens_by_up_to_a_twentieth_and_hosts_fall_out_of_step() {
        let start = Instant::now();
        let of = |seed| pauses(&mut Schedule::new(INTERVAL, true, seed), start, LOOK, 100);
        let (one, other) = (of(1), of(2));
        for pause in one.iter().chain(&other) {
            assert!(
                (INTERVAL - INTERVAL / JITTER..=INTERVAL).contains(pause),
                "{pause:?}"
            );
        }
        assert_ne!(one, other);
        assert_eq!(one, of(1), "equal seeds, equal polls");
    }

    #[test]
    fn long_quiet_slows_remote_polls_down_and_a_change_ends_that() {
        let start = Instant::now();
        let about = |interval: Duration| interval - interval / JITTER..=interval;
        let polled_at = |interval: Duration, steady, minutes: u64| {
            let mut schedule = Schedule::new(interval, steady, 0);
            schedule.next_remote(start, start, Duration::ZERO, true);
            let now = start + Duration::from_secs(60 * minutes);
            let next = schedule.next_remote(now, now, Duration::ZERO, false);
            let after_a_change = schedule.next_remote(next, next, Duration::ZERO, true) - next;
            assert!(
                about(interval).contains(&after_a_change),
                "{after_a_change:?} after a change"
            );
            next - now
        };
        assert!(about(INTERVAL).contains(&polled_at(INTERVAL, false, 4)));
        assert!(about(2 * INTERVAL).contains(&polled_at(INTERVAL, false, 5)));
        assert!(about(4 * INTERVAL).contains(&polled_at(INTERVAL, false, 10)));
        assert!(
            about(INTERVAL).contains(&polled_at(INTERVAL, true, 10)),
            "steady"
        );
        assert!(
            about(SLOWEST).contains(&polled_at(ms(900), false, 10)),
            "never above 2 s"
        );
        assert!(
            about(ms(5000)).contains(&polled_at(ms(5000), false, 10)),
            "but as the user said"
        );
    }

    #[test]
    fn slow_looks_take_a_twentieth_of_the_time_and_one_that_hung_changes_nothing() {
        let start = Instant::now();
        let mut schedule = Schedule::new(INTERVAL, true, 0);
        let slow = pauses(&mut schedule, start, ms(100), 3);
        assert!(slow[0] <= INTERVAL, "one slow poll proves nothing");
        assert_eq!(slow[1..], [ms(2000), ms(2000)]);

        let mut schedule = Schedule::new(INTERVAL, true, 0);
        let hung = start + Duration::from_secs(30);
        schedule.next_remote(start, start + LOOK, Duration::ZERO, false);
        let next = schedule.next_remote(start + INTERVAL, hung, Duration::ZERO, false);
        assert!(next <= hung + 20 * LOOK, "{:?} after its end", next - hung);
    }

    #[test]
    fn a_poll_that_came_early_moves_the_next_one_nowhere() {
        let start = Instant::now();
        let mut schedule = Schedule::new(INTERVAL, true, 0);
        let due = schedule.next_remote(start, start, Duration::ZERO, false);
        assert_eq!(
            schedule.next_remote(start + ms(20), start + ms(20), Duration::ZERO, true),
            due
        );
        assert!(schedule.next_remote(due, due, Duration::ZERO, true) > due);
    }
}
