//! A lab for filesystems that do not answer: under a program that watches, and from a program's very start.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use vocabulary::{Scratch, is_there, library, version, wait_until};

use crate::faulty::{EIO, Faulty, Operation};
use crate::served::{Mount, Sshd};
use crate::shared::{FRESH, Shared, time_to, time_to_answer};

#[test]
fn a_daemon_that_hangs_is_noticed_by_the_owner_who_goes_on_calling() {
    let shared = Shared::new();
    let artifact = shared.artifact();
    artifact.link(&library(1));
    let mount = Mount::bindfs(&shared.server, &shared.client);
    let mut program = shared.watch(&shared.seen());
    program.wait_for_answer(&version(1));

    let hung = Instant::now();
    mount.hang();
    let stalled = time_to(&mut program, "stalled", hung);
    let calls = program.said("result").len();
    artifact.link(&library(2));
    program.go_on_for(Duration::from_secs(2));
    assert!(program.said("result").len() > calls, "calls go on");

    let back = Instant::now();
    mount.go_on();
    // Which of the two is reported first is open.
    wait_until("its return", || {
        program.go_on_for(Duration::from_millis(50));
        program.said("recovered").len() == 1 && program.said("loaded").len() == 2
    });
    let updated = back.elapsed();
    program.wait_for_answer(&version(2));
    println!("hung: stalled after {stalled:?}; next build {updated:?} after its return");
    for time in [stalled, updated] {
        assert!(time < FRESH, "{time:?}");
    }
    let ended = program.stop();
    assert_eq!(
        ended.said("missing").len() + ended.said("degraded").len(),
        0
    );
    assert_eq!(ended.said("stalled").len(), 1);
    drop(mount);
    shared.scratch.assert_nothing_staged();
}

#[test]
fn a_program_whose_filesystem_hangs_ends_its_work_when_told_to() {
    /// On a busy machine the program is late, and then it is ended from outside, before it finds that its thread does not end.
    const TRIES: u32 = 10;
    let mut tries = (0..TRIES).map(|_| end_on_a_hung_mount());
    let in_time = tries.find(|words| !words.contains("did not return in time"));
    let words = in_time.expect("an end from inside");
    assert!(words.contains("left behind"), "{words}");
}

/// Tells a program to stop whose filesystem hangs. Returns what it wrote on stderr.
#[track_caller]
fn end_on_a_hung_mount() -> String {
    let shared = Shared::new();
    shared.artifact().link(&library(1));
    let mount = Mount::bindfs(&shared.server, &shared.client);
    let mut program = shared.watch(&shared.seen());
    program.wait_for_answer(&version(1));
    mount.hang();
    program.wait_for_event("stalled");
    program.signal(Signal::TERM);
    program.wait_for_event("stopped");
    // The program has done its work; whether the kernel can end a thread that waits for the daemon is another matter.
    wait_until("end of its work", || !is_there(program.id()));
    mount.go_on();
    let ended = program.end();
    assert!(ended.status.success(), "{:?}", ended.status);
    drop(mount);
    shared.scratch.assert_nothing_staged();
    ended.stderr
}

/// The longest time until the program has begun, and until it has said its last word, on a machine that is busy.
const SOON: Duration = Duration::from_secs(2);

/// The longest time until a stall is noticed, on a machine that is busy.
const NOTICED: Duration = Duration::from_secs(5);

/// Starts two programs on a mount that hangs. The one is told to stop, the other goes on when the mount does.
#[track_caller]
fn start_on_a_hung_mount(name: &str, shared: &Shared, mount: Mount) {
    shared.artifact().link(&library(1));
    mount.hang();
    let mut times = Vec::new();
    let mut programs = [shared.seen(), shared.client.clone()].map(|path| {
        let begun = Instant::now();
        let mut program = shared.watch(&path);
        times.push(time_to(&mut program, "started", begun));
        (begun, program)
    });
    for (begun, program) in &mut programs {
        let stalled = time_to(program, "stalled", *begun);
        println!("{name}, started on a hung mount: stalled after {stalled:?}");
        assert!(stalled < NOTICED, "{stalled:?}");
    }
    let [(_, mut program), (_, mut told_to_stop)] = programs;
    let told = Instant::now();
    told_to_stop.signal(Signal::TERM);
    times.push(time_to(&mut told_to_stop, "stopped", told));
    println!("{name}, started on a hung mount: started and stopped after {times:?}");
    for time in times {
        assert!(time < SOON, "{time:?}");
    }
    program.go_on_for(Duration::from_secs(1));

    let back = Instant::now();
    mount.go_on();
    let ended = told_to_stop.end();
    assert!(ended.status.success(), "{:?}", ended.status);
    // Which of the two is reported first is open.
    wait_until("its return", || {
        program.go_on_for(Duration::from_millis(50));
        program.said("recovered").len() == 1 && !program.said("result").is_empty()
    });
    let loaded = back.elapsed();
    println!("{name}, started on a hung mount: loaded {loaded:?} after its return");
    assert!(loaded < FRESH, "{loaded:?}");
    let updated = time_to_answer(&mut program, 2, || shared.artifact().link(&library(2)));
    assert!(updated < FRESH, "{updated:?}");
    let ended = program.stop();
    ended.assert_quiet_success();
    for (event, times) in [
        ("stalled", 1),
        ("recovered", 1),
        ("loaded", 2),
        ("missing", 0),
    ] {
        assert_eq!(ended.said(event).len(), times, "{event}: {:#?}", ended.said);
    }
    drop(mount);
    shared.scratch.assert_nothing_staged();
}

#[test]
fn a_program_that_is_started_while_bindfs_hangs_says_so_and_can_be_stopped() {
    let shared = Shared::new();
    let mount = Mount::bindfs(&shared.server, &shared.client);
    start_on_a_hung_mount("bindfs", &shared, mount);
}

#[test]
fn a_program_that_is_started_while_sshfs_hangs_says_so_and_can_be_stopped() {
    let scratch = Scratch::new();
    let sshd = Sshd::start(&scratch);
    let shared = Shared::new();
    let mount = sshd.mount(&shared.server, &shared.client, "");
    start_on_a_hung_mount("sshfs", &shared, mount);
}

/// As a client of NFS that was mounted with `soft` does when its server is gone for long.
#[test]
fn a_daemon_that_hangs_and_then_fails_has_not_recovered_before_it_answers() {
    let shared = Shared::new();
    let artifact = shared.artifact();
    artifact.link(&library(1));
    let mount = Faulty::mount(&shared.server, &shared.client, Duration::ZERO);
    let mut program = shared.watch(&shared.seen());
    program.wait_for_answer(&version(1));
    mount.set(|faults| faults.hangs = true);
    program.wait_for_event("stalled");
    artifact.link(&library(2));
    mount.set(|faults| {
        faults.hangs = false;
        // Slowly, as a client does that asks some more times first.
        faults.errors_take = Duration::from_secs(1);
        faults
            .errors
            .extend(Operation::ALL.map(|operation| (operation, EIO)));
    });
    program.go_on_for(Duration::from_secs(12));
    assert_eq!(program.said("recovered").len(), 0, "{:#?}", program.said);

    let back = Instant::now();
    mount.heal();
    program.wait_for_answer(&version(2));
    let updated = back.elapsed();
    wait_until("its return", || {
        program.go_on_for(Duration::from_millis(50));
        program.said("recovered").len() == 1
    });
    let recovered = back.elapsed();
    println!("hung, then failed: next build {updated:?} after its return, recovered {recovered:?}");
    for time in [updated, recovered] {
        assert!(time < FRESH, "{time:?}");
    }
    let ended = program.stop();
    for (event, times) in [("loaded", 2), ("missing", 0), ("recovered", 1)] {
        assert_eq!(ended.said(event).len(), times, "{event}: {:#?}", ended.said);
    }
    drop(mount);
    shared.scratch.assert_nothing_staged();
}
