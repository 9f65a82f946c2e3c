//! A lab for FUSE mounts that keep names and attributes for a minute, in the kernel or in the daemon, and whose
//! daemon dies and comes back. Writers work on the server's side, the program watches through the mount.

use std::fs;
use std::io;
use std::time::{Duration, Instant};

use replug::watch::{Files as _, OsFiles};
use vocabulary::{DEADLINE, Scratch, library, pause, version};

use crate::served::{Mount, Sshd};
use crate::shared::{CHANGES, FRESH, Shared, compare, time_to, time_to_answer};

#[test]
fn a_mount_that_remembers_for_a_minute_is_asked_and_answers() {
    let times = compare("bindfs, 60 s", Mount::bindfs);
    for (change, time) in times {
        assert!(time < FRESH, "{change}: {time:?}");
    }
}

#[test]
fn a_directory_on_such_a_mount_is_asked_too() {
    let shared = Shared::new();
    let artifact = shared.artifact();
    let _mount = Mount::bindfs(&shared.server, &shared.client);
    let mut program = shared.watch(&shared.client);
    assert_eq!(program.wait_for_event("started").text("locality"), "remote");
    program.go_on_for(Duration::from_secs(1));
    for (number, (change, publish)) in (1..).zip(CHANGES) {
        let publish = || publish(&artifact, &library(number));
        let time = time_to_answer(&mut program, number, publish);
        assert!(time < FRESH, "{change}: {time:?}");
    }
    let ended = program.stop();
    ended.assert_quiet_success();
    assert_eq!(ended.said("loaded").len(), 4);
    assert_eq!(
        ended.said("missing").len() + ended.said("degraded").len(),
        0
    );
    shared.scratch.assert_nothing_staged();
}

#[test]
fn a_daemon_that_is_killed_and_comes_back_costs_two_words_and_no_reload() {
    let shared = Shared::new();
    let artifact = shared.artifact();
    artifact.link(&library(1));
    let mut mount = Mount::bindfs(&shared.server, &shared.client);
    let mut program = shared.watch(&shared.seen());
    program.wait_for_answer(&version(1));

    let killed = Instant::now();
    mount.kill();
    let degraded = time_to(&mut program, "degraded", killed);
    program.go_on_for(Duration::from_secs(3));
    program.wait_for_answer(&version(1));
    drop(mount);

    let back = Instant::now();
    let mount = Mount::bindfs(&shared.server, &shared.client);
    let recovered = time_to(&mut program, "recovered", back);
    program.go_on_for(Duration::from_secs(2));
    assert_eq!(
        program.said("loaded").len(),
        1,
        "the bytes are what they were"
    );
    let updated = time_to_answer(&mut program, 2, || artifact.link(&library(2)));
    println!(
        "killed: degraded after {degraded:?}, recovered after {recovered:?}, next build after {updated:?}"
    );
    for time in [degraded, recovered, updated] {
        assert!(time < FRESH, "{time:?}");
    }
    let ended = program.stop();
    assert_eq!(ended.said("missing").len(), 0);
    // While nobody serves the mount, it is not connected; once it is taken away, there is another device without the
    // library.
    let degraded = ended.said("degraded");
    assert!(degraded.len() <= 2, "{degraded:#?}");
    assert_eq!(ended.said("recovered").len(), 1);
    drop(mount);
    shared.scratch.assert_nothing_staged();
}

#[test]
fn what_sshfs_remembers_delays_a_reload_and_does_not_prevent_it() {
    for (name, options, bound) in [
        ("sshfs, defaults", "", DEADLINE),
        ("sshfs, `dir_cache=no`", "dir_cache=no", FRESH),
    ] {
        let scratch = Scratch::new();
        let sshd = Sshd::start(&scratch);
        let times = compare(name, |server, at| sshd.mount(server, at, options));
        for (change, time) in times {
            assert!(time < bound, "{name}, {change}: {time:?}");
        }
    }
}

/// A plain look, for comparison: it sees the mount's memory.
#[test]
fn a_plain_look_at_such_a_mount_sees_what_was() {
    let shared = Shared::new();
    let artifact = shared.artifact();
    artifact.overwrite(&library(1));
    let _mount = Mount::bindfs(&shared.server, &shared.client);
    let plain = || -> io::Result<_> { fs::metadata(shared.seen())?.modified() };
    let before = plain().unwrap();
    pause(Duration::from_millis(50));
    artifact.overwrite(&library(2));
    pause(Duration::from_secs(1));
    assert_eq!(
        plain().unwrap(),
        before,
        "were this fresh, none of this were needed"
    );
    let asked = OsFiles.look(&shared.seen()).unwrap();
    let written = fs::metadata(artifact.path()).unwrap();
    let real = std::os::unix::fs::MetadataExt::mtime_nsec(&written);
    assert_eq!(i64::from(asked.modified.nanoseconds), real);
}
