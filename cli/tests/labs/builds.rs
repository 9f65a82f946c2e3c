//! A lab for the everyday case: a real cargo builds on the server's side, and programs watch through mounts that
//! remember for a minute.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use vocabulary::{Package, Program, Scratch};

use crate::served::Mount;
use crate::shared::FRESH;

/// How long a library may be gone without a word.
const UNSAID: Duration = Duration::from_secs(1);

#[test]
fn each_clean_build_on_the_server_is_loaded_once_and_soon() {
    let scratch = Scratch::new();
    let package = Package::plugin(&scratch, "build 0");
    package.build(&[]);
    let server = package.target();
    let server = server.parent().expect("it is in the package");
    let watched = [
        ("library", "target/debug/libtiny.so"),
        ("directory", "target/debug"),
    ];
    let (_mounts, mut programs): (Vec<Mount>, Vec<Program>) = watched
        .iter()
        .map(|(kind, path)| {
            let at = scratch.join(kind);
            fs::create_dir(&at).unwrap();
            let mount = Mount::bindfs(server, &at);
            let options = ["--interval-ms", "250", "--every-ms", "1000"];
            let program = Program::watch(&scratch, &at.join(path), &options);
            (mount, program)
        })
        .unzip();
    for program in &mut programs {
        program.wait_for_answer("build 0,");
    }
    let builds = (1..=13).map(|number| (number, number <= 10));
    let mut gone_long = 0;
    for (number, is_clean) in builds.clone() {
        for program in &mut programs {
            program.go_on_for(Duration::from_millis(500 + 37 * number));
        }
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
        let missing = ended.said("missing").len();
        assert!(
            missing <= gone_long,
            "{missing} of {gone_long}: {:#?}",
            ended.said
        );
        assert_eq!(ended.said("returned").len(), missing);
    }
    scratch.assert_nothing_staged();
}

/// When the file got its present name.
fn linked_at(path: &Path) -> SystemTime {
    let found = fs::metadata(path).unwrap();
    let since = Duration::new(found.ctime() as u64, found.ctime_nsec() as u32);
    UNIX_EPOCH + since
}
