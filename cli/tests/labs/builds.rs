//! A lab for the everyday case: a real cargo builds on the server's side, and programs watch through mounts that
//! remember for a minute.

use std::any::Any;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use vocabulary::{Line, Package, Program, Scratch, pause};

use crate::faulty::Faulty;
use crate::served::Mount;
use crate::shared::{FRESH, UNSAID, linked_at};

/// How a directory is mounted elsewhere. The mount ends when the result is dropped.
type Mounts = fn(&Path, &Path) -> Box<dyn Any>;

const MOUNTS: [(&str, Mounts); 2] = [
    ("bindfs", |server, at| Box::new(Mount::bindfs(server, at))),
    ("numbers", |server, at| {
        Box::new(Faulty::mount(server, at, Duration::from_secs(60)))
    }),
];

/// What is watched, below the package's directory.
const WATCHED: [(&str, &str); 2] = [
    ("library", "target/debug/libtiny.so"),
    ("directory", "target/debug"),
];

#[test]
fn each_clean_build_on_the_server_is_loaded_once_and_soon() {
    let scratch = Scratch::new();
    let package = Package::plugin(&scratch, "build 0");
    package.build(&[]);
    let server = package.target();
    let server = server.parent().expect("it is in the package");
    let mut mounts = Vec::new();
    let mut programs = Vec::new();
    for (kind, mount) in MOUNTS {
        for (watched, path) in WATCHED {
            let at = scratch.join(format!("{kind}-{watched}"));
            fs::create_dir(&at).unwrap();
            mounts.push(mount(server, &at));
            let options = ["--interval-ms", "250", "--every-ms", "1000"];
            programs.push(Program::watch(&scratch, &at.join(path), &options));
        }
    }
    for program in &mut programs {
        program.wait_for_answer("build 0,");
    }
    let builds = (1..=13).map(|number| (number, number <= 10));
    let mut gone_long = 0;
    for (number, is_clean) in builds.clone() {
        // Nobody's polls are in step with the builds.
        pause(Duration::from_millis(1_000 + 37 * number));
        package.edit(&format!("build {number}"));
        let begun = SystemTime::now();
        if is_clean {
            fs::remove_dir_all(package.target()).unwrap();
        }
        package.build(&[]);
        let built = Instant::now();
        let gone = linked_at(&package.library()).duration_since(begun).unwrap();
        let times: Vec<Duration> = thread::scope(|scope| {
            let waiting: Vec<_> = programs
                .iter_mut()
                .map(|program| {
                    scope.spawn(move || {
                        program.wait_for_answer(&format!("build {number},"));
                        built.elapsed()
                    })
                })
                .collect();
            let waited = waiting.into_iter().map(thread::ScopedJoinHandle::join);
            waited.map(|time| time.expect("an answer")).collect()
        });
        let what = if is_clean {
            "rm -r target; cargo build"
        } else {
            "cargo build"
        };
        println!("{what}, gone for {gone:?}: live after {times:?}");
        for time in times {
            assert!(time < FRESH, "{time:?}");
        }
        gone_long += usize::from(is_clean && gone > UNSAID);
    }
    for program in programs {
        let ended = program.stop();
        ended.assert_quiet_success();
        assert_eq!(ended.said("loaded").len(), 1 + builds.clone().count());
        assert_eq!(ended.said("kept").len() + ended.said("degraded").len(), 0);
        for gone in ["tiny", "debug"] {
            let all = &ended.said;
            let whereabouts: Vec<_> = all
                .iter()
                .filter(|line| ["missing", "returned"].contains(&line.event()))
                .filter(|line| line.text("plugin") == gone)
                .map(Line::event)
                .collect();
            let times = whereabouts.iter().filter(|event| **event == "missing");
            assert!(times.count() <= gone_long, "{gone}, {gone_long}: {all:#?}");
            // Of what happened while a program was loading, it hears the last.
            assert_ne!(whereabouts.last(), Some(&"missing"), "{gone}: {all:#?}");
        }
    }
    scratch.assert_nothing_staged();
}
