//! A lab for the faults of a filesystem, one at a time, on a filesystem that fails when it is told to.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use vocabulary::{Artifact, DEADLINE, Program, library, mixable, pause, version, wait_until};

use crate::faulty::{EIO, Faults, Faulty, Operation};
use crate::shared::{CHANGES, FRESH, Shared, compare, time_to_answer};

const EACCES: i32 = 13;
const ETIMEDOUT: i32 = 110;
const ESTALE: i32 = 116;

/// A mount of which the kernel remembers nothing: each look asks the filesystem.
fn mount(shared: &Shared) -> Faulty {
    Faulty::mount(&shared.server, &shared.client, Duration::ZERO)
}

#[test]
fn a_daemon_that_serves_by_number_of_file_is_listed_first_and_answers() {
    for seconds in [3, 60] {
        let remembers = Duration::from_secs(seconds);
        let name = format!("by number of file, {seconds} s");
        let times = compare(&name, |server, at| Faulty::mount(server, at, remembers));
        for (change, time) in times {
            assert!(time < FRESH, "{change}: {time:?}");
        }
    }
}

#[test]
fn each_error_is_said_once_and_its_end_too_and_changes_nothing() {
    let shared = Shared::new();
    shared.artifact().link(&library(1));
    let mount = mount(&shared);
    let mut program = shared.watch(&shared.seen());
    program.wait_for_answer(&version(1));
    let mut told = 0;
    for operation in [Operation::Find, Operation::Look, Operation::Open] {
        for (errno, words) in [
            (EIO, "Input/output error"),
            (EACCES, "Permission denied"),
            (ETIMEDOUT, "timed out"),
            (ESTALE, "Stale file handle"),
        ] {
            mount.set(|faults| {
                faults.errors.insert(operation, errno);
            });
            let line = program.wait_for_event("degraded");
            let reason = line.text("reason").to_owned();
            assert!(reason.contains(words), "{operation:?} {errno}: {reason}");
            program.go_on_for(Duration::from_millis(500));
            mount.heal();
            program.wait_for_event("recovered");
            told += 1;
            assert_eq!(
                program.said("degraded").len(),
                told,
                "{operation:?} {errno}"
            );
        }
    }
    let updated = time_to_answer(&mut program, 2, || shared.artifact().link(&library(2)));
    assert!(updated < FRESH, "{updated:?}");
    let ended = program.stop();
    assert_eq!(ended.said("missing").len(), 0);
    assert_eq!(ended.said("loaded").len(), 2);
    assert_eq!(ended.said("recovered").len(), told);
    drop(mount);
    shared.scratch.assert_nothing_staged();
}

#[test]
fn a_directory_that_cannot_be_listed_hides_no_change_of_a_file_in_it() {
    let shared = Shared::new();
    let artifact = shared.artifact();
    artifact.link(&library(1));
    let mount = mount(&shared);
    mount.set(|faults| {
        faults.errors.insert(Operation::List, EACCES);
    });
    let mut program = shared.watch(&shared.seen());
    program.wait_for_answer(&version(1));
    for (number, (change, publish)) in (2..).zip(CHANGES) {
        let publish = || publish(&artifact, &library(number));
        let time = time_to_answer(&mut program, number, publish);
        assert!(time < FRESH, "{change}: {time:?}");
    }
    program.stop().assert_quiet_success();
}

#[test]
fn an_error_that_is_over_within_a_second_is_not_worth_a_word() {
    let shared = Shared::new();
    shared.artifact().link(&library(1));
    let mount = mount(&shared);
    let mut program = shared.watch(&shared.seen());
    program.wait_for_answer(&version(1));
    for _ in 0..5 {
        let before = mount.asked(Operation::Look).len();
        mount.set(|faults| {
            faults.errors.insert(Operation::Look, ESTALE);
        });
        // One look fails, and the next one must not: heal as soon as the look was asked for.
        let deadline = Instant::now() + DEADLINE;
        while mount.asked(Operation::Look).len() == before {
            assert!(Instant::now() < deadline, "nobody looks");
            pause(Duration::from_millis(1));
        }
        mount.heal();
        program.go_on_for(Duration::from_millis(1500));
    }
    let ended = program.stop();
    ended.assert_quiet_success();
    assert_eq!(ended.said("loaded").len(), 1);
}

#[test]
fn a_content_that_cannot_be_read_keeps_the_live_one_until_it_can() {
    for errno in [EIO, ESTALE] {
        let shared = Shared::new();
        let artifact = shared.artifact();
        artifact.link(&library(1));
        let mount = mount(&shared);
        let mut program = shared.watch(&shared.seen());
        program.wait_for_answer(&version(1));
        mount.set(|faults| {
            faults.errors.insert(Operation::Read, errno);
        });
        artifact.link(&library(2));
        program.wait_for_event("degraded");
        program.go_on_for(Duration::from_secs(1));
        program.wait_for_answer(&version(1));
        mount.heal();
        program.wait_for_answer(&version(2));
        program.wait_for_event("recovered");
        let ended = program.stop();
        assert_eq!(ended.said("degraded").len(), 1);
        assert_eq!(ended.said("loaded").len(), 2);
        drop(mount);
        shared.scratch.assert_nothing_staged();
    }
}

#[test]
fn what_is_listed_and_not_found_is_not_missing() {
    for hidden in ["libplugin01.so", "real.so"] {
        let shared = Shared::new();
        // A link to a file beside it, so that either of the two can be the one not found.
        Artifact::at(shared.server.join("real.so")).overwrite(&library(1));
        symlink("real.so", shared.artifact().path()).unwrap();
        let mount = mount(&shared);
        let mut program = shared.watch(&shared.seen());
        program.wait_for_answer(&version(1));
        mount.set(|faults| faults.hides = Some(hidden));
        let line = program.wait_for_event("degraded");
        let reason = line.text("reason");
        assert!(reason.contains("though its directory lists it"), "{reason}");
        program.go_on_for(Duration::from_secs(1));
        mount.heal();
        program.wait_for_event("recovered");
        let ended = program.stop();
        assert_eq!(ended.said("missing").len(), 0, "{hidden}");
        assert_eq!(ended.said("loaded").len(), 1);
    }
}

#[test]
fn half_a_listing_removes_nothing() {
    let shared = Shared::new();
    let artifacts: Vec<Artifact> = ["a", "b", "c"]
        .map(|name| Artifact::at(shared.server.join(format!("lib{name}.so"))))
        .into();
    for (number, artifact) in (1..).zip(&artifacts) {
        artifact.link(&library(number));
    }
    let mount = mount(&shared);
    let mut program = shared.watch(&shared.client);
    for number in 1..=3 {
        program.wait_for_answer(&version(number));
    }
    mount.set(|faults| faults.lists_half = true);
    program.wait_for_event("degraded");
    program.go_on_for(Duration::from_secs(2));
    mount.heal();
    program.wait_for_event("recovered");
    let ended = program.stop();
    assert_eq!(ended.said("missing").len(), 0);
    assert_eq!(ended.said("loaded").len(), 3);
}

#[test]
fn numbers_that_are_made_up_cost_some_readings_and_hide_nothing() {
    /// How many listings there are until the program knows that the numbers are made up, and how many are counted then.
    const UNTIL_KNOWN: usize = 64;
    const COUNTED: usize = 40;
    let shared = Shared::new();
    let artifact = shared.artifact();
    artifact.link(&library(1));
    let mount = mount(&shared);
    mount.set(|faults| faults.made_up_numbers = true);
    let mut program = shared.watch(&shared.seen());
    program.wait_for_answer(&version(1));
    let asked = |operation| mount.asked(operation).len();
    let wait_for_listings = |count| {
        let before = asked(Operation::List);
        wait_until("listings", || asked(Operation::List) >= before + count);
    };
    wait_for_listings(UNTIL_KNOWN);
    let (reads, looks) = (asked(Operation::Read), asked(Operation::List));
    wait_for_listings(COUNTED);
    let reads = asked(Operation::Read) - reads;
    let looks = asked(Operation::List) - looks;
    assert!(reads < looks, "{reads} reads in {looks} listings");
    for (number, publish) in [
        (2, Artifact::overwrite as fn(&_, &[u8])),
        (3, Artifact::link),
    ] {
        let time = time_to_answer(&mut program, number, || {
            publish(&artifact, &library(number))
        });
        assert!(time < FRESH, "{time:?}");
    }
    let ended = program.stop();
    assert_eq!(ended.said("loaded").len(), 3);
    assert_eq!(
        ended.said("missing").len() + ended.said("degraded").len(),
        0
    );
}

#[test]
fn stamps_in_steps_of_two_seconds_hide_no_write_in_place() {
    let shared = Shared::new();
    let artifact = shared.artifact();
    artifact.overwrite(&library(1));
    let mount = mount(&shared);
    mount.set(|faults| faults.stamps = Some(2));
    let mut program = shared.watch(&shared.seen());
    program.wait_for_answer(&version(1));
    for number in 2..=6 {
        // A file of the same size, in the same inode, and with luck in the same step of the clock.
        artifact.overwrite(&library(number));
        program.go_on_for(Duration::from_millis(300));
    }
    program.wait_for_answer(&version(6));
    let ended = program.stop();
    ended.assert_quiet_success();
}

#[test]
fn reads_that_give_little_are_put_together_and_an_early_end_is_no_library() {
    let shared = Shared::new();
    let artifact = shared.artifact();
    artifact.link(&library(1));
    let mount = mount(&shared);
    mount.set(|faults| faults.most_per_read = Some(5_000));
    let mut program = shared.watch(&shared.seen());
    program.wait_for_bytes(&library(1));

    let half = library(2).len() as u64 / 2;
    mount.set(|faults| {
        *faults = Faults {
            ends_at: Some(half),
            ..Faults::default()
        };
    });
    artifact.link(&library(2));
    program.go_on_for(Duration::from_secs(3));
    program.wait_for_answer(&version(1));
    mount.heal();
    program.wait_for_bytes(&library(2));
    let ended = program.stop();
    assert_eq!(ended.said("loaded").len(), 2);
}

#[test]
fn bytes_from_before_the_change_are_not_the_last_word() {
    let shared = Shared::new();
    let artifact = shared.artifact();
    artifact.overwrite(&mixable(1));
    let mount = mount(&shared);
    let mut program = shared.watch(&shared.seen());
    program.wait_for_bytes(&mixable(1));
    // The attributes are those of the new file, the bytes for a while those of the old one.
    mount.set(|faults| faults.stale = Some(mixable(1)));
    artifact.overwrite(&mixable(2));
    program.go_on_for(Duration::from_secs(1));
    mount.heal();
    program.wait_for_bytes(&mixable(2));
    let ended = program.stop();
    ended.assert_quiet_success();
    assert_eq!(ended.said("loaded").len(), 2);
}

#[test]
fn each_directory_on_the_way_costs_an_idle_poll_the_same() {
    const POLLS: usize = 16;
    let mut costs = Vec::new();
    for directory in ["", "a", "a/b", "a/b/c"] {
        let shared = Shared::new();
        let server = shared.server.join(directory);
        fs::create_dir_all(&server).unwrap();
        Artifact::at(server.join("libplugin01.so")).link(&library(1));
        let mount = Faulty::mount(&shared.server, &shared.client, Duration::from_secs(60));
        let mut program = shared.watch(&shared.client.join(directory).join("libplugin01.so"));
        program.wait_for_answer(&version(1));
        program.go_on_for(Duration::from_secs(1));
        // Each poll opens the library once.
        let opens = || mount.asked(Operation::Open);
        let first = opens().len();
        wait_until("idle polls", || opens().len() > first + POLLS);
        let opens = opens();
        let polls = opens[first]..opens[first + POLLS];
        // An audit reads what a look found unchanged.
        let operations = Operation::ALL.into_iter();
        let operations = operations.filter(|operation| *operation != Operation::Read);
        let requests = operations.flat_map(|operation| mount.asked(operation));
        let requests = requests.filter(|when| polls.contains(when)).count();
        let cost = requests as f64 / POLLS as f64;
        println!("a library in `{directory}`: {cost:.1} requests in an idle poll");
        costs.push(cost);
        program.stop().assert_quiet_success();
    }
    for pair in costs.windows(2) {
        assert!(pair[1] < pair[0] + 5.0, "{costs:?}");
    }
}

/// A server that all hosts wait for answers them all at once: from then on they are in step, until each has shortened
/// some of its pauses.
#[test]
fn a_hundred_hosts_fall_out_of_step_and_none_starves() {
    const HOSTS: usize = 100;
    const INTERVAL: Duration = Duration::from_millis(250);
    const WATCHED: Duration = Duration::from_secs(40);
    let shared = Shared::new();
    shared.artifact().link(&library(1));
    let mount = mount(&shared);
    let start = || {
        let options = ["--interval-ms", "250", "--every-ms", "10000", "--steady"];
        Program::watch(&shared.scratch, &shared.client, &options)
    };
    let mut hosts: Vec<Program> = (0..HOSTS).map(|_| start()).collect();
    for host in &mut hosts {
        host.wait_for_event("loaded");
    }
    mount.set(|faults| faults.hangs = true);
    pause(Duration::from_secs(1));
    let processor_before: Vec<Duration> = hosts.iter().map(processor_time).collect();
    mount.heal();
    let resumed = Instant::now();
    pause(WATCHED);
    let seen = resumed.elapsed();
    let processor: Vec<Duration> = hosts.iter().map(processor_time).collect();
    let mut polls = Vec::new();
    for host in &hosts {
        host.signal(rustix::process::Signal::STOP);
    }
    // One after the other: of a hundred that end at once on a small machine, some would be late, and ended from outside.
    for host in hosts {
        host.signal(rustix::process::Signal::CONT);
        let ended = host.stop();
        assert_eq!(ended.said("loaded").len(), 1);
        assert_eq!(
            ended.said("missing").len() + ended.said("degraded").len(),
            0
        );
        polls.push(ended.said("stopped")[0].number("polls"));
    }

    // The busiest tenth of an interval: a tenth of all requests if they are spread evenly, all of them if they are in
    // step.
    let listed: Vec<Duration> = mount
        .asked(Operation::List)
        .iter()
        .filter_map(|when| when.checked_duration_since(resumed))
        .collect();
    let busiest_tenth = |from: Duration| {
        let mut tenths = [0; 10];
        for when in &listed {
            if let Some(after) = when.checked_sub(from).filter(|after| *after < INTERVAL) {
                tenths[(after.as_nanos() * 10 / INTERVAL.as_nanos()) as usize] += 1;
            }
        }
        (tenths.iter().sum::<usize>(), tenths.into_iter().max())
    };
    for second in [0, 10, 20, 39] {
        println!(
            "{second} s: {:?}",
            busiest_tenth(Duration::from_secs(second))
        );
    }
    let used: Vec<Duration> = processor
        .iter()
        .zip(&processor_before)
        .map(|(after, before)| *after - *before)
        .collect();
    let total: Duration = used.iter().sum();
    let (least, most) = (polls.iter().min().unwrap(), polls.iter().max().unwrap());
    println!(
        "polls from {least} to {most}; processor time of a host {:?} in {seen:?}, requests in all {}",
        total / HOSTS as u32,
        mount.requests()
    );
    assert!(least * 4 > *most, "one starved: {polls:?}");
    drop(mount);
    shared.scratch.assert_nothing_staged();
}

/// The processor time that the kernel has counted for a process, in steps of 10 ms.
fn processor_time(program: &Program) -> Duration {
    let line = fs::read_to_string(format!("/proc/{}/stat", program.id())).unwrap();
    let after_name = line.rsplit(") ").next().unwrap();
    let fields: Vec<u64> = after_name
        .split(' ')
        .map(|field| field.parse().unwrap_or(0))
        .collect();
    Duration::from_millis((fields[11] + fields[12]) * 10)
}
