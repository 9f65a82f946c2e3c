//! A lab for what lies around a library: the directories on the way to it, which are replaced, removed, made again or
//! come late, and the links among them, which are swapped. Each case has two sites of its own below one mount: at the
//! one a program watches the library, at the other one a program watches the library's directory.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use vocabulary::{Artifact, DEADLINE, Ended, Program, Scratch, library, pause, version};

use crate::faulty::Faulty;
use crate::served::{Mount, Sshd};
use crate::shared::{FRESH, Shared};

/// The name of the library, wherever its directory is.
const LIBRARY: &str = "libplugin01.so";

/// Where the library's directory is in each site, as in a cargo package.
const DIRECTORY: &str = "a/target/debug";

/// For how long a removed directory is gone: longer than what is worth no word.
const GONE_FOR: Duration = Duration::from_secs(4);

/// A part of the server's directory in which one case happens.
struct Site {
    root: PathBuf,
}

impl Site {
    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// Makes a directory, with the library of this number linked into it.
    fn build(&self, directory: &str, number: u32) {
        fs::create_dir_all(self.path(directory)).unwrap();
        self.artifact(directory).link(&library(number));
    }

    fn artifact(&self, directory: &str) -> Artifact {
        Artifact::at(self.path(directory).join(LIBRARY))
    }

    fn remove(&self, directory: &str) {
        fs::remove_dir_all(self.path(directory)).unwrap();
    }

    /// Moves a new directory or link to where another one was, which is kept.
    fn replace(&self, old: &str, new: &str) {
        fs::rename(self.path(old), self.path(&format!("{old}.old"))).unwrap();
        fs::rename(self.path(new), self.path(old)).unwrap();
    }

    /// Makes the link at `link` lead to `target`, in one step, as `ln -sfn` and Kubernetes do.
    fn lead(&self, link: &str, target: &str) {
        let new = self.path(&format!("{link}.new"));
        symlink(target, &new).unwrap();
        fs::rename(new, self.path(link)).unwrap();
    }
}

/// What the program has to say in the end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Says {
    /// The answer of the second library. The first one was never gone for long.
    Answer,
    /// That the library is missing, once; and then the answer of the second library.
    MissingAndAnswer,
    /// That the library is missing, once.
    Missing,
}

/// A case: its name, how the site is before, and what happens there.
struct Case {
    name: &'static str,
    before: fn(&Site),
    change: fn(&Site),
    says: Says,
}

fn nothing(_: &Site) {}

fn built(site: &Site) {
    site.build(DIRECTORY, 1);
}

const CASES: [Case; 14] = [
    Case {
        name: "a new name",
        before: |site| fs::create_dir_all(site.path(DIRECTORY)).unwrap(),
        change: |site| site.artifact(DIRECTORY).link(&library(2)),
        says: Says::Answer,
    },
    Case {
        name: "all directories appear at once",
        before: nothing,
        change: |site| {
            site.build("made/target/debug", 2);
            fs::rename(site.path("made"), site.path("a")).unwrap();
        },
        says: Says::Answer,
    },
    Case {
        name: "one directory after the other appears",
        before: nothing,
        change: |site| {
            for directory in ["a", "a/target", "a/target/debug"] {
                fs::create_dir(site.path(directory)).unwrap();
                pause(Duration::from_millis(1_300));
            }
            built_again(site);
        },
        says: Says::Answer,
    },
    Case {
        name: "the outermost directory is replaced",
        before: built,
        change: |site| {
            site.build("a.new/target/debug", 2);
            site.replace("a", "a.new");
        },
        says: Says::Answer,
    },
    Case {
        name: "the one above the innermost is replaced",
        before: built,
        change: |site| {
            site.build("a/target.new/debug", 2);
            site.replace("a/target", "a/target.new");
        },
        says: Says::Answer,
    },
    Case {
        name: "the innermost directory is replaced",
        before: built,
        change: |site| {
            site.build("a/target/debug.new", 2);
            site.replace("a/target/debug", "a/target/debug.new");
        },
        says: Says::Answer,
    },
    Case {
        name: "removed, made again at once",
        before: built,
        change: |site| {
            site.remove("a/target");
            built_again(site);
        },
        says: Says::Answer,
    },
    Case {
        name: "removed, made again after 4 s",
        before: built,
        change: |site| {
            site.remove("a/target");
            pause(GONE_FOR);
            built_again(site);
        },
        says: Says::MissingAndAnswer,
    },
    Case {
        name: "a directory on the way becomes a link",
        before: built,
        change: |site| {
            site.build("a/elsewhere/debug", 2);
            symlink("elsewhere", site.path("a/target.new")).unwrap();
            site.replace("a/target", "a/target.new");
        },
        says: Says::Answer,
    },
    Case {
        name: "a link on the way is swapped",
        before: |site| {
            site.build("a/one/debug", 1);
            site.lead("a/target", "one");
        },
        change: |site| {
            site.build("a/two/debug", 2);
            site.lead("a/target", "two");
        },
        says: Says::Answer,
    },
    Case {
        name: "the directory is a link, swapped",
        before: |site| {
            site.build("a/target/one", 1);
            site.lead(DIRECTORY, "one");
        },
        change: |site| {
            site.build("a/target/two", 2);
            site.lead(DIRECTORY, "two");
        },
        says: Says::Answer,
    },
    Case {
        name: "`..data` is swapped",
        before: |site| {
            site.build("a/target/debug/..1", 1);
            site.lead("a/target/debug/..data", "..1");
            site.lead("a/target/debug/libplugin01.so", "..data/libplugin01.so");
        },
        change: |site| {
            site.build("a/target/debug/..2", 2);
            site.lead("a/target/debug/..data", "..2");
            site.remove("a/target/debug/..1");
        },
        says: Says::Answer,
    },
    Case {
        name: "the library is removed: `missing`",
        before: built,
        change: |site| site.artifact(DIRECTORY).remove(),
        says: Says::Missing,
    },
    Case {
        name: "the directories are removed: `missing`",
        before: built,
        change: |site| site.remove("a"),
        says: Says::Missing,
    },
];

fn built_again(site: &Site) {
    site.build(DIRECTORY, 2);
}

/// The two paths that are watched, each at a site of its own.
const WATCHED: [(&str, &str); 2] = [
    ("library", "a/target/debug/libplugin01.so"),
    ("directory", DIRECTORY),
];

/// How a case went at one site, unless the program did not say in time what it had to.
struct Happened {
    /// Whether a library was there before the change.
    was_there: bool,
    /// The time from the end of the change until the program said what it had to.
    took: Duration,
    ended: Ended,
}

impl Happened {
    /// Makes a case happen at a site under a watching program. No two cases have the same `number`.
    fn at(site: &Site, case: &Case, mut program: Program, number: u32) -> Happened {
        let was_there = site.artifact(DIRECTORY).path().exists();
        match was_there {
            true => program.wait_for_answer(&version(1)),
            false => program.wait_for_waiting("missing"),
        };
        // Nobody's polls are in step with the changes, and not all changes are made at once.
        program.go_on_for(Duration::from_millis(2_000 + 97 * u64::from(number)));
        (case.change)(site);
        let changed = Instant::now();
        match case.says {
            Says::Missing => program.wait_for_event("missing"),
            Says::Answer | Says::MissingAndAnswer => program.wait_for_answer(&version(2)),
        };
        let took = changed.elapsed();
        program.go_on_for(Duration::from_millis(1_500));
        Happened {
            was_there,
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
            // Who learns late that the library is gone may find the next one there.
            Says::MissingAndAnswer if bound > FRESH => said("missing").min(1),
            says => usize::from(says != Says::Answer),
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

/// Makes these cases happen below a mount, at about the same time. Prints for each how long it took where the library
/// is watched, and where the directory is. Fails if a time is not below `bound`.
#[track_caller]
fn happen<M>(name: &str, cases: &[Case], bound: Duration, mount: impl Fn(&Path, &Path) -> M) {
    let shared = Shared::new();
    let _mount = mount(&shared.server, &shared.client);
    let happened = thread::scope(|scope| {
        let mut running = Vec::new();
        for (number, case) in (0..).zip(cases) {
            for (kind, watched) in WATCHED {
                let name = format!("{number}-{kind}");
                let site = Site {
                    root: shared.server.join(&name),
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
        println!("| {name} | {} | {} |", case.name, times.join(" | "));
    }
    for (case, happened) in of_cases() {
        for ((watched, _), happened) in WATCHED.iter().zip(happened) {
            let happened = happened.as_ref().expect("it said in time what it had to");
            happened.assert_right(case, watched, bound);
            let took = happened.took;
            assert!(took < bound, "{}, {watched}: {took:?}", case.name);
        }
    }
    shared.scratch.assert_nothing_staged();
}

#[test]
fn whatever_moves_above_a_library_is_seen_on_bindfs() {
    happen("bindfs, 60 s", &CASES, FRESH, Mount::bindfs);
}

#[test]
fn whatever_moves_above_a_library_is_seen_where_files_have_numbers() {
    let mount = |server: &Path, at: &Path| Faulty::mount(server, at, Duration::from_secs(60));
    happen("FUSE by number of file, 60 s", &CASES, FRESH, mount);
}

#[test]
fn whatever_moves_above_a_library_is_seen_on_sshfs_that_remembers_nothing() {
    let scratch = Scratch::new();
    let sshd = Sshd::start(&scratch);
    let mount = |server: &Path, at: &Path| sshd.mount(server, at, "dir_cache=no");
    // Each request goes through three processes: all at once would keep a small machine busy.
    for cases in CASES.chunks(5) {
        happen("sshfs, `dir_cache=no`", cases, FRESH, mount);
    }
}

#[test]
fn whatever_moves_above_a_library_is_seen_on_sshfs_when_it_forgets() {
    let scratch = Scratch::new();
    let sshd = Sshd::start(&scratch);
    let mount = |server: &Path, at: &Path| sshd.mount(server, at, "");
    happen("sshfs, defaults", &CASES, DEADLINE, mount);
}
