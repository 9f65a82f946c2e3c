//! A lab for filesystems that go and come: unmounted under a watching program, with their mount point or without, and
//! mounted when the program has long begun.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use vocabulary::{Artifact, Program, library, version};

use crate::served::Mount;
use crate::shared::{FRESH, Shared, time_to};

/// What is watched, below the root of the mount.
const WATCHED: [&str; 4] = [
    "libplugin01.so",
    "",
    "a/target/debug/libplugin01.so",
    "a/target/debug",
];

/// Links the library of this number into the root and into a directory below.
fn build(server: &Path, number: u32) {
    for directory in ["", "a/target/debug"] {
        let directory = server.join(directory);
        fs::create_dir_all(&directory).unwrap();
        Artifact::at(directory.join("libplugin01.so")).link(&library(number));
    }
}

#[test]
fn a_mount_that_is_lost_is_no_removal_and_what_was_built_meanwhile_is_loaded_when_it_is_back() {
    let shared = Shared::new();
    build(&shared.server, 1);
    let mut mount = Mount::bindfs(&shared.server, &shared.client);
    let mut programs = WATCHED.map(|watched| (watched, shared.watch(&shared.client.join(watched))));
    for (_, program) in &mut programs {
        program.wait_for_answer(&version(1));
    }
    for (number, keeps_mount_point) in [(2, true), (3, false)] {
        let unmounted = Instant::now();
        mount.unmount();
        if !keeps_mount_point {
            fs::remove_dir(&shared.client).unwrap();
        }
        let times = programs.each_mut().map(|(watched, program)| {
            let line = program.wait_for("word of the loss", |line| {
                ["degraded", "missing"].contains(&line.event())
            });
            assert_eq!(line.event(), "degraded", "{watched:?}: {line:?}");
            assert!(line.text("reason").contains("is gone"), "{line:?}");
            unmounted.elapsed()
        });
        println!("unmounted: degraded after {times:?}");
        for (_, program) in &mut programs {
            program.go_on_for(Duration::from_secs(1));
        }
        build(&shared.server, number);
        if !keeps_mount_point {
            fs::create_dir(&shared.client).unwrap();
        }
        let back = Instant::now();
        mount = Mount::bindfs(&shared.server, &shared.client);
        let times = programs.each_mut().map(|(_, program)| {
            program.wait_for_answer(&version(number));
            back.elapsed()
        });
        println!("mounted again: the next build after {times:?}");
        for (watched, program) in &mut programs {
            program.wait_for_event("recovered");
            assert!(back.elapsed() < FRESH, "{watched:?}");
        }
    }
    for (watched, program) in programs {
        let ended = program.stop();
        for (event, times) in [
            ("missing", 0),
            ("degraded", 2),
            ("recovered", 2),
            ("loaded", 3),
        ] {
            let said = &ended.said;
            assert_eq!(
                ended.said(event).len(),
                times,
                "{event}, {watched:?}: {said:#?}"
            );
        }
    }
    drop(mount);
    shared.scratch.assert_nothing_staged();
}

#[test]
fn a_mount_that_comes_late_is_named_when_it_is_there() {
    let shared = Shared::new();
    build(&shared.server, 1);
    let mut programs: Vec<Program> = WATCHED
        .map(|watched| shared.watch(&shared.client.join(watched)))
        .into();
    for program in &mut programs {
        let line = program.wait_for_event("started");
        assert_eq!(line.text("locality"), "local");
        program.wait_for_waiting("missing");
        program.go_on_for(Duration::from_millis(500));
    }
    let _mount = Mount::bindfs(&shared.server, &shared.client);
    let mounted = Instant::now();
    for mut program in programs {
        let line = program.wait_for_event("placed");
        assert_eq!(line.text("locality"), "remote", "{line:?}");
        assert!(line.text("filesystem").starts_with("fuse"), "{line:?}");
        let placed = mounted.elapsed();
        let answered = time_to(&mut program, "result", mounted);
        println!("mounted late: placed after {placed:?}, the answer after {answered:?}");
        let ended = program.stop();
        ended.assert_quiet_success();
        assert_eq!(ended.said("placed").len(), 1);
        assert_eq!(ended.said("loaded").len(), 1);
    }
    shared.scratch.assert_nothing_staged();
}
