//! Every way of writing a library is one reload, and never a half one.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use replug::watch::Poller;
use replug::watch::{Files as _, OsFiles};
use replug::{Digest, Options};
use vocabulary::{Artifact, Ended, Program, Scratch, library, mixable, pause, version, wait_until};

/// How long a program is watched for a second reload that must not come.
const A_WHILE: Duration = Duration::from_millis(800);

/// The longest absence that is passed over as a replacement.
const A_BRIEF_ABSENCE: Duration = Duration::from_secs(1);

#[test]
fn a_file_renamed_into_place_is_reloaded_once() {
    is_reloaded_once(&[], |artifact| artifact.replace_with(&new()));
}

#[test]
fn a_file_that_cargo_unlinks_and_links_is_reloaded_once() {
    is_reloaded_once(&[], |artifact| artifact.link(&new()));
}

#[test]
fn a_file_written_in_one_go_is_reloaded_once() {
    is_reloaded_once(&[], |artifact| artifact.overwrite(&new()));
}

#[test]
fn a_file_written_in_chunks_is_reloaded_once() {
    is_reloaded_once(&[], |artifact| {
        artifact.write_slowly(&new(), 10, Duration::from_millis(200));
    });
}

#[test]
fn a_file_written_slowly_is_reloaded_once() {
    is_reloaded_once(&[], |artifact| {
        artifact.write_slowly(&new(), 40, Duration::from_secs(2));
    });
}

#[test]
fn a_writer_that_pauses_for_longer_than_settling_takes_is_reloaded_once() {
    is_reloaded_once(&["--settle-ms", "50"], |artifact| {
        artifact.write_slowly(&new(), 5, Duration::from_millis(1500));
    });
}

#[test]
fn a_file_that_rsync_writes_through_is_reloaded_once() {
    is_reloaded_once(&["--settle-ms", "500"], |artifact| {
        artifact.write_through_slowly(&new(), 20, Duration::from_millis(600));
    });
}

#[test]
fn a_file_written_through_at_once_is_reloaded_once() {
    is_reloaded_once(&[], |artifact| {
        artifact.write_through_slowly(&new(), 1, Duration::ZERO);
    });
}

#[test]
fn a_file_that_cp_overwrites_with_an_older_one_of_equal_size_is_reloaded_once() {
    is_reloaded_once(&[], |artifact| artifact.copy_with_cp(&[], &new()));
}

#[test]
fn a_file_that_cp_overwrites_keeping_the_older_time_is_reloaded_once() {
    is_reloaded_once(&[], |artifact| artifact.copy_with_cp(&["-p"], &new()));
}

#[test]
fn a_file_that_cp_overwrites_keeping_the_very_time_it_had_is_reloaded_once() {
    let mut running = Running::start(&[]);
    running.artifact.copy_with_cp(&["-p"], &library(3));
    running.program.wait_for_bytes(&library(3));
    let before = OsFiles.look(running.artifact.path()).unwrap();
    running.artifact.copy_with_cp(&["-p"], &new());
    let after = OsFiles.look(running.artifact.path()).unwrap();
    assert_eq!(
        (after.inode, after.size, after.modified),
        (before.inode, before.size, before.modified),
        "nothing but the time of the change tells them apart"
    );
    running.program.wait_for_bytes(&new());
    running.ends_having_loaded(&[&old(), &library(3), &new()]);
}

#[test]
fn a_file_restored_from_a_backup_is_reloaded_once() {
    is_reloaded_once(&[], |artifact| artifact.restore(&new()));
}

#[test]
fn a_file_deleted_and_recreated_a_second_later_is_reloaded_once() {
    is_reloaded_once(&[], |artifact| {
        artifact.remove();
        pause(Duration::from_secs(1));
        artifact.overwrite(&new());
    });
}

#[test]
fn a_directory_removed_and_recreated_is_one_reload() {
    for watch_directory in [false, true] {
        let mut running = Running::start_in(Place::Directory { watch_directory });
        running.program.wait_for_answer(&version(1));
        let directory = running.scratch.join("lib");
        fs::remove_dir_all(&directory).unwrap();
        pause(Duration::from_millis(200));
        fs::create_dir(&directory).unwrap();
        pause(Duration::from_millis(100));
        running.artifact.replace_with(&new());
        running.goes_over_once();
    }
}

#[test]
fn a_directory_that_another_takes_the_place_of_is_one_reload() {
    for watch_directory in [false, true] {
        let mut running = Running::start_in(Place::Directory { watch_directory });
        running.program.wait_for_answer(&version(1));
        let (directory, next) = (running.scratch.join("lib"), running.scratch.join("next"));
        fs::create_dir(&next).unwrap();
        fs::write(next.join("libplugin01.so"), new()).unwrap();
        fs::rename(&directory, running.scratch.join("previous")).unwrap();
        fs::rename(&next, &directory).unwrap();
        running.goes_over_once();
    }
}

#[test]
fn a_symlink_swapped_for_another_is_one_reload() {
    let running = Running::start_in(Place::Symlink);
    swap_symlink(
        Path::new("v2/libplugin01.so"),
        &running.scratch.join("libplugin01.so"),
    );
    running.goes_over_once();
}

#[test]
fn a_directory_symlink_swapped_as_kubernetes_does_is_one_reload() {
    for watch_directory in [false, true] {
        let running = Running::start_in(Place::Volume { watch_directory });
        let volume = running.scratch.join("volume");
        swap_symlink(Path::new("v2"), &volume.join("..data"));
        // The old version's directory goes a moment later.
        fs::remove_dir_all(volume.join("v1")).unwrap();
        running.goes_over_once();
    }
}

#[test]
fn a_watched_symlink_to_a_directory_swapped_for_another_is_one_reload() {
    let scratch = Scratch::new();
    for (release, content) in [("v1", old()), ("v2", new())] {
        fs::create_dir(scratch.join(release)).unwrap();
        fs::write(scratch.join(release).join("libplugin01.so"), content).unwrap();
    }
    let current = scratch.join("current");
    symlink("v1", &current).unwrap();
    let path = current.join("libplugin01.so");
    let running = Running::watching(scratch, &current, path, &[]);
    swap_symlink(Path::new("v2"), &current);
    running.goes_over_once();
}

#[test]
fn a_symlink_in_a_watched_directory_is_loaded_when_its_target_appears() {
    let scratch = Scratch::new();
    let directory = scratch.join("plugins");
    fs::create_dir(&directory).unwrap();
    symlink("../libplugin01.so", directory.join("libplugin01.so")).unwrap();
    let mut program = Program::watch(&scratch, &directory, &[]);
    program.wait_for_event("started");
    program.go_on_for(Duration::from_millis(300));
    scratch.artifact().replace_with(&new());
    program.wait_for_bytes(&new());
    program.stop_cleanly(&scratch);
}

#[test]
fn a_directory_that_vanishes_soon_after_it_was_listed_is_polled_no_more_often_for_it() {
    is_polled_no_more_often_after(|_| {});
}

#[test]
fn a_directory_that_fails_soon_after_it_was_listed_is_polled_no_more_often_for_it() {
    is_polled_no_more_often_after(|directory| symlink(directory, directory).unwrap());
}

#[test]
fn touching_without_changing_bytes_does_not_reload() {
    let mut running = Running::start(&[]);
    for _ in 0..3 {
        running.artifact.touch();
        running.program.go_on_for(Duration::from_millis(300));
    }
    let ended = running.ends_having_loaded(&[&old()]);
    let digests = ended.said.last().unwrap().number("digests");
    assert!(digests >= 4, "it looked into each touch: {digests}");
}

#[test]
fn writing_the_same_bytes_again_does_not_reload() {
    let mut running = Running::start(&[]);
    running.artifact.replace_with(&old());
    running.program.go_on_for(Duration::from_millis(400));
    running.artifact.overwrite(&old());
    running.program.go_on_for(Duration::from_millis(400));
    running.artifact.remove();
    running.artifact.link(&old());
    running.ends_having_loaded(&[&old()]);
}

#[test]
fn a_file_that_nobody_writes_is_read_no_more_than_it_takes_to_trust_it() {
    let running = Running::start(&["--interval-ms", "1"]);
    let ended = running.ends_having_loaded(&[&old()]);
    let stopped = ended.said.last().unwrap();
    let (polls, digests) = (stopped.number("polls"), stopped.number("digests"));
    assert!(polls > 5 * digests, "it polled on: {polls}");
    assert!(
        digests <= 3,
        "two for weak evidence and one to confirm: {digests}"
    );
}

#[test]
fn going_back_to_the_bytes_before_is_a_reload_like_any_other() {
    let mut running = Running::start(&[]);
    running.artifact.replace_with(&new());
    running.program.wait_for_bytes(&new());
    running.artifact.replace_with(&old());
    running.program.wait_for_bytes(&old());
    running.ends_having_loaded(&[&old(), &new(), &old()]);
}

#[test]
fn what_flaps_ends_with_what_was_written_last() {
    let mut running = Running::start(&["--settle-ms", "30"]);
    for _ in 0..10 {
        running.artifact.replace_with(&new());
        running.artifact.replace_with(&old());
        running.program.go_on_for(Duration::from_millis(70));
        running.artifact.link(&new());
        running.artifact.link(&old());
        running.program.go_on_for(Duration::from_millis(30));
    }
    running.program.go_on_for(A_WHILE);
    let known = [digest(&old()), digest(&new())];
    let loaded = running.program.loaded();
    assert!(loaded.iter().all(|it| known.contains(&(*it).to_owned())));
    assert_eq!(loaded.last(), Some(&known[0].as_str()));
    running.program.stop_cleanly(&running.scratch);
}

#[test]
fn of_two_builds_of_equal_size_renamed_in_at_once_the_last_is_live_fifty_times_in_a_row() {
    let mut running = Running::start(&["--interval-ms", "1", "--settle-ms", "10"]);
    for round in 1..=50 {
        let (first, last) = (library(2 * round), library(2 * round + 1));
        running.artifact.replace_with(&first);
        running.artifact.replace_with(&last);
        running.program.wait_for_bytes(&last);
        running.program.wait_for_answer(&version(2 * round + 1));
    }
    running.program.go_on_for(A_WHILE);
    let last = digest(&library(101));
    assert_eq!(running.program.loaded().last(), Some(&last.as_str()));
    running.program.stop_cleanly(&running.scratch);
}

#[test]
fn of_two_libraries_in_a_directory_only_the_one_that_changed_is_reloaded() {
    let mut running = Running::start_in(Place::Directory {
        watch_directory: true,
    });
    let other = running.neighbour("libother.so");
    other.replace_with(&library(7));
    running.program.wait_for_bytes(&library(7));
    running.artifact.replace_with(&new());
    running.program.wait_for_bytes(&new());
    other.overwrite(&library(8));
    running.program.wait_for_bytes(&library(8));
    running.program.go_on_for(A_WHILE);
    let of = |name: &str| {
        let loaded = running.program.said("loaded");
        let of_it = loaded.iter().filter(|line| line.text("plugin") == name);
        of_it.map(|line| line.text("sha256").to_owned()).collect()
    };
    let (plugin01, other): (Vec<_>, Vec<_>) = (of("plugin01"), of("other"));
    assert_eq!(plugin01, [digest(&old()), digest(&new())]);
    assert_eq!(other, [digest(&library(7)), digest(&library(8))]);
    running.program.stop_cleanly(&running.scratch);
}

#[test]
fn a_library_that_appears_in_a_watched_directory_is_loaded() {
    let scratch = Scratch::new();
    let directory = scratch.join("plugins");
    fs::create_dir(&directory).unwrap();
    let mut program = Program::watch(&scratch, &directory, &[]);
    program.wait_for_waiting("missing");
    for (number, name) in (1..).zip(["libfirst.so", "libsecond.so"]) {
        Artifact::at(directory.join(name)).overwrite(&library(number));
        let loaded = program.wait_for_bytes(&library(number));
        assert_eq!(loaded.number("generation"), 1);
        program.wait_for_answer(&version(number));
    }
    program.go_on_for(A_WHILE);
    assert_eq!(program.loaded().len(), 2);
    program.stop_cleanly(&scratch);
}

#[test]
fn a_deleted_library_is_said_to_be_missing_and_goes_on_answering_until_another_returns() {
    for watch_directory in [false, true] {
        let mut running = Running::start_in(Place::Directory { watch_directory });
        running.program.wait_for_answer(&version(1));
        running.artifact.remove();
        running.program.wait_for_event("missing");
        for _ in 0..3 {
            let answer = running.program.wait_for_event("result");
            assert!(answer.text("value").contains(&version(1)), "{answer:?}");
        }
        running.artifact.replace_with(&new());
        running.program.wait_for_event("returned");
        running.goes_over_once();
    }
}

#[test]
fn an_absence_is_said_once_and_a_brief_one_not_at_all() {
    let mut running = Running::start(&[]);
    let said = |running: &mut Running, times: usize| {
        running.program.go_on_for(Duration::from_millis(500));
        for event in ["missing", "returned"] {
            assert_eq!(running.program.said(event).len(), times, "{event}");
        }
    };
    running.artifact.remove();
    running.program.go_on_for(Duration::from_millis(200));
    running.artifact.replace_with(&old());
    said(&mut running, 0);
    let gone = Instant::now();
    running.artifact.remove();
    running.program.wait_for_event("missing");
    assert!(gone.elapsed() >= A_BRIEF_ABSENCE);
    running.artifact.replace_with(&old());
    running.program.wait_for_event("returned");
    said(&mut running, 1);
    running.ends_having_loaded(&[&old()]);
}

#[test]
fn a_library_that_is_missing_at_the_start_is_loaded_when_it_is_created() {
    let ways: [fn(&Artifact); 4] = [
        |artifact| artifact.replace_with(&new()),
        |artifact| artifact.link(&new()),
        |artifact| artifact.overwrite(&new()),
        |artifact| artifact.write_slowly(&new(), 10, Duration::from_millis(500)),
    ];
    for create in ways {
        let scratch = Scratch::new();
        let directory = scratch.join("not/yet");
        let artifact = Artifact::at(directory.join("libplugin01.so"));
        let mut program = Program::watch(&scratch, artifact.path(), &[]);
        program.wait_for_waiting("missing");
        fs::create_dir_all(&directory).unwrap();
        create(&artifact);
        program.wait_for_bytes(&new());
        program.go_on_for(Duration::from_millis(500));
        assert_eq!(program.loaded().len(), 1);
        program.stop_cleanly(&scratch);
    }
}

#[test]
fn a_program_that_starts_while_a_file_with_two_names_is_written_through_waits_for_its_end() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.link(&old());
    let path = artifact.path().to_owned();
    let writer = thread::spawn(move || {
        artifact.write_through_slowly(&new(), 20, Duration::from_secs(1));
    });
    wait_until("the begin of the writing", || {
        fs::read(&path).unwrap() != old()
    });
    let mut program = Program::watch(&scratch, &path, &["--settle-ms", "500"]);
    program.wait_for_bytes(&new());
    writer.join().unwrap();
    assert_eq!(program.loaded(), [digest(&new())]);
    program.stop_cleanly(&scratch);
}

#[test]
fn a_bad_build_is_kept_out_once_and_the_next_good_one_is_loaded() {
    let bad = b"error: linking with `cc` failed\n";
    let ways: [fn(&Artifact, &[u8]); 2] = [Artifact::replace_with, Artifact::overwrite];
    for write in ways {
        let mut running = Running::start(&[]);
        write(&running.artifact, bad);
        let kept = running.program.wait_for_event("kept");
        assert_eq!(kept.text("step"), "vet");
        assert_eq!(kept.text("sha256"), digest(bad));
        assert_eq!(kept.number("generation"), 1);
        running.artifact.touch();
        running.program.go_on_for(Duration::from_millis(500));
        write(&running.artifact, bad);
        running.program.go_on_for(Duration::from_millis(500));
        running.program.wait_for_answer(&version(1));
        assert_eq!(running.program.said("kept").len(), 1);
        write(&running.artifact, &new());
        running.program.wait_for_answer(&version(2));
        running.ends_having_loaded(&[&old(), &new()]);
    }
}

/// The library that runs before the test's writer writes.
fn old() -> Vec<u8> {
    mixable(1)
}

/// The library that the test's writer writes.
fn new() -> Vec<u8> {
    mixable(2)
}

fn digest(content: &[u8]) -> String {
    Digest::of(content).to_string()
}

/// Puts a symlink to `target` in the place of `link`, by renaming.
fn swap_symlink(target: &Path, link: &Path) {
    let aside = link.with_file_name(".aside");
    symlink(target, &aside).unwrap();
    fs::rename(aside, link).unwrap();
}

/// Checks that a program which is told to watch [`old`] goes over to [`new`], once, when `write` has written it.
fn is_reloaded_once(options: &[&str], write: impl FnOnce(&Artifact)) {
    let running = Running::start(options);
    write(&running.artifact);
    running.goes_over_once();
}

/// Polls an empty directory, and puts something in its place that cannot be listed; checks that polls come no more
/// often.
fn is_polled_no_more_often_after(replace: impl FnOnce(&Path)) {
    let scratch = Scratch::new();
    let directory = scratch.join("plugins");
    fs::create_dir(&directory).unwrap();
    let options = Options::new(&directory).stage_dir(scratch.stage());
    let mut poller = Poller::new(options).unwrap();
    poller.poll(poller.now());
    fs::remove_dir(&directory).unwrap();
    replace(&directory);
    // The time after which a listing is confirmed has passed.
    pause(Duration::from_millis(100));
    let now = poller.now();
    assert!(poller.poll(now) > now, "the next poll is due at once");
    drop(poller);
    scratch.assert_nothing_staged();
}

/// A program that has loaded [`old`].
struct Running {
    scratch: Scratch,
    artifact: Artifact,
    program: Program,
}

/// The place of the artifact, and the part of it that is watched.
enum Place {
    /// The artifact is in a directory of its own.
    Directory { watch_directory: bool },
    /// The artifact is behind a symlink to a version of it, beside which there is a new version.
    Symlink,
    /// The artifact is behind a symlink into a directory which is a symlink to a version, as Kubernetes mounts
    /// volumes.
    Volume { watch_directory: bool },
}

impl Running {
    fn start(options: &[&str]) -> Running {
        let scratch = Scratch::new();
        let path = scratch.join("libplugin01.so");
        Artifact::at(&path).replace_with(&old());
        Running::watching(scratch, &path.clone(), path, options)
    }

    fn start_in(place: Place) -> Running {
        let scratch = Scratch::new();
        let (directory, watch_directory) = match place {
            Place::Directory { watch_directory } => (scratch.join("lib"), watch_directory),
            Place::Symlink => (scratch.path().to_owned(), false),
            Place::Volume { watch_directory } => (scratch.join("volume"), watch_directory),
        };
        let path = directory.join("libplugin01.so");
        for (version, content) in [("v1", old()), ("v2", new())] {
            fs::create_dir_all(directory.join(version)).unwrap();
            fs::write(directory.join(version).join("libplugin01.so"), content).unwrap();
        }
        match place {
            Place::Directory { .. } => Artifact::at(&path).replace_with(&old()),
            Place::Symlink => symlink("v1/libplugin01.so", &path).unwrap(),
            Place::Volume { .. } => {
                symlink("v1", directory.join("..data")).unwrap();
                symlink("..data/libplugin01.so", &path).unwrap();
            }
        }
        let watched = if watch_directory {
            directory
        } else {
            path.clone()
        };
        Running::watching(scratch, &watched, path, &[])
    }

    fn watching(scratch: Scratch, watched: &Path, path: PathBuf, options: &[&str]) -> Running {
        let mut program = Program::watch(&scratch, watched, options);
        program.wait_for_bytes(&old());
        Running {
            scratch,
            artifact: Artifact::at(path),
            program,
        }
    }

    /// Another artifact beside the running one.
    fn neighbour(&self, name: &str) -> Artifact {
        Artifact::at(self.artifact.path().with_file_name(name))
    }

    #[track_caller]
    fn goes_over_once(mut self) {
        self.program.wait_for_bytes(&new());
        self.program.wait_for_answer(&version(2));
        self.ends_having_loaded(&[&old(), &new()]);
    }

    /// Lets the program go on for a while, and stops it.
    #[track_caller]
    fn ends_having_loaded(mut self, contents: &[&[u8]]) -> Ended {
        self.program.go_on_for(A_WHILE);
        let wanted: Vec<_> = contents.iter().map(|content| digest(content)).collect();
        assert_eq!(self.program.loaded(), wanted);
        self.program.stop_cleanly(&self.scratch)
    }
}

#[test]
fn a_wait_of_which_nothing_comes_ends_with_a_word() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.link(&library(1));
    let mut program = Program::watch(&scratch, artifact.path(), &[]);
    let loaded = program.wait_for_generation(1);
    for _ in 0..2 {
        let open = artifact.open_to_write();
        artifact.touch();
        let waiting = program.wait_for_waiting("written");
        assert_eq!(waiting.number("pid"), u64::from(std::process::id()));
        drop(open);
        let unchanged = program.wait_for_event("unchanged");
        assert_eq!(unchanged.text("sha256"), loaded.text("sha256"));
    }
    let ended = program.stop_cleanly(&scratch);
    assert_eq!(ended.said("loaded").len(), 1);
    assert_eq!(ended.said("unchanged").len(), 2);
}
