//! A mirror that is killed at any moment: the next one publishes a good build, and leaves nothing behind.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use vocabulary::pause;

use crate::ground::{Ground, LIBRARY, names};

#[test]
fn whenever_a_mirror_is_killed_the_next_one_publishes_a_good_build() {
    kills(number_of_kills(10));
}

/// How many kills a test makes: as many as `REPLUG_KILLS` says.
fn number_of_kills(usually: u64) -> u64 {
    std::env::var("REPLUG_KILLS").map_or(usually, |number| number.parse().unwrap())
}

#[test]
fn whenever_one_who_steers_is_killed_the_manifest_is_whole_and_the_next_decision_is_made() {
    for mut ground in [Ground::new(), Ground::in_a_directory()] {
        let digests = [ground.add(1), ground.add(2)].map(|it| it.to_string());
        let start = |number: usize| {
            [
                "start",
                &digests[number % 2],
                "--fleet",
                "rules",
                "--waves",
                "100%",
            ]
        };
        let begun = Instant::now();
        ground.decide(&start(0));
        let span = begun.elapsed().as_micros() * 3 / 2;
        let kills = u128::from(number_of_kills(6));
        let (mut known, mut answered) = (0, 0);
        for round in 0..kills {
            let action = ["back", "hold", "promote"][usize::try_from(round % 3).unwrap()];
            let mut steerer = ground.steers("ada", &[action]);
            // In another order than that of the actions, which would each have its own moments.
            let part = round * 7919 % 1000;
            pause(Duration::from_micros(
                u64::try_from(span * part / 1000).unwrap(),
            ));
            steerer.signal(Signal::KILL);
            steerer.wait_for_death();
            let said = steerer.said("decided");
            let said = said.last().map_or(0, |line| line.number("sequence"));
            drop(steerer);
            answered += u32::from(said > 0);
            // Whatever it says, it can be read and is signed; and what was said to be decided is.
            let status = ground.rollout(&["status"]);
            let sequence = status.said("rollout")[0].number("sequence");
            assert!(sequence >= said.max(known), "round {round}: {sequence}");
            known = sequence;
            // Else nothing is to be decided after a while.
            if round % 6 == 5 {
                ground.rollout(&["promote"]);
                ground.rollout(&start(usize::try_from(round / 6).unwrap()));
            }
        }
        println!("{answered} of {kills} had decided before they were killed");
        // At most one of these is no step; after both a rollout can begin.
        for action in ["promote", "promote"] {
            ground.rollout(&[action]);
        }
        let stable = ground.rollout(&["status"]).said("rollout")[0].0["stable"].clone();
        let other = usize::from(stable == digests[0].as_str());
        ground.decide(&start(other));
    }
}

pub(crate) fn kills(count: u64) {
    let mut ground = Ground::new();
    let builds = [ground.serve(1, 1), ground.serve(2, 2)];
    let begun = Instant::now();
    ground
        .mirror("h1", &["--once"])
        .end()
        .assert_quiet_success();
    // Until it has begun, looked, got the build, published it and ended; and half as long again.
    let span = begun.elapsed().as_micros() * 3 / 2;
    let mut fresh = 0;
    for round in 0..count {
        let wanted = ground.serve(usize::try_from(round % 2).unwrap() + 1, round + 3);
        let mut mirror = ground.mirror("h1", &["--interval-ms", "1"]);
        let part = u128::from(round * 7919 % 1000);
        pause(Duration::from_micros(
            u64::try_from(span * part / 1000).unwrap(),
        ));
        mirror.signal(Signal::KILL);
        mirror.wait_for_death();
        // At each moment there is one build or the other, whole; and what was said to be published is.
        let published = ground.published("h1").unwrap();
        assert!(builds.contains(&published), "round {round}");
        if !mirror.said("mirrored").is_empty() {
            assert_eq!(published, wanted, "round {round}");
        }
        fresh += u64::from(published == wanted);
    }
    let last = ground.serve(1, count + 3);
    let ended = ground.mirror("h1", &["--once"]).end();
    ended.assert_quiet_success();
    assert_eq!(ground.published("h1"), Some(last));
    let directory = ground.directory("h1");
    assert_eq!(names(&directory), [".replug-mirror", LIBRARY]);
    let nest = names(&directory.join(".replug-mirror"));
    let build = format!("{last}.build");
    assert!(
        nest.iter()
            .all(|it| [&build, "followed", "lock"].contains(&it.as_str())),
        "{nest:?}"
    );
    println!("{fresh} of {count} mirrors had published before they were killed");
}
