//! A lab for what lies around a library: the directories on the way to it, which are replaced, removed, made again or
//! come late, and the links among them, which are swapped. Each case has two sites of its own below one mount: at the
//! one a program watches the library, at the other one a program watches the library's directory.

mod cases;

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use vocabulary::{DEADLINE, Ended, Program, Scratch, version};

use crate::faulty::Faulty;
use crate::served::{Mount, Sshd};
use crate::shared::{FRESH, Shared, UNSAID, linked_at};
use cases::{CASES, Case, DIRECTORY, Says, Site, WATCHED};

/// How a case went at one site, unless the program did not say in time what it had to.
struct Happened {
    /// Whether a library was there before the change.
    was_there: bool,
    /// How long the library was gone, where a change removes it and brings the next one at once.
    gone: Duration,
    /// The time from the end of the change until the program said what it had to.
    took: Duration,
    ended: Ended,
}

impl Happened {
    /// Makes a case happen at a site under a watching program. The case's `number` tells its change from the others in time.
    fn at(site: &Site, case: &Case, mut program: Program, number: u32) -> Happened {
        let was_there = site.artifact(DIRECTORY).path().exists();
        match was_there {
            true => program.wait_for_answer(&version(1)),
            false => program.wait_for_waiting("missing"),
        };
        // Nobody's polls are in step with the changes, and not all changes are made at once.
        program.go_on_for(Duration::from_millis(2_000 + 97 * u64::from(number)));
        let begun = SystemTime::now();
        (case.change)(site);
        let changed = Instant::now();
        match case.says {
            Says::Missing => program.wait_for_event("missing"),
            _ => program.wait_for_answer(&version(2)),
        };
        let took = changed.elapsed();
        program.go_on_for(Duration::from_millis(1_500));
        let gone = match case.says {
            Says::AnswerAtOnce => {
                let back = linked_at(site.artifact(DIRECTORY).path());
                // The clock of files goes in steps, and can be behind.
                back.duration_since(begun).unwrap_or_default()
            }
            _ => Duration::ZERO,
        };
        Happened {
            was_there,
            gone,
            took,
            ended: program.stop(),
        }
    }

    /// Fails unless everything was loaded once, and nothing called missing that was there.
    #[track_caller]
    fn assert_right(&self, case: &Case, watched: &str, bound: Duration) {
        let said = |event| self.ended.said(event).len();
        let loads = usize::from(self.was_there) + usize::from(case.says != Says::Missing);
        let missing = match case.says {
            // On a busy machine polls are far apart, and sshfs learns late that the library is gone: then the next one is
            // there.
            Says::MissingAndAnswer => said("missing").min(1),
            // A busy machine takes its time for the change.
            Says::AnswerAtOnce if self.gone >= UNSAID => said("missing").min(1),
            Says::Answer | Says::AnswerAtOnce => 0,
            Says::Missing => 1,
        };
        let (name, all) = (case.name, &self.ended.said);
        for (event, times) in [("loaded", loads), ("missing", missing)] {
            assert_eq!(said(event), times, "{event}, {watched}, {name}: {all:#?}");
        }
        for line in self.ended.said("degraded") {
            // A daemon that goes on to list what it cannot find any more.
            let is_late = bound > FRESH && line.text("reason").contains("its directory lists it");
            assert!(is_late, "{watched}, {name}: {all:#?}");
        }
        self.ended.assert_quiet_success();
    }
}

/// A way to mount, and what is asked of it.
struct Kind {
    name: &'static str,
    /// How long it may take until a change is seen.
    bound: Duration,
    /// How many cases happen at about the same time. All of them would keep a small machine busy where a request costs
    /// much.
    at_once: usize,
    /// How many other names there are in each directory.
    crowd: u32,
}

/// Makes all cases happen below such mounts. Prints for each how long it took where the library is watched, and where
/// the directory is.
#[track_caller]
fn happen<M>(kind: &Kind, mount: impl Fn(&Path, &Path) -> M) {
    for cases in CASES.chunks(kind.at_once) {
        let shared = Shared::new();
        let _mount = mount(&shared.server, &shared.client);
        happen_below(kind, cases, &shared);
        shared.scratch.assert_nothing_staged();
    }
}

#[track_caller]
fn happen_below(kind: &Kind, cases: &[Case], shared: &Shared) {
    let happened = thread::scope(|scope| {
        let mut running = Vec::new();
        for (number, case) in (0..).zip(cases) {
            for (what, watched) in WATCHED {
                let name = format!("{number}-{what}");
                let site = Site {
                    root: shared.server.join(&name),
                    crowd: kind.crowd,
                };
                fs::create_dir(&site.root).unwrap();
                (case.before)(&site);
                let path = shared.client.join(&name).join(watched);
                let options = ["--interval-ms", "250", "--every-ms", "1000"];
                let program = Program::watch(&shared.scratch, &path, &options);
                running.push(scope.spawn(move || Happened::at(&site, case, program, number)));
            }
        }
        let ended = running.into_iter().map(|running| running.join().ok());
        ended.collect::<Vec<Option<Happened>>>()
    });
    let of_cases = || cases.iter().zip(happened.chunks(WATCHED.len()));
    for (case, happened) in of_cases() {
        let took = |it: &Option<Happened>| match it {
            Some(happened) => happened.took.as_millis().to_string(),
            None => format!("> {}", DEADLINE.as_millis()),
        };
        let times: Vec<_> = happened.iter().map(took).collect();
        println!("| {} | {} | {} |", kind.name, case.name, times.join(" | "));
    }
    for (case, happened) in of_cases() {
        for ((watched, _), happened) in WATCHED.iter().zip(happened) {
            let happened = happened.as_ref().expect("it said in time what it had to");
            happened.assert_right(case, watched, kind.bound);
            let took = happened.took;
            assert!(took < kind.bound, "{}, {watched}: {took:?}", case.name);
        }
    }
}

#[test]
fn whatever_moves_above_a_library_is_seen_on_bindfs() {
    let kind = Kind {
        name: "bindfs, 60 s",
        bound: FRESH,
        at_once: CASES.len(),
        crowd: 0,
    };
    happen(&kind, Mount::bindfs);
}

/// With so many long names in each directory that one answer of the daemon does not hold all of them.
#[test]
fn whatever_moves_above_a_library_is_seen_where_files_have_numbers() {
    let kind = Kind {
        name: "FUSE by number of file, 60 s",
        bound: FRESH,
        // A daemon with one thread, which opens each file that it lists.
        at_once: 5,
        crowd: 60,
    };
    happen(&kind, |server, at| {
        Faulty::mount(server, at, Duration::from_secs(60))
    });
}

#[test]
fn whatever_moves_above_a_library_is_seen_on_sshfs_that_remembers_nothing() {
    let scratch = Scratch::new();
    let sshd = Sshd::start(&scratch);
    let kind = Kind {
        name: "sshfs, `dir_cache=no`",
        bound: FRESH,
        // Each request goes through three processes.
        at_once: 5,
        crowd: 0,
    };
    happen(&kind, |server, at| sshd.mount(server, at, "dir_cache=no"));
}

#[test]
fn whatever_moves_above_a_library_is_seen_on_sshfs_when_it_forgets() {
    let scratch = Scratch::new();
    let sshd = Sshd::start(&scratch);
    let kind = Kind {
        name: "sshfs, defaults",
        bound: DEADLINE,
        at_once: CASES.len(),
        crowd: 0,
    };
    happen(&kind, |server, at| sshd.mount(server, at, ""));
}
