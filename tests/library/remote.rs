//! Remote filesystems, and all that are not known to be local: how they are looked at, what is made of their errors,
//! and what an owner learns of a hang.

use std::cell::{Cell, RefCell};
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use crate::way::{asks_on_the_way_to, is_of_a_test};
use replug::watch::{Clock as _, Locality, Monotonic, News, OsFiles, Poller, Stall, Watcher};
use replug::{Audit, FsPolicy, Host, Options, Outcome, Text};
use vocabulary::{
    Artifact, Asked, ByHand, DEADLINE, Hands, Rule, Scratch, Spy, holds, library, library_name,
    lock_of_cargo, make_link, make_pipe, plugin_function, set_modified, stage_in, unlock,
    wait_until,
};

/// The requests to the filesystem since this list was last emptied.
type Heard = Rc<RefCell<Vec<Asked>>>;

/// A remote watch of `path`, and the requests that it makes.
fn remote_watch(scratch: &Scratch, path: &Path) -> (ByHand<Spy<impl Fn(Asked) + use<>>>, Heard) {
    let asked = Heard::default();
    let (heard, directory) = (Rc::clone(&asked), scratch.path().to_owned());
    let files = Spy::on_this_machine(move |asked| {
        if is_of_a_test(&asked, &directory) {
            heard.borrow_mut().push(asked);
        }
    });
    let options = Options::new(path).fs(FsPolicy::Remote);
    (ByHand::with(scratch, options, files), asked)
}

/// Polls, and returns the requests of that poll.
fn asked_by_a_poll<F: replug::watch::Files>(
    watch: &mut ByHand<F>,
    asked: &RefCell<Vec<Asked>>,
) -> Vec<Asked> {
    asked.borrow_mut().clear();
    watch.poll();
    asked.take()
}

#[test]
fn an_idle_poll_of_a_remote_library_asks_for_the_names_on_the_way_and_looks_at_the_open_file() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.link(&library(1));
    let (mut watch, asked) = remote_watch(&scratch, artifact.path());
    assert_eq!(watch.poll_until_settled(), 1);
    let mut wanted = asks_on_the_way_to(scratch.path());
    let path = artifact.path().to_owned();
    wanted.extend([
        Asked::Name(path.clone()),
        Asked::Open(path),
        Asked::LookOpen,
    ]);
    assert_eq!(asked_by_a_poll(&mut watch, &asked), wanted);
}

#[test]
fn an_idle_poll_of_a_remote_directory_asks_for_its_names_once() {
    let scratch = Scratch::new();
    let directory = scratch.join("plugins");
    // A directory inside may be called like a library, and is none.
    fs::create_dir_all(directory.join(library_name("directory"))).unwrap();
    let paths = [1, 2].map(|number| directory.join(library_name(format!("{number}"))));
    for (path, number) in paths.iter().zip(1..) {
        Artifact::at(path).link(&library(number));
    }
    let (mut watch, asked) = remote_watch(&scratch, &directory);
    assert_eq!(watch.poll_until_settled(), 2);
    let [first, second] = paths;
    let mut wanted = asks_on_the_way_to(scratch.path());
    wanted.extend([
        Asked::Name(directory.clone()),
        Asked::Look(directory.clone()),
        Asked::Names(directory),
        Asked::Name(first.clone()),
        Asked::Open(first),
        Asked::LookOpen,
        Asked::Name(second.clone()),
        Asked::Open(second),
        Asked::LookOpen,
    ]);
    assert_eq!(asked_by_a_poll(&mut watch, &asked), wanted);
}

/// How often a poll reads the names in some directory.
fn listings_of_a_poll<F: replug::watch::Files>(
    watch: &mut ByHand<F>,
    asked: &RefCell<Vec<Asked>>,
) -> usize {
    let asked = asked_by_a_poll(watch, asked);
    let is_listing = |asked: &&Asked| matches!(asked, Asked::Names(_) | Asked::List(_));
    asked.iter().filter(is_listing).count()
}

#[test]
fn however_many_links_a_remote_directory_holds_a_poll_reads_its_names_no_more_often() {
    if !holds(Rule::MakesLinks) {
        return;
    }
    let scratch = Scratch::new();
    let (directory, targets) = (scratch.join("plugins"), scratch.join("built"));
    fs::create_dir(&directory).unwrap();
    fs::create_dir(&targets).unwrap();
    for number in 1..=20 {
        let name = library_name(format!("{number}"));
        Artifact::at(targets.join(&name)).link(&library(number));
        make_link(targets.join(&name), directory.join(&name)).unwrap();
    }
    let (mut watch, asked) = remote_watch(&scratch, &directory);
    assert_eq!(watch.poll_until_settled(), 20);
    // Of the two, and of the one above them.
    assert_eq!(listings_of_a_poll(&mut watch, &asked), 3);
}

#[test]
fn however_many_libraries_are_deleted_a_poll_reads_their_names_no_more_often() {
    let scratch = Scratch::new();
    let directory = scratch.join("plugins");
    fs::create_dir(&directory).unwrap();
    let paths: Vec<_> = (1..=20)
        .map(|number| directory.join(library_name(format!("{number}"))))
        .collect();
    for (path, number) in paths.iter().zip(1..) {
        Artifact::at(path).link(&library(number));
    }
    let (mut watch, asked) = remote_watch(&scratch, &directory);
    assert_eq!(watch.poll_until_settled(), 20);
    paths.iter().for_each(|path| fs::remove_file(path).unwrap());
    watch.poll();
    let listings = listings_of_a_poll(&mut watch, &asked);
    assert!(listings <= 4, "{listings}");
    watch.pass(Duration::from_secs(1));
    watch.poll();
    let updates = watch.poller.updates().try_iter();
    let missing = updates.filter(|update| matches!(update.news, News::Missing));
    assert_eq!(missing.count(), 20);
}

#[test]
fn a_pipe_in_a_remote_directory_is_never_opened_and_in_place_of_a_file_once() {
    if !holds(Rule::MakesPipes) {
        return;
    }
    let scratch = Scratch::new();
    let directory = scratch.join("plugins");
    fs::create_dir(&directory).unwrap();
    let (pipe, becomes_one) = (
        directory.join(library_name("pipe")),
        directory.join(library_name("x")),
    );
    make_pipe(&pipe);
    Artifact::at(&becomes_one).link(&library(1));
    let (mut watch, asked) = remote_watch(&scratch, &directory);
    assert_eq!(watch.poll_until_settled(), 1);
    let opened = |path: &Path| {
        let asked = asked.borrow();
        let is_open = |asked: &&Asked| **asked == Asked::Open(path.to_owned());
        asked.iter().filter(is_open).count()
    };
    assert_eq!(opened(&pipe), 0);

    fs::remove_file(&becomes_one).unwrap();
    make_pipe(&becomes_one);
    asked.borrow_mut().clear();
    watch.poll_for(Duration::from_secs(10));
    assert!(opened(&becomes_one) <= 1, "{}", opened(&becomes_one));

    for path in [&pipe, &becomes_one] {
        fs::remove_file(path).unwrap();
        Artifact::at(path).link(&library(2));
    }
    assert_eq!(watch.poll_until_settled(), 2);
}

#[test]
fn names_that_a_remote_directory_does_not_confess_in_its_times_are_found() {
    let scratch = Scratch::new();
    let directory = scratch.join("plugins");
    fs::create_dir(&directory).unwrap();
    let (mut watch, asked) = remote_watch(&scratch, &directory);
    watch.poll_until_settled();
    let other = directory.join("notes.txt");
    fs::write(&other, "").unwrap();
    watch.poll_until_settled();
    let lists = |asked: &[Asked]| asked.contains(&Asked::List(directory.clone()));
    assert!(!lists(&asked_by_a_poll(&mut watch, &asked)), "nothing new");
    // The times are those of before, as on a filesystem that counts in seconds: only the name tells.
    let stamp = fs::metadata(&directory).unwrap().modified().unwrap();
    fs::rename(&other, directory.join(library_name("x"))).unwrap();
    set_modified(&directory, stamp);
    assert!(lists(&asked_by_a_poll(&mut watch, &asked)));
}

#[test]
fn a_swapped_link_leads_to_a_reload_and_its_directories_are_asked_for_names() {
    if !holds(Rule::MakesLinks) {
        return;
    }
    let scratch = Scratch::new();
    for (version, number) in [("v1", 1), ("v2", 2)] {
        fs::create_dir(scratch.join(version)).unwrap();
        fs::write(
            scratch.join(version).join(library_name("x")),
            library(number),
        )
        .unwrap();
    }
    // As Kubernetes does it: the library is a link through a link, and the second link is swapped.
    make_link("v1", scratch.join("..data")).unwrap();
    make_link(library_name("..data/x"), scratch.join(library_name("x"))).unwrap();
    let path = scratch.join(library_name("x"));
    let (mut watch, asked) = remote_watch(&scratch, &path);
    assert_eq!(watch.poll_until_settled(), 1);
    let idle = asked_by_a_poll(&mut watch, &asked);
    for name in [&*library_name("x"), "..data"] {
        let look = Asked::LookLink(scratch.join(name));
        assert!(idle.contains(&look), "{look:?} in {idle:?}");
    }
    for directory in [scratch.path().to_owned(), scratch.join("v1")] {
        let names = Asked::Names(directory);
        assert!(idle.contains(&names), "{names:?} in {idle:?}");
    }
    make_link("v2", scratch.join("..data_tmp")).unwrap();
    fs::rename(scratch.join("..data_tmp"), scratch.join("..data")).unwrap();
    assert_eq!(watch.poll_until_settled(), 1);
}

#[test]
fn what_a_swapped_link_leads_to_is_read_although_it_looks_the_same() {
    if !holds(Rule::MakesLinks) {
        return;
    }
    let scratch = Scratch::new();
    for version in ["v1", "v2"] {
        fs::create_dir(scratch.join(version)).unwrap();
    }
    // One file with two names: a look at either name says the same.
    fs::write(scratch.join(library_name("v1/x")), library(1)).unwrap();
    fs::hard_link(
        scratch.join(library_name("v1/x")),
        scratch.join(library_name("v2/x")),
    )
    .unwrap();
    make_link("v1", scratch.join("..data")).unwrap();
    let path = scratch.join(library_name("..data/x"));
    let options = Options::new(&path).audit(Audit::Off);
    let mut watch = ByHand::with(&scratch, options, OsFiles);
    assert_eq!(watch.poll_until_settled(), 1);
    let digests = watch.poller.digests();
    make_link("v2", scratch.join("..data_tmp")).unwrap();
    fs::rename(scratch.join("..data_tmp"), scratch.join("..data")).unwrap();
    assert_eq!(watch.poll_until_settled(), 0, "the bytes are the same");
    assert!(watch.poller.digests() > digests, "only reading can tell");
}

#[test]
fn the_libraries_of_one_build_are_handed_over_together_once_the_gate_opens() {
    let scratch = Scratch::new();
    let directory = scratch.join("debug");
    fs::create_dir(&directory).unwrap();
    let lock = lock_of_cargo(directory.join(".cargo-lock"));
    let mut watch = ByHand::watch(&scratch, &directory, OsFiles);
    watch.poll_until_settled();
    lock.lock().unwrap();
    // One library is linked into place and beyond doubt, the other is copied and must hold still.
    Artifact::at(directory.join(library_name("linked"))).link(&library(1));
    fs::write(directory.join(library_name("copied")), library(2)).unwrap();
    watch.poll();
    let ready = |watch: &ByHand<_>| {
        let updates = watch.poller.updates().try_iter();
        updates
            .filter(|update| matches!(update.news, News::Ready(_)))
            .count()
    };
    assert_eq!(ready(&watch), 0, "the gate is shut");
    unlock(&lock);
    let mut handed_over = Vec::new();
    for _ in 0..10 {
        watch.pass(Duration::from_millis(30));
        watch.poll();
        handed_over.push(ready(&watch));
    }
    handed_over.retain(|count| *count > 0);
    assert_eq!(handed_over, [2]);
}

#[test]
fn what_is_held_back_for_others_of_its_build_is_handed_over_after_a_second() {
    if !holds(Rule::SeesWriters) {
        return;
    }
    let scratch = Scratch::new();
    let directory = scratch.join("debug");
    fs::create_dir(&directory).unwrap();
    let lock = lock_of_cargo(directory.join(".cargo-lock"));
    let hour = Duration::from_secs(3600);
    let options = Options::new(&directory).interval(hour).gate_max(hour);
    let mut watch = ByHand::with(&scratch, options, OsFiles);
    watch.poll_until_settled();
    lock.lock().unwrap();
    Artifact::at(directory.join(library_name("linked"))).link(&library(1));
    let copied = Artifact::at(directory.join(library_name("copied")));
    copied.overwrite(&library(2));
    watch.poll();
    unlock(&lock);
    let _open = copied.overwrite_and_keep_open(&library(3));
    watch.poll_for(Duration::from_secs(2));
    let updates = watch.poller.updates().try_iter();
    let ready: Vec<_> = updates
        .filter(|update| matches!(update.news, News::Ready(_)))
        .collect();
    assert_eq!(ready.len(), 1, "{ready:?}");
}

#[test]
fn a_poll_makes_so_many_readings_and_no_more_and_comes_to_the_end_all_the_same() {
    const LIBRARIES: usize = 200;
    let scratch = Scratch::new();
    let directory = scratch.join("plugins");
    fs::create_dir(&directory).unwrap();
    for number in 0..LIBRARIES {
        Artifact::at(directory.join(library_name(format!("{number}")))).restore(&library(1));
    }
    let mut watch = ByHand::watch(&scratch, &directory, OsFiles);
    let mut digests = 0;
    let mut ready = 0;
    while ready < LIBRARIES {
        watch.poll();
        let read = watch.poller.digests() - digests;
        assert!(
            (1..=64).contains(&read),
            "{read} in one poll, {ready} ready"
        );
        digests += read;
        ready += watch.poller.updates().try_iter().count();
    }
}

/// A filesystem that hangs for as long as a test holds this lock, at the latest until the test has ended.
type Hang = Arc<Mutex<()>>;

/// Files that answer nothing while `hang` is held.
fn hanging_files(hang: &Hang) -> Spy<impl Fn(Asked) + use<>> {
    let hang = Arc::clone(hang);
    // A test that failed while it held the lock has let go of it, and that is all that matters here.
    Spy::on_this_machine(move |_| drop(hang.lock()))
}

/// A host whose worker hangs while `hang` is held.
fn host_that_looks_through(hang: &Hang, scratch: &Scratch, artifact: &Artifact) -> Host<Text> {
    let options = Options::new(artifact.path()).interval(Duration::from_millis(10));
    let poller = Poller::with(options, hanging_files(hang), stage_in(scratch), Monotonic);
    let watcher = Watcher::spawn(poller).unwrap();
    Host::<Text>::new(plugin_function()).watching(watcher)
}

#[test]
fn the_owner_of_a_worker_that_hangs_is_told_goes_on_and_is_told_of_the_end() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.link(&library(1));
    let hang = Hang::default();
    let mut host = host_that_looks_through(&hang, &scratch, &artifact);
    let next = |host: &mut Host<Text>| host.wait(DEADLINE).expect("an outcome in time");
    while !matches!(next(&mut host), Outcome::Loaded(_)) {}
    let hanging = hang.lock().unwrap();
    let stalled = next(&mut host);
    assert!(
        matches!(stalled, Outcome::Stalled(since) if since >= Duration::from_secs(2)),
        "{stalled:?}"
    );
    assert!(host.live().is_some(), "what was loaded goes on");
    artifact.link(&library(2));
    drop(hanging);
    let mut outcomes = vec![next(&mut host), next(&mut host)];
    outcomes.sort_by_key(|outcome| matches!(outcome, Outcome::Recovered));
    assert!(
        matches!(
            outcomes.as_slice(),
            [Outcome::Loaded(_), Outcome::Recovered]
        ),
        "{outcomes:?}"
    );
}

#[test]
fn a_host_that_selects_by_itself_asks_for_the_stall_and_its_end() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.link(&library(1));
    let hang = Hang::default();
    let mut host = host_that_looks_through(&hang, &scratch, &artifact);
    assert!(host.stall().is_none());
    let hanging = hang.lock().unwrap();
    let mut stalled = None;
    wait_until("stall", || {
        stalled = host.stall();
        stalled.is_some()
    });
    assert!(matches!(stalled, Some(Outcome::Stalled(_))), "{stalled:?}");
    drop(hanging);
    wait_until("end of the stall", || {
        matches!(host.stall(), Some(Outcome::Recovered))
    });
}

#[test]
fn a_filesystem_that_hangs_from_the_start_does_not_take_its_owner_along() {
    let scratch = Scratch::new();
    let hang = Hang::default();
    let hanging = hang.lock().unwrap();
    let (files, stage) = (hanging_files(&hang), stage_in(&scratch));
    let (started, has_started) = mpsc::channel();
    let path = scratch.artifact().path().to_owned();
    std::thread::spawn(move || {
        let poller = Poller::with(Options::new(path), files, stage, Monotonic);
        started.send(Watcher::spawn(poller).unwrap()).unwrap();
    });
    let mut watcher = has_started
        .recv_timeout(DEADLINE)
        .expect("a watcher all the same");
    assert_eq!(
        watcher.place().locality,
        Locality::Remote,
        "nothing is known of it"
    );
    wait_until("notice the stall", || {
        matches!(watcher.stall(), Some(Stall::Begun(_)))
    });
    drop(hanging);
    wait_until("notice its end", || watcher.stall() == Some(Stall::Over));
    drop(watcher);
}

/// Makes a link that leads in a circle, which can neither be looked at nor opened.
fn break_path(path: &Path) {
    make_link(path, path).unwrap();
}

/// Watches `path`, lets `happen` make each look at it fail after ten seconds, and returns how many of the next
/// thousand seconds went into looking.
fn seconds_lost_to(scratch: &Scratch, path: &Path, happen: impl Fn()) -> u64 {
    const LOOK: Duration = Duration::from_secs(10);
    let (hands, lost) = (Hands::default(), Rc::new(Cell::new(Duration::ZERO)));
    let (clock, spent, watched) = (hands.clone(), Rc::clone(&lost), path.to_owned());
    let files = Spy::on_this_machine(move |asked| {
        if asked == Asked::Look(watched.clone()) && watched.is_symlink() {
            clock.turn(LOOK);
            spent.set(spent.get() + LOOK);
        }
    });
    let mut watch = ByHand::by(
        hands,
        scratch,
        Options::new(path).fs(FsPolicy::Remote),
        files,
    );
    watch.poll();
    happen();
    watch.poll_for(Duration::from_secs(1000));
    lost.get().as_secs()
}

/// A server that does not answer may be back at any moment; to wait for its answer costs nobody anything.
#[test]
fn looks_that_fail_after_a_long_time_are_made_again_after_two_seconds() {
    if !holds(Rule::MakesLinks) {
        return;
    }
    let scratch = Scratch::new();
    let library = scratch.join(library_name("x"));
    let directory = scratch.join("plugins");
    fs::create_dir(&directory).unwrap();
    let lost_to_library = seconds_lost_to(&scratch, &library, || break_path(&library));
    let lost_to_directory = seconds_lost_to(&scratch, &directory, || {
        fs::remove_dir(&directory).unwrap();
        break_path(&directory);
    });
    // Ten seconds of looking, two of rest.
    for lost in [lost_to_library, lost_to_directory] {
        assert!((800..=900).contains(&lost), "{lost} s of 1000");
    }
}

/// In a second of looking at all libraries, those that a build renames or links into place are found at the next poll;
/// one that is written in place is found when all are looked at again, which takes a twentieth of the time.
#[test]
fn of_many_libraries_that_are_slow_to_look_at_the_one_that_is_replaced_is_found_at_once() {
    const LIBRARIES: u32 = 200;
    let scratch = Scratch::new();
    let directory = scratch.join("plugins");
    fs::create_dir(&directory).unwrap();
    let artifacts: Vec<_> = (0..LIBRARIES)
        .map(|number| Artifact::at(directory.join(library_name(format!("{number}")))))
        .collect();
    artifacts.iter().for_each(|each| each.link(&library(1)));
    let hands = Hands::default();
    let clock = hands.clone();
    let files = Spy::on_this_machine(move |asked| {
        if matches!(asked, Asked::Open(_)) {
            clock.turn(Duration::from_millis(5));
        }
    });
    let options = Options::new(&directory)
        .fs(FsPolicy::Remote)
        .audit(Audit::Off);
    let mut watch = ByHand::by(hands.clone(), &scratch, options, files);
    watch.poll_for(Duration::from_secs(60));
    let ready = |watch: &ByHand<_>| watch.poller.updates().try_iter().count();
    assert_eq!(ready(&watch), LIBRARIES as usize);

    let mut time_until_ready = |publish: &dyn Fn(&Artifact)| {
        watch.poll_for(Duration::from_secs(30));
        let begun = hands.now();
        publish(&artifacts[100]);
        while ready(&watch) == 0 {
            watch.poll_for(Duration::from_millis(1));
            assert!(hands.now() < begun + Duration::from_secs(60));
        }
        hands.now() - begun
    };
    let renamed = time_until_ready(&|artifact| artifact.replace_with(&library(2)));
    let in_place = time_until_ready(&|artifact| artifact.overwrite(&library(3)));
    // Two intervals and two rounds; twenty rounds, and the time to settle.
    assert!(renamed <= Duration::from_millis(2500), "{renamed:?}");
    assert!(in_place <= Duration::from_secs(23), "{in_place:?}");
}

#[test]
fn what_appears_after_the_start_is_taken_for_what_it_is_on_then() {
    let scratch = Scratch::new();
    let mount = scratch.join("mount");
    let artifact = Artifact::at(mount.join(library_name("x")));
    let asked = Heard::default();
    let heard = Rc::clone(&asked);
    let files = Spy::on_this_machine(move |asked| heard.borrow_mut().push(asked));
    files.nfs.mount(&mount);
    let mut watch = ByHand::watch(&scratch, artifact.path(), files);
    watch.poll();
    assert_eq!(watch.poller.place().locality, Locality::Local);
    fs::create_dir(&mount).unwrap();
    artifact.link(&library(1));
    assert_eq!(watch.poll_until_settled(), 1);
    assert_eq!(watch.poller.place().filesystem, "nfs");
    let asked = asked.take();
    let probes = |asked: &Asked| matches!(asked, Asked::Probe(_));
    assert!(!asked.iter().any(probes), "asking for a lock can hang");
    assert_eq!(
        surveys(&asked, artifact.path()),
        2,
        "without it, and with it"
    );
}

#[test]
fn no_lock_is_asked_where_a_link_leads_and_that_can_hang() {
    if !holds(Rule::MakesLinks) {
        return;
    }
    let scratch = Scratch::new();
    let (directory, mount) = (scratch.join("plugins"), scratch.join("mount"));
    fs::create_dir(&directory).unwrap();
    fs::create_dir(&mount).unwrap();
    Artifact::at(mount.join(library_name("x"))).link(&library(1));
    make_link(
        mount.join(library_name("x")),
        directory.join(library_name("x")),
    )
    .unwrap();
    let asked = Heard::default();
    let heard = Rc::clone(&asked);
    let files = Spy::on_this_machine(move |asked| heard.borrow_mut().push(asked));
    files.nfs.mount(&mount);
    let mut watch = ByHand::watch(&scratch, &directory, files);
    assert_eq!(watch.poll_until_settled(), 1);
    let probed_in = |directory: &Path| {
        let asked = asked.borrow();
        let is_probe =
            |asked: &Asked| matches!(asked, Asked::Probe(lock) if lock.starts_with(directory));
        asked.iter().any(is_probe)
    };
    assert!(probed_in(&directory));
    assert!(!probed_in(&mount));
}

#[test]
fn locks_are_asked_where_a_link_leads_to_another_disk() {
    if !holds(Rule::MakesLinks) {
        return;
    }
    let scratch = Scratch::new();
    let directory = scratch.join("plugins");
    fs::create_dir(&directory).unwrap();
    let elsewhere = tempfile::tempdir_in("/dev/shm").unwrap();
    let profile = elsewhere.path().join("target/debug");
    fs::create_dir_all(&profile).unwrap();
    Artifact::at(profile.join(library_name("x"))).restore(&library(1));
    make_link(
        profile.join(library_name("x")),
        directory.join(library_name("x")),
    )
    .unwrap();
    let lock = lock_of_cargo(profile.join(".cargo-lock"));
    lock.lock().unwrap();
    let mut watch = ByHand::watch(&scratch, &directory, OsFiles);
    watch.poll_for(Duration::from_secs(10));
    assert_eq!(watch.poller.digests(), 0, "it is being built");
    unlock(&lock);
    assert_eq!(watch.poll_until_settled(), 1);
}

#[test]
fn what_is_there_at_the_start_is_surveyed_once() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.link(&library(1));
    let (mut watch, asked) = remote_watch(&scratch, artifact.path());
    assert_eq!(watch.poll_until_settled(), 1);
    assert_eq!(surveys(&asked.take(), artifact.path()), 1);
}

/// How often the system was asked which filesystem `path` is on.
fn surveys(asked: &[Asked], path: &Path) -> usize {
    let survey = Asked::Filesystem(path.to_owned());
    asked.iter().filter(|asked| **asked == survey).count()
}

#[test]
fn a_filesystem_that_is_mounted_between_a_look_and_its_listing_is_not_taken_for_another() {
    let scratch = Scratch::new();
    let directory = scratch.join("plugins");
    fs::create_dir(&directory).unwrap();
    let artifact = Artifact::at(directory.join(library_name("x")));
    artifact.link(&library(1));
    let returns = Rc::new(Cell::new(false));
    let mounted = Arc::new(AtomicU64::new(0));
    let (is_back, place, path) = (returns.clone(), mounted.clone(), artifact.path().to_owned());
    let mut files = Spy::on_this_machine(move |asked| {
        if matches!(asked, Asked::List(_)) && is_back.take() {
            place.store(0, Ordering::Relaxed);
            Artifact::at(&path).link(&library(1));
        }
    });
    files.mounted = mounted.clone();
    let mut watch = ByHand::with(&scratch, Options::new(&directory), files);
    assert_eq!(watch.poll_until_settled(), 1);

    // The filesystem is unmounted: another device, and nothing there.
    artifact.remove();
    mounted.store(1, Ordering::Relaxed);
    assert_eq!(watch.news_of_a_while(), ["degraded"]);
    // The look still finds the empty place, the listing what was mounted a moment later.
    returns.set(true);
    watch.pass(Duration::from_secs(3));
    watch.poll();
    assert!(!returns.get(), "it was listed");
    // If the library is deleted where it is at home, it is missing, and nothing else is wrong.
    artifact.remove();
    assert_eq!(watch.news_of_a_while(), ["recovered", "missing"]);
}

#[test]
fn a_directory_that_was_unmounted_is_one_trouble_however_much_it_held() {
    let scratch = Scratch::new();
    let directory = scratch.join("plugins");
    fs::create_dir(&directory).unwrap();
    let libraries =
        [1, 2].map(|number| Artifact::at(directory.join(library_name(format!("{number}")))));
    libraries.iter().for_each(|each| each.link(&library(1)));
    let files = Spy::on_this_machine(|_| {});
    let place = files.mounted.clone();
    let mut watch = ByHand::with(&scratch, Options::new(&directory), files);
    assert_eq!(watch.poll_until_settled(), 2);
    libraries.iter().for_each(Artifact::remove);
    place.store(1, Ordering::Relaxed);
    assert_eq!(watch.news_of_a_while(), ["degraded"]);
}

#[test]
fn an_unmounted_library_is_not_missing_though_others_are_in_its_mount_point() {
    let scratch = Scratch::new();
    let directory = scratch.join("plugins");
    fs::create_dir(&directory).unwrap();
    let mounted = Artifact::at(directory.join(library_name("x")));
    let below = Artifact::at(directory.join(library_name("y")));
    mounted.link(&library(1));
    let files = Spy::on_this_machine(|_| {});
    let place = files.mounted.clone();
    let mut watch = ByHand::with(&scratch, Options::new(&directory), files);
    assert_eq!(watch.poll_until_settled(), 1);

    mounted.remove();
    below.link(&library(2));
    place.store(1, Ordering::Relaxed);
    watch.poll();
    let updates: Vec<_> = watch.poller.updates().try_iter().collect();
    assert!(
        updates.iter().any(|update| {
            matches!(update.news, News::Degraded(_)) && *update.artifact == *mounted.path()
        }),
        "{updates:?}"
    );
    assert!(
        updates.iter().any(|update| {
            matches!(update.news, News::Ready(_)) && *update.artifact == *below.path()
        }),
        "what is there is taken up: {updates:?}"
    );
    assert_eq!(watch.news_of_a_while(), [""; 0]);
    place.store(0, Ordering::Relaxed);
    mounted.link(&library(1));
    assert_eq!(watch.news_of_a_while(), ["recovered"]);
}

#[test]
fn links_and_directories_whose_numbers_are_made_up_come_to_rest() {
    if !holds(Rule::MakesLinks) {
        return;
    }
    let scratch = Scratch::new();
    let (directory, built) = (scratch.join("plugins"), scratch.join("built"));
    fs::create_dir(&directory).unwrap();
    fs::create_dir(&built).unwrap();
    Artifact::at(built.join(library_name("x"))).link(&library(1));
    make_link(
        built.join(library_name("x")),
        directory.join(library_name("x")),
    )
    .unwrap();
    let mut files = Spy::on_this_machine(|_| {});
    files.makes_numbers_up = true;
    let options = Options::new(&directory)
        .fs(FsPolicy::Remote)
        .audit(Audit::Off)
        .steady(true);
    let mut watch = ByHand::with(&scratch, options, files);
    watch.poll_for(Duration::from_secs(30));
    let (digests, polls) = (watch.poller.digests(), watch.poller.polls());
    watch.poll_for(Duration::from_secs(60));
    assert_eq!(watch.poller.digests(), digests, "nothing changed");
    let polls = watch.poller.polls() - polls;
    assert!((240..=254).contains(&polls), "{polls} polls in a minute");
}

/// The route of a path, as the filesystem of this machine tells it.
fn route(path: &Path) -> std::io::Result<(Vec<PathBuf>, PathBuf)> {
    let route = replug::watch::Files::route(&OsFiles, path)?;
    Ok((route.links, route.end))
}

#[test]
fn a_route_names_each_link_and_ends_where_the_system_ends() {
    if !holds(Rule::MakesLinks) {
        return;
    }
    let scratch = Scratch::new();
    let root = fs::canonicalize(scratch.path()).unwrap();
    fs::create_dir(root.join("a")).unwrap();
    fs::write(root.join("a/file"), "").unwrap();
    make_link("a", root.join("relative")).unwrap();
    make_link(root.join("relative/../relative"), root.join("absolute")).unwrap();
    make_link("loop", root.join("loop")).unwrap();
    let end = root.join("a/file");
    assert_eq!(route(&end).unwrap(), (vec![], end.clone()));
    let links = ["absolute", "relative", "relative"].map(|name| root.join(name));
    let through = root.join("absolute/file");
    assert_eq!(route(&through).unwrap(), (links.to_vec(), end.clone()));
    assert_eq!(fs::canonicalize(&through).unwrap(), end);
    assert!(route(&root.join("loop")).is_err());
    // A missing file has a place all the same.
    make_link("gone/on", root.join("dangling")).unwrap();
    let (links, end) = route(&root.join("dangling/file")).unwrap();
    assert_eq!(links, [root.join("dangling")]);
    assert_eq!(end, root.join("gone/on/file"));
}
