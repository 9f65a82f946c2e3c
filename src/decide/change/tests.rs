//! Tests of the tracker's decisions, against a clock that the test moves and files that are numbers.

use std::time::Duration;

use super::*;
use crate::look::files::{Locality, Names};
use crate::look::place::Place;
use crate::look::snapshot::{Kind, Stamp};
use crate::options::{Audit, Options};

const SETTLE: Duration = Duration::from_millis(200);
const GATE_MAX: Duration = Duration::from_secs(60);

/// Milliseconds before a failed step is tried again for the first time.
const RETRY_FIRST: u128 = 100;

/// A tracker, and the time on its clock.
struct Watch {
    tracker: Tracker,
    start: Instant,
    now: Instant,
    rules: Rules,
}

impl Watch {
    fn new(gate: GatePolicy) -> Watch {
        let start = Instant::now();
        let options = Options::new("artifact");
        let options = options.settle(SETTLE).gate(gate).gate_max(GATE_MAX);
        let rules = Rules {
            options: options.audit(Audit::Off),
            place: Place {
                filesystem: "ext4".into(),
                locality: Locality::Local,
                looks_can_lag: false,
                names: Names::ByLook,
                tells_writers: false,
                gate,
            },
        };
        Watch {
            tracker: Tracker::new(),
            start,
            now: start,
            rules,
        }
    }

    /// A tracker that rests on a finished `file` with the bytes `content`.
    fn resting_on(file: Snapshot, content: &str) -> Watch {
        let mut watch = Watch::new(GatePolicy::Off);
        assert_eq!(watch.look(file), Order::Stage);
        assert_eq!(watch.stage(content), None);
        watch.vet(content, Verdict::Good);
        watch.pass(Duration::from_secs(10));
        assert_eq!(
            watch.look(file),
            Order::Digest,
            "the first reading was racy"
        );
        assert_eq!(watch.digest(content), Order::Rest(None));
        assert!(watch.tracker.is_quiet(watch.now, &file));
        watch
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    /// Milliseconds from now until a rest ends.
    fn rest(&self, order: Order) -> u128 {
        match order {
            Order::Rest(Some(until)) => (until - self.now).as_millis(),
            order => panic!("{order:?} at {:?}", self.now - self.start),
        }
    }

    fn look(&mut self, file: Snapshot) -> Order {
        self.tracker.sees(self.now, file, &self.rules).0
    }

    fn ask(&mut self, gate: Gate) -> Order {
        self.tracker.gate(self.now, gate, &self.rules)
    }

    fn reading(&self, content: &str) -> Reading {
        Reading {
            begun: self.now,
            ended: self.now,
            digest: Digest::of(content.as_bytes()),
            is_proven: false,
        }
    }

    fn digest(&mut self, content: &str) -> Order {
        self.tracker.digested(self.reading(content), &self.rules)
    }

    fn stage(&mut self, content: &str) -> Option<Order> {
        self.tracker.staged(self.reading(content), &self.rules)
    }

    /// A reading in which the system has said that nobody could write to the file.
    fn stage_proven(&mut self, content: &str) -> Option<Order> {
        let reading = Reading {
            is_proven: true,
            ..self.reading(content)
        };
        self.tracker.staged(reading, &self.rules)
    }

    fn vet(&mut self, content: &str, verdict: Verdict) -> Order {
        let reading = self.reading(content);
        self.tracker.vetted(reading, verdict, &self.rules)
    }
}

/// A file that was linked into place some time after it was finished.
fn linked(inode: u64) -> Snapshot {
    let changed = Stamp {
        seconds: 1,
        nanoseconds: 20_000_000,
    };
    Snapshot {
        links: 2,
        changed,
        ..written(inode, 1)
    }
}

/// A file that somebody writes in place.
fn written(inode: u64, at: u32) -> Snapshot {
    let stamp = Stamp {
        seconds: 1,
        nanoseconds: at,
    };
    Snapshot {
        kind: Kind::File,
        device: 1,
        mount: 1,
        inode,
        links: 1,
        size: 4096,
        modified: stamp,
        changed: stamp,
        born: Some(Stamp {
            seconds: 1,
            nanoseconds: 0,
        }),
    }
}

#[test]
fn a_file_linked_or_renamed_into_place_is_read_at_once() {
    let renamed = Snapshot {
        changed: Stamp {
            seconds: 2,
            nanoseconds: 0,
        },
        ..written(2, 1)
    };
    for file in [linked(2), renamed] {
        let mut watch = Watch::resting_on(linked(1), "old");
        assert_eq!(watch.look(file), Order::Stage);
        assert_eq!(watch.stage("new"), None, "new bytes are vetted");
    }
}

#[test]
fn a_file_written_in_place_takes_two_equal_digests_a_settle_time_apart() {
    let mut watch = Watch::resting_on(linked(1), "old");
    let file = Snapshot {
        size: 5000,
        ..linked(1)
    };
    let order = watch.look(file);
    assert_eq!(
        watch.rest(order),
        LOOK_AGAIN.as_millis(),
        "it has not held still yet"
    );
    watch.pass(LOOK_AGAIN);
    assert_eq!(watch.look(file), Order::Digest);
    let order = watch.digest("new");
    assert_eq!(watch.rest(order), SETTLE.as_millis());
    watch.pass(SETTLE);
    assert_eq!(watch.look(file), Order::Stage);
    let order = watch
        .stage("newer")
        .expect("two different digests prove nothing");
    assert_eq!(watch.rest(order), SETTLE.as_millis());
    watch.pass(SETTLE);
    assert_eq!(watch.look(file), Order::Stage);
    assert_eq!(watch.stage("newer"), None);
}

#[test]
fn where_looks_can_lag_only_equal_contents_show_that_a_file_is_whole() {
    let mut watch = Watch::resting_on(linked(1), "old");
    watch.rules.place.looks_can_lag = true;
    // The file came as another file, after its last write; and somebody may be writing to it since that look was
    // fresh.
    let order = watch.look(linked(2));
    assert_eq!(watch.rest(order), LOOK_AGAIN.as_millis());
    watch.pass(LOOK_AGAIN);
    assert_eq!(watch.look(linked(2)), Order::Digest);
    watch.digest("half");
    watch.pass(SETTLE);
    assert_eq!(watch.look(linked(2)), Order::Stage);
    let order = watch.stage("whole").expect("it was not still");
    assert_eq!(watch.rest(order), SETTLE.as_millis());
    watch.pass(SETTLE);
    assert_eq!(watch.look(linked(2)), Order::Stage);
    assert_eq!(watch.stage("whole"), None);
}

#[test]
fn a_file_that_moves_is_not_read() {
    let mut watch = Watch::resting_on(linked(1), "old");
    for size in 5000..5100 {
        let order = watch.look(Snapshot { size, ..linked(1) });
        assert_eq!(watch.rest(order), LOOK_AGAIN.as_millis());
        watch.pass(LOOK_AGAIN);
    }
}

#[test]
fn a_digest_of_an_earlier_snapshot_proves_nothing_of_a_later_one() {
    let mut watch = Watch::resting_on(linked(1), "old");
    let (half, whole) = (written(1, 5), written(1, 6));
    watch.look(half);
    watch.pass(LOOK_AGAIN);
    assert_eq!(watch.look(half), Order::Digest);
    watch.digest("half");
    watch.pass(SETTLE);
    let order = watch.look(whole);
    assert_eq!(watch.rest(order), LOOK_AGAIN.as_millis());
    watch.pass(LOOK_AGAIN);
    assert_eq!(
        watch.look(whole),
        Order::Digest,
        "the first of two digests, again"
    );
}

#[test]
fn every_field_of_a_snapshot_makes_a_file_suspect() {
    let stamp = Stamp {
        seconds: 0,
        nanoseconds: 7,
    };
    let file = linked(1);
    for changed in [
        Snapshot { device: 9, ..file },
        Snapshot { mount: 9, ..file },
        Snapshot { inode: 9, ..file },
        Snapshot { links: 1, ..file },
        Snapshot { size: 9, ..file },
        Snapshot {
            modified: stamp,
            ..file
        },
        Snapshot {
            changed: stamp,
            ..file
        },
        Snapshot {
            born: Some(stamp),
            ..file
        },
        Snapshot { born: None, ..file },
    ] {
        let mut watch = Watch::resting_on(file, "old");
        assert!(!watch.tracker.is_quiet(watch.now, &changed), "{changed:?}");
        assert_ne!(watch.look(changed), Order::Rest(None), "{changed:?}");
    }
}

#[test]
fn touching_without_changing_bytes_is_no_news() {
    let mut watch = Watch::resting_on(linked(1), "same");
    let touched = written(1, 9);
    watch.look(touched);
    watch.pass(LOOK_AGAIN);
    assert_eq!(watch.look(touched), Order::Digest);
    watch.digest("same");
    watch.pass(SETTLE);
    assert_eq!(watch.look(touched), Order::Stage);
    assert!(
        watch.stage("same").is_some(),
        "equal bytes are not vetted again"
    );
    assert!(watch.tracker.is_quiet(watch.now, &touched));
}

#[test]
fn bytes_that_were_kept_out_are_not_vetted_again_and_others_are() {
    let mut watch = Watch::resting_on(linked(1), "good");
    assert_eq!(watch.look(linked(2)), Order::Stage);
    assert_eq!(watch.stage("bad"), None);
    watch.vet("bad", Verdict::Wrong);
    assert_eq!(watch.look(linked(3)), Order::Stage);
    assert!(watch.stage("bad").is_some());
    assert_eq!(watch.look(linked(4)), Order::Stage);
    assert_eq!(watch.stage("good"), None);
}

#[test]
fn what_was_read_in_the_tick_it_was_written_in_is_read_once_more() {
    let mut watch = Watch::resting_on(linked(1), "old");
    let file = linked(2);
    assert_eq!(watch.look(file), Order::Stage);
    assert_eq!(watch.stage("new"), None);
    let order = watch.vet("new", Verdict::Good);
    let racy = watch.rest(order);
    assert!(racy > 0 && !watch.tracker.is_quiet(watch.now, &file));
    watch.pass(file.racy_for());
    assert_eq!(watch.look(file), Order::Digest);
    // Somebody wrote within the tick, and the snapshot is the same.
    let order = watch.digest("newer");
    assert_eq!(
        watch.rest(order),
        SETTLE.as_millis(),
        "and now there is no strong evidence any more"
    );
    watch.pass(SETTLE);
    assert_eq!(watch.look(file), Order::Stage);
    assert_eq!(watch.stage("newer"), None);
}

#[test]
fn what_took_long_to_read_is_not_read_once_more_while_the_owner_loads_it() {
    let mut watch = Watch::resting_on(linked(1), "old");
    let file = linked(2);
    assert_eq!(watch.look(file), Order::Stage);
    let begun = watch.now;
    // Hundreds of megabytes.
    watch.pass(10 * file.racy_for());
    let reading = Reading {
        begun,
        ..watch.reading("new")
    };
    assert_eq!(watch.tracker.staged(reading, &watch.rules), None);
    let order = watch.tracker.vetted(reading, Verdict::Good, &watch.rules);
    assert!(watch.rest(order) >= 20);
    watch.pass(Duration::from_millis(20));
    assert_eq!(watch.look(file), Order::Digest);
}

#[test]
fn a_reading_that_began_after_the_tick_needs_no_confirmation() {
    let mut watch = Watch::resting_on(linked(1), "old");
    let file = written(1, 9);
    watch.look(file);
    watch.pass(LOOK_AGAIN);
    watch.look(file);
    watch.digest("new");
    watch.pass(SETTLE);
    watch.look(file);
    assert_eq!(watch.stage("new"), None);
    assert_eq!(watch.vet("new", Verdict::Good), Order::Rest(None));
    assert!(watch.tracker.is_quiet(watch.now, &file));
}

#[test]
fn coarse_stamps_stay_racy_for_longer_than_two_seconds() {
    let whole = Stamp {
        seconds: 7,
        nanoseconds: 0,
    };
    let file = Snapshot {
        modified: whole,
        changed: whole,
        ..linked(2)
    };
    assert!(file.racy_for() > Duration::from_secs(2));
    assert!(linked(2).racy_for() < Duration::from_millis(100));
}

#[test]
fn a_shut_gate_holds_back_until_it_opens_and_the_file_held_still() {
    let mut watch = Watch::new(GatePolicy::Auto);
    let file = written(1, 1);
    for _ in 0..10 {
        assert_eq!(watch.look(file), Order::Ask);
        watch.ask(Gate::Shut(None));
        assert_eq!(watch.tracker.waiting(), Some(Waiting::Gated(None)));
        watch.pass(Duration::from_secs(1));
    }
    assert_eq!(watch.look(file), Order::Ask);
    let order = watch.ask(Gate::Open);
    assert_eq!(
        watch.rest(order),
        LOOK_AGAIN.as_millis(),
        "the last writes may be newer than this look"
    );
    watch.pass(LOOK_AGAIN);
    assert_eq!(watch.look(file), Order::Ask);
    assert_eq!(watch.ask(Gate::Open), Order::Stage);
    assert_eq!(
        watch.stage("built"),
        None,
        "one digest is enough when a build has ended"
    );
}

#[test]
fn a_gate_that_is_open_or_absent_or_held_by_a_check_is_no_evidence() {
    for gate in [Gate::Open, Gate::Absent, Gate::Checked(holder("check"))] {
        let mut watch = Watch::new(GatePolicy::Auto);
        let file = written(1, 1);
        assert_eq!(watch.look(file), Order::Ask);
        watch.ask(gate);
        watch.pass(LOOK_AGAIN);
        assert_eq!(watch.look(file), Order::Ask);
        assert_eq!(watch.ask(gate), Order::Digest, "{gate:?}");
    }
}

#[test]
fn a_gate_that_never_opens_is_passed_with_two_digests_a_second_apart() {
    let mut watch = Watch::new(GatePolicy::Auto);
    let file = linked(1);
    assert_eq!(watch.look(file), Order::Ask);
    let order = watch.ask(Gate::Shut(None));
    assert_eq!(watch.rest(order), GATE_MAX.as_millis());
    watch.pass(GATE_MAX);
    assert_eq!(watch.look(file), Order::Ask);
    assert_eq!(
        watch.ask(Gate::Shut(None)),
        Order::Digest,
        "even a linked file needs two"
    );
    let order = watch.digest("built");
    assert_eq!(watch.rest(order), 1000);
}

/// A cargo with this subcommand, which holds a lock.
fn holder(subcommand: &str) -> Holder {
    Holder::new(4711, Some(subcommand.as_bytes()))
}

#[test]
fn a_lock_that_a_check_holds_holds_nothing_back() {
    let mut watch = Watch::new(GatePolicy::Auto);
    assert_eq!(watch.look(linked(1)), Order::Ask);
    assert_eq!(watch.ask(Gate::Checked(holder("check"))), Order::Stage);
}

#[test]
fn a_build_that_follows_a_check_shuts_the_gate_and_a_check_that_follows_a_build_opens_it() {
    let [build, check] = ["build", "check"].map(holder);
    let mut watch = Watch::new(GatePolicy::Auto);
    let file = written(1, 1);
    watch.look(file);
    watch.ask(Gate::Checked(check));
    assert_eq!(watch.tracker.waiting(), Some(Waiting::Settling));
    watch.look(file);
    let order = watch.ask(Gate::Shut(Some(build)));
    assert_eq!(watch.rest(order), GATE_MAX.as_millis());
    let said = watch.tracker.waiting();
    assert_eq!(said, Some(Waiting::Gated(Some(build))));
    watch.look(file);
    let order = watch.ask(Gate::Checked(check));
    assert_eq!(watch.rest(order), LOOK_AGAIN.as_millis());
    watch.pass(LOOK_AGAIN);
    watch.look(file);
    assert_eq!(watch.ask(Gate::Checked(check)), Order::Stage);
}

#[test]
fn a_required_gate_is_shut_by_a_check_as_by_a_build() {
    let check = holder("check");
    let mut watch = Watch::new(GatePolicy::Require);
    watch.look(linked(1));
    watch.ask(Gate::Checked(check));
    let said = watch.tracker.waiting();
    assert_eq!(said, Some(Waiting::Gated(Some(check))));
    assert_eq!(watch.ask(Gate::Open), Order::Stage);
}

#[test]
fn a_required_gate_that_is_not_there_is_shut() {
    let mut watch = Watch::new(GatePolicy::Require);
    assert_eq!(watch.look(linked(1)), Order::Ask);
    watch.ask(Gate::Absent);
    assert_eq!(watch.tracker.waiting(), Some(Waiting::Gated(None)));
    assert_eq!(watch.look(linked(1)), Order::Ask);
    assert_eq!(watch.ask(Gate::Open), Order::Stage);
}

#[test]
fn an_incomplete_file_is_tried_again_less_and_less_often_and_not_trusted() {
    let mut watch = Watch::resting_on(linked(1), "old");
    let file = linked(2);
    assert_eq!(watch.look(file), Order::Stage);
    assert_eq!(watch.stage("half"), None);
    let order = watch.vet("half", Verdict::Incomplete);
    assert_eq!(watch.rest(order), RETRY_FIRST);
    assert_eq!(watch.tracker.waiting(), Some(Waiting::Incomplete));
    let order = watch.look(file);
    assert_eq!(
        watch.rest(order),
        RETRY_FIRST,
        "nothing is read before that"
    );
    watch.pass(Duration::from_millis(100));
    assert_eq!(
        watch.look(file),
        Order::Digest,
        "its arrival is no evidence any more"
    );
    watch.digest("half");
    watch.pass(SETTLE);
    assert_eq!(watch.look(file), Order::Stage);
    assert_eq!(watch.stage("half"), None);
    let order = watch.vet("half", Verdict::Incomplete);
    assert_eq!(watch.rest(order), 2 * RETRY_FIRST);
    assert_eq!(
        watch.look(linked(3)),
        Order::Stage,
        "another file is judged anew"
    );
}

#[test]
fn what_failed_is_tried_again_within_two_seconds_for_ever() {
    let mut watch = Watch::resting_on(linked(1), "old");
    let file = linked(2);
    let mut longest = 0;
    for _ in 0..20 {
        assert_eq!(watch.look(file), Order::Stage);
        let order = watch.tracker.failed(watch.now);
        longest = watch.rest(order).max(longest);
        watch.pass(Duration::from_millis(watch.rest(order) as u64));
    }
    assert_eq!(longest, 2_000);
}

#[test]
fn what_failed_is_tried_at_once_if_somebody_asks() {
    let mut watch = Watch::resting_on(linked(1), "old");
    let file = linked(2);
    assert_eq!(watch.look(file), Order::Stage);
    watch.tracker.failed(watch.now);
    let order = watch.look(file);
    assert_eq!(watch.rest(order), RETRY_FIRST);
    watch.tracker.end_pause(watch.now);
    assert_eq!(watch.look(file), Order::Stage);
}

#[test]
fn a_second_name_alone_proves_nothing_for_it_stays_when_the_file_is_written_to() {
    let file = |inode| Snapshot {
        links: 2,
        ..written(inode, 1)
    };
    let mut watch = Watch::new(GatePolicy::Off);
    let order = watch.look(file(1));
    assert_eq!(watch.rest(order), LOOK_AGAIN.as_millis());
    let mut watch = Watch::resting_on(linked(1), "old");
    let order = watch.look(file(2));
    assert_eq!(watch.rest(order), LOOK_AGAIN.as_millis());
    assert_eq!(
        watch.look(linked(3)),
        Order::Stage,
        "linked after its last write"
    );
}

#[test]
fn a_gate_that_opens_now_and_then_holds_nothing_back_for_longer_than_the_cap() {
    let mut watch = Watch::new(GatePolicy::Auto);
    let mut orders = Vec::new();
    for round in 0..70 {
        // A writer in place, so that an open gate is never followed by a still file.
        let file = written(1, round);
        assert_eq!(watch.look(file), Order::Ask);
        let gate = if round % 10 == 9 {
            Gate::Open
        } else {
            Gate::Shut(None)
        };
        orders.push(watch.ask(gate));
        watch.pass(Duration::from_secs(1));
    }
    let file = written(1, 70);
    watch.look(file);
    watch.ask(Gate::Shut(None));
    watch.pass(LOOK_AGAIN);
    watch.look(file);
    assert_eq!(watch.ask(Gate::Shut(None)), Order::Digest);
}

#[test]
fn an_incomplete_file_that_another_takes_the_place_of_is_not_called_incomplete() {
    let mut watch = Watch::resting_on(linked(1), "old");
    assert_eq!(watch.look(linked(2)), Order::Stage);
    assert_eq!(watch.stage("half"), None);
    watch.vet("half", Verdict::Incomplete);
    watch.look(written(3, 1));
    assert_eq!(watch.tracker.waiting(), Some(Waiting::Settling));
}

#[test]
fn a_reading_that_is_torn_for_no_reason_that_a_look_can_see_is_not_repeated_all_the_time() {
    let mut watch = Watch::resting_on(linked(1), "old");
    let (start, mut readings) = (watch.now, 0);
    while watch.now - start < Duration::from_secs(60) {
        let order = watch.look(linked(2));
        let order = match order {
            Order::Stage => {
                readings += 1;
                watch.tracker.torn(watch.now, None, &watch.rules)
            }
            order => order,
        };
        watch.pass(Duration::from_millis(watch.rest(order) as u64));
    }
    assert!(readings <= 13, "{readings}");
}

#[test]
fn a_torn_reading_is_repeated_after_the_file_held_still() {
    let mut watch = Watch::resting_on(linked(1), "old");
    let file = written(1, 5);
    watch.look(file);
    watch.pass(LOOK_AGAIN);
    assert_eq!(watch.look(file), Order::Digest);
    watch.tracker.torn(watch.now, None, &watch.rules);
    let moved = written(1, 6);
    watch.look(moved);
    watch.pass(LOOK_AGAIN);
    assert_eq!(watch.look(moved), Order::Digest);
}

#[test]
fn a_short_absence_is_not_said_and_a_long_one_once() {
    let mut watch = Watch::resting_on(linked(1), "old");
    let (gone, mut said) = (watch.now, Vec::new());
    for _ in 0..20 {
        let absence = watch.tracker.absent(watch.now).1;
        said.extend(absence.map(|absence| (watch.now - gone, absence)));
        watch.pass(Duration::from_millis(100));
    }
    assert_eq!(said, [(Duration::from_secs(1), Whereabouts::Missing)]);
    let (_, absence) = watch.tracker.sees(watch.now, linked(2), &watch.rules);
    assert_eq!(absence, Some(Whereabouts::Returned));
}

#[test]
fn an_unlinked_library_is_looked_for_soon_and_its_return_is_no_news_by_itself() {
    let mut watch = Watch::resting_on(linked(1), "old");
    let (until, absence) = watch.tracker.absent(watch.now);
    assert_eq!((until, absence), (Some(watch.now + LOOK_AGAIN), None));
    let (order, absence) = watch.tracker.sees(watch.now, linked(1), &watch.rules);
    assert_eq!(absence, None);
    assert_ne!(order, Order::Stage, "the same file has not arrived");
}

#[test]
fn an_artifact_that_never_was_is_waited_for() {
    let mut watch = Watch::new(GatePolicy::Off);
    watch.pass(Duration::from_secs(100));
    assert_eq!(watch.tracker.absent(watch.now), (None, None));
    assert_eq!(watch.tracker.waiting(), Some(Waiting::Missing));
}

impl Watch {
    /// Passes the time until a digest is due of a `file` that looks as before; `None` if no digest is due within an
    /// hour.
    fn pass_until_digest(&mut self, file: Snapshot) -> Option<(u64, Order)> {
        let start = self.now;
        for _ in 0..3600 {
            self.pass(Duration::from_secs(1));
            if !self.tracker.is_quiet(self.now, &file) {
                let order = self.look(file);
                return Some(((self.now - start).as_secs(), order));
            }
        }
        None
    }
}

/// The seconds between audits of a file with the bytes `old`, each counted from the audit before.
fn audits(watch: &mut Watch, file: Snapshot) -> Vec<u64> {
    let mut due = Vec::new();
    while let Some((seconds, order)) = watch.pass_until_digest(file) {
        assert!(matches!(order, Order::Digest), "{order:?}");
        watch.digest("old");
        due.push(seconds);
        if due.len() == 5 {
            break;
        }
    }
    due
}

#[test]
fn a_good_arrival_on_a_local_filesystem_is_audited_once_and_a_weak_one_for_ever() {
    let mut watch = Watch::new(GatePolicy::Off);
    watch.rules.options.audit = Audit::Auto;
    let good = linked(1);
    assert_eq!(watch.look(good), Order::Stage);
    assert_eq!(watch.stage("old"), None);
    watch.vet("old", Verdict::Good);
    watch.pass(Duration::from_millis(100));
    assert_eq!(
        watch.look(good),
        Order::Digest,
        "the first reading was racy"
    );
    watch.digest("old");
    assert_eq!(audits(&mut watch, good), [2]);

    let weak = written(1, 2);
    watch.look(weak);
    watch.pass(LOOK_AGAIN);
    assert_eq!(watch.look(weak), Order::Digest);
    watch.digest("old");
    watch.pass(SETTLE);
    assert_eq!(watch.look(weak), Order::Stage);
    watch.stage("old");
    assert_eq!(audits(&mut watch, weak), [2, 10, 60, 300, 300]);
}

#[test]
fn bytes_that_change_under_an_equal_snapshot_are_found_by_an_audit_and_settle() {
    let mut watch = Watch::new(GatePolicy::Off);
    watch.rules.options.audit = Audit::Every(Duration::from_secs(5));
    let file = linked(1);
    assert_eq!(watch.look(file), Order::Stage);
    assert_eq!(watch.stage("old"), None);
    watch.vet("old", Verdict::Good);
    watch.pass(Duration::from_secs(5));
    assert_eq!(watch.look(file), Order::Digest);
    let order = watch.digest("new");
    assert_eq!(
        watch.rest(order),
        SETTLE.as_millis(),
        "it was not published whole"
    );
    watch.pass(SETTLE);
    assert_eq!(watch.look(file), Order::Stage);
    assert_eq!(watch.stage("new"), None, "that is news");
}

/// A file with a made-up number, and a tracker that has settled on the file although its number is another at each
/// look.
fn settled_among_made_up_numbers(locality: Locality) -> (impl Fn(u64) -> Snapshot, Watch) {
    let file = |inode| Snapshot {
        links: 1,
        ..linked(inode)
    };
    let mut watch = Watch::resting_on(file(1), "old");
    watch.rules.place.locality = locality;
    for inode in 2..20 {
        watch.look(file(inode));
        watch
            .tracker
            .torn(watch.now, Some(file(inode + 100)), &watch.rules);
        watch.pass(Duration::from_secs(11));
    }
    // Now the file holds still, but for its number.
    for inode in 20..30 {
        let order = watch.look(file(inode));
        watch.pass(SETTLE);
        match order {
            Order::Digest => drop(watch.digest("old")),
            Order::Stage => drop(watch.stage("old")),
            _ => {}
        }
    }
    (file, watch)
}

#[test]
fn inode_numbers_that_are_made_up_stop_being_looked_into_on_a_remote_filesystem_only() {
    for (locality, is_demoted) in [(Locality::Remote, true), (Locality::Local, false)] {
        let (file, watch) = settled_among_made_up_numbers(locality);
        let is_quiet = watch.tracker.is_quiet(watch.now, &file(99));
        assert_eq!(is_quiet, is_demoted, "{locality:?}");
    }
}

#[test]
fn what_was_taken_for_noise_counts_again_when_it_has_hidden_a_change() {
    let (_, mut watch) = settled_among_made_up_numbers(Locality::Remote);
    assert_ne!(watch.tracker.noise(), Fields::default());
    watch.digest("new");
    assert_eq!(watch.tracker.noise(), Fields::default());
}

#[test]
fn a_link_that_was_swapped_makes_an_equal_look_suspect() {
    let mut watch = Watch::resting_on(linked(1), "old");
    watch.tracker.moved(watch.now);
    assert!(!watch.tracker.is_quiet(watch.now, &linked(1)));
    let order = watch.look(linked(1));
    assert_eq!(order, Order::Digest, "nothing speaks for it: it settles");
}

#[test]
fn an_artifact_takes_little_room_for_there_can_be_thousands() {
    assert!(size_of::<Tracker>() <= 384, "{}", size_of::<Tracker>());
}

#[test]
fn an_open_gate_speaks_for_what_held_still_behind_it_if_the_stamps_can_show_that() {
    let coarse = |inode| {
        let whole = Stamp {
            seconds: 7,
            nanoseconds: 0,
        };
        Snapshot {
            modified: whole,
            changed: whole,
            ..written(inode, 1)
        }
    };
    for (file, wanted) in [(written(2, 1), Order::Stage), (coarse(2), Order::Digest)] {
        let mut watch = Watch::new(GatePolicy::Auto);
        watch.look(file);
        watch.ask(Gate::Shut(None));
        watch.pass(Duration::from_millis(250));
        watch.look(file);
        watch.ask(Gate::Open);
        watch.pass(LOOK_AGAIN);
        watch.look(file);
        assert_eq!(watch.ask(Gate::Open), wanted);
    }
    // The file was another one when the gate was last seen shut: somebody else may have begun.
    let mut watch = Watch::new(GatePolicy::Auto);
    watch.look(written(2, 1));
    watch.ask(Gate::Shut(None));
    for _ in 0..2 {
        watch.pass(LOOK_AGAIN);
        watch.look(written(2, 2));
        watch.ask(Gate::Open);
    }
    watch.look(written(2, 2));
    assert_eq!(watch.ask(Gate::Open), Order::Digest);
}

/// A tracker where the system tells who writes to a file, which rests on a file.
fn where_writers_show() -> Watch {
    let mut watch = Watch::resting_on(linked(1), "old");
    watch.rules.place.tells_writers = true;
    watch
}

#[test]
fn a_file_that_nobody_could_write_to_needs_to_hold_still_for_no_time_however_it_arrived() {
    let mut watch = where_writers_show();
    assert_eq!(watch.look(written(1, 5)), Order::Stage, "in place");
    assert_eq!(watch.tracker.proof(&watch.rules), Proof::Needed);
    assert_eq!(watch.stage_proven("new"), None);
    watch.vet("new", Verdict::Good);
    assert!(!watch.tracker.is_suspect());
    let in_a_tick = Snapshot {
        links: 1,
        ..written(2, 9)
    };
    assert_eq!(watch.look(in_a_tick), Order::Stage, "within a tick");
    assert_eq!(watch.stage_proven("newer"), None);
}

#[test]
fn a_file_that_is_written_to_is_waited_for_and_read_when_its_writer_is_gone() {
    let mut watch = where_writers_show();
    let file = written(1, 5);
    for _ in 0..100 {
        assert_eq!(watch.look(file), Order::Stage);
        let order = watch.tracker.written(watch.now, &watch.rules);
        assert_eq!(watch.rest(order), LOOK_AGAIN.as_millis());
        assert_eq!(watch.tracker.waiting(), Some(Waiting::Written(None)));
        watch.pass(LOOK_AGAIN);
    }
    assert_eq!(watch.look(file), Order::Stage);
    assert_eq!(watch.stage_proven("new"), None);
}

#[test]
fn who_has_a_file_for_himself_is_waited_for_as_long_as_a_shut_gate_and_then_is_trouble() {
    // Where nobody tells who writes, only the opening that is refused shows it.
    let mut watch = Watch::resting_on(linked(1), "old");
    assert!(watch.tracker.waits_for_writers(watch.now, &watch.rules));
    watch.look(written(1, 6));
    let since = watch.now;
    while watch.tracker.waits_for_writers(watch.now, &watch.rules) {
        let order = watch.tracker.written(watch.now, &watch.rules);
        assert_eq!(watch.rest(order), LOOK_AGAIN.as_millis());
        assert_eq!(watch.tracker.waiting(), Some(Waiting::Written(None)));
        watch.pass(Duration::from_secs(1));
    }
    assert_eq!(watch.now - since, GATE_MAX);
    watch.look(written(1, 7));
    assert!(
        watch.tracker.waits_for_writers(watch.now, &watch.rules),
        "he has written meanwhile"
    );
}

#[test]
fn a_file_that_arrived_whole_is_not_read_while_somebody_could_write_to_it() {
    let mut watch = where_writers_show();
    assert_eq!(watch.look(linked(2)), Order::Stage);
    assert_eq!(watch.tracker.proof(&watch.rules), Proof::Wanted);
    watch.tracker.written(watch.now, &watch.rules);
    assert_eq!(watch.tracker.waiting(), Some(Waiting::Written(None)));
    assert_eq!(watch.look(linked(2)), Order::Stage);
    assert_eq!(
        watch.stage("new"),
        None,
        "nobody knows, and it arrived whole"
    );
}

#[test]
fn a_file_whose_writers_nobody_knows_settles() {
    let mut watch = where_writers_show();
    let file = written(1, 5);
    assert_eq!(watch.look(file), Order::Stage);
    let order = watch.tracker.unproven(watch.now, &watch.rules);
    assert_eq!(watch.rest(order), LOOK_AGAIN.as_millis());
    watch.pass(LOOK_AGAIN);
    assert_eq!(watch.look(file), Order::Digest);
    assert_eq!(watch.tracker.waiting(), Some(Waiting::Settling));
    let order = watch.digest("new");
    assert_eq!(watch.rest(order), SETTLE.as_millis());
}

#[test]
fn a_file_that_is_kept_open_for_ever_and_does_not_change_settles_in_the_end() {
    let mut watch = where_writers_show();
    let file = written(1, 5);
    let begun = watch.now;
    while watch.look(file) == Order::Stage {
        watch.tracker.written(watch.now, &watch.rules);
        watch.pass(Duration::from_secs(1));
    }
    assert_eq!(watch.now - begun, GATE_MAX + Duration::from_secs(1));
    watch.pass(LOOK_AGAIN);
    assert_eq!(watch.look(file), Order::Digest);
    assert_eq!(watch.look(written(1, 6)), Order::Stage, "it goes on");
}

#[test]
fn a_lock_whose_holder_nobody_sees_holds_what_nobody_could_write_to_back_for_five_seconds() {
    let five = Duration::from_secs(5);
    let mut watch = where_writers_show();
    watch.rules.place.gate = GatePolicy::Auto;
    assert_eq!(watch.look(linked(2)), Order::Ask);
    let order = watch.ask(Gate::Shut(None));
    assert_eq!(watch.rest(order), five.as_millis());
    watch.pass(five);
    watch.look(linked(2));
    assert_eq!(watch.ask(Gate::Shut(None)), Order::Stage);
    assert_eq!(
        watch.tracker.proof(&watch.rules),
        Proof::Needed,
        "however it arrived"
    );
    let order = watch.tracker.unproven(watch.now, &watch.rules);
    assert_eq!(watch.rest(order), (GATE_MAX - five).as_millis(), "no proof");
    assert!(matches!(
        watch.tracker.waiting(),
        Some(Waiting::Gated(None))
    ));
}

#[test]
fn a_build_that_can_be_seen_and_a_lock_that_must_be_free_hold_back_for_as_long_as_the_cap() {
    let build = Holder::new(7, Some(b"build"));
    for (gate, policy) in [
        (Gate::Shut(Some(build)), GatePolicy::Auto),
        (Gate::Shut(None), GatePolicy::Require),
    ] {
        let mut watch = where_writers_show();
        watch.rules.place.gate = policy;
        watch.look(linked(2));
        let order = watch.ask(gate);
        assert_eq!(watch.rest(order), GATE_MAX.as_millis());
    }
}
