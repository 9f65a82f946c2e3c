//! The host, which is the second half, fed by hand or by a watcher, in this process.

use std::ffi::{CStr, c_char};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use replug::error::Step;
use replug::outcome::Mapped;
use replug::watch::{
    Monotonic, News, OsFiles, Poller, Stage, StageDirectory, Staged, Update, Watcher,
};
use replug::{CallError, Host, HostSet, Options, Outcome, Raw, Text, TextFunction};
use vocabulary::{
    Artifact, DEADLINE, Rule, Scratch, c_library, copies_in, holds, is_by_the_way, library,
    make_link, pause, plugin_function, stage_in, version,
};

const FUNCTION: &CStr = c"plugin_function";

fn options(scratch: &Scratch, artifact: &Artifact) -> Options {
    Options::new(artifact.path())
        .stage_dir(scratch.stage())
        .interval(Duration::from_millis(5))
        .settle(Duration::from_millis(20))
        .exports([FUNCTION, Text::FREE])
}

/// A host that a watcher of the artifact feeds.
fn watching(scratch: &Scratch, artifact: &Artifact) -> Host<Text> {
    Host::<Text>::watch(plugin_function(), options(scratch, artifact)).unwrap()
}

/// A host whose first generation is live.
fn serving() -> (Scratch, Artifact, Host<Text>) {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.link(&library(1));
    let mut host = watching(&scratch, &artifact);
    assert_eq!(generation(next(&mut host)), 1);
    (scratch, artifact, host)
}

/// Waits for the next outcome that is worth a test's attention.
#[track_caller]
fn next<T>(host: &mut Host<T>) -> Outcome {
    let deadline = Instant::now() + DEADLINE;
    while let Some(left) = deadline.checked_duration_since(Instant::now()) {
        match host.wait(left) {
            None => {}
            Some(outcome) if is_by_the_way(&outcome) => {}
            Some(outcome) => return outcome,
        }
    }
    panic!("nothing happened in time");
}

#[track_caller]
fn generation(outcome: Outcome) -> u64 {
    match outcome {
        Outcome::Loaded(loaded) => loaded.generation,
        other => panic!("not loaded: {other:?}"),
    }
}

#[test]
fn code_changes_only_inside_a_call_of_the_owner() {
    let (_scratch, artifact, mut host) = serving();
    artifact.link(&library(2));
    let updates = host.updates().clone();
    let deadline = Instant::now() + DEADLINE;
    while updates.is_empty() && Instant::now() < deadline {
        pause(Duration::from_millis(1));
    }
    assert!(
        host.call(c"you").unwrap().contains(&version(1)),
        "the update waits for its owner"
    );
    assert_eq!(generation(next(&mut host)), 2);
    assert!(host.call(c"you").unwrap().contains(&version(2)));
}

#[test]
fn a_host_that_was_busy_loads_only_the_latest() {
    let (scratch, artifact, mut host) = serving();
    let watcher = host.watcher().unwrap();
    for number in 2..=20 {
        artifact.link(&library(number));
        assert!(watcher.poll_now(DEADLINE));
        assert!(scratch.staged_copies() <= 2, "{:?}", scratch.staged());
    }
    assert_eq!(generation(next(&mut host)), 2);
    assert!(host.call(c"you").unwrap().contains(&version(20)));
}

/// A stage that counts how many copies there are when another one is made.
struct Counting {
    stage: StageDirectory,
    parent: PathBuf,
    most: Arc<AtomicUsize>,
}

impl Stage for Counting {
    type Staged = Staged;

    fn create(&self, artifact: &Path) -> io::Result<Staged> {
        let copies = copies_in(&self.parent);
        self.most.fetch_max(copies, Ordering::Relaxed);
        self.stage.create(artifact)
    }

    fn tidy(&self) {
        self.stage.tidy();
    }
}

#[test]
fn what_waits_for_a_busy_host_is_gone_before_another_copy_is_made() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    let copies = Arc::new(AtomicUsize::new(0));
    let stage = Counting {
        stage: stage_in(&scratch),
        parent: scratch.stage(),
        most: Arc::clone(&copies),
    };
    let poller = Poller::with(options(&scratch, &artifact), OsFiles, stage, Monotonic);
    let watcher = Watcher::spawn(poller).unwrap();
    for number in 1..=20 {
        artifact.link(&library(number));
        assert!(watcher.poll_now(DEADLINE));
    }
    assert_eq!(
        copies.load(Ordering::Relaxed),
        0,
        "with nothing live, there was another copy"
    );
}

#[test]
fn touching_what_waits_for_a_busy_host_does_not_lose_it() {
    let (_scratch, artifact, mut host) = serving();
    let watcher = host.watcher().unwrap();
    artifact.link(&library(2));
    assert!(watcher.poll_now(DEADLINE));
    // Another file with the same bytes makes the worker stage them again.
    artifact.link(&library(2));
    assert!(watcher.poll_now(DEADLINE));
    assert_eq!(generation(next(&mut host)), 2);
    assert!(host.call(c"you").unwrap().contains(&version(2)));
}

#[test]
fn touching_a_bad_build_that_a_busy_host_has_not_heard_of_does_not_hush_it_up() {
    let (_scratch, artifact, mut host) = serving();
    artifact.link(b"no library at all");
    poll_for_a_while(&host);
    artifact.link(b"no library at all");
    poll_for_a_while(&host);
    let outcome = next(&mut host);
    assert!(matches!(outcome, Outcome::Kept(_)), "{outcome:?}");
}

#[test]
fn what_waits_for_a_busy_host_survives_that_something_else_takes_its_place() {
    if !holds(Rule::MakesLinks) {
        return;
    }
    let (_scratch, artifact, mut host) = serving();
    artifact.link(&library(2));
    poll_for_a_while(&host);
    artifact.remove();
    make_link("/dev/null", artifact.path()).unwrap();
    poll_for_a_while(&host);
    assert_eq!(generation(next(&mut host)), 2);
    let outcome = next(&mut host);
    assert!(matches!(outcome, Outcome::Kept(_)), "{outcome:?}");
}

/// More polls than it takes to believe a file.
fn poll_for_a_while(host: &Host<Text>) {
    for _ in 0..20 {
        assert!(host.watcher().unwrap().poll_now(DEADLINE));
        pause(Duration::from_millis(10));
    }
}

#[test]
fn bytes_that_are_live_already_are_not_loaded_again() {
    let (_scratch, artifact, mut host) = serving();
    let watcher = host.watcher().unwrap();
    for number in [2, 1] {
        artifact.link(&library(number));
        assert!(watcher.poll_now(DEADLINE));
    }
    assert!(host.poll().is_none(), "there and back again is no change");
    assert_eq!(host.live().unwrap().generation(), 1);
}

#[test]
fn a_generation_without_a_needed_symbol_never_goes_live() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.link(&library(1));
    // Vet is not told what the host needs, so the host has to find out by itself.
    let none: [&CStr; 0] = [];
    let watcher = Watcher::new(options(&scratch, &artifact).exports(none)).unwrap();
    let mut host = Host::<Raw>::new([FUNCTION, c"no_such_symbol"]).watching(watcher);
    match next(&mut host) {
        Outcome::Kept(kept) => {
            assert_eq!(kept.error.step(), Step::Load);
            let said = replug::chain(&kept.error);
            assert!(said.contains("it has no `no_such_symbol`"), "{said}");
        }
        other => panic!("{other:?}"),
    }
    assert!(host.live().is_none());
}

#[test]
fn data_is_not_called_even_if_vet_was_not_told_what_is() {
    if !holds(Rule::SeesCode) {
        return;
    }
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.link(&c_library(
        "int plugin_function = 5; int plugin_free = 6;",
        &scratch,
    ));
    let none: [&CStr; 0] = [];
    let watcher = Watcher::new(options(&scratch, &artifact).exports(none)).unwrap();
    let mut host = Host::<Text>::new(plugin_function()).watching(watcher);
    match next(&mut host) {
        Outcome::Kept(kept) => {
            let said = replug::chain(&kept.error);
            assert!(said.contains("its `plugin_function` is data"), "{said}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn data_that_a_host_asks_for_is_found_where_it_is() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.link(&c_library("int level = 5;", &scratch));
    let none: [&CStr; 0] = [];
    let options = options(&scratch, &artifact)
        .exports(none)
        .exports_data([c"level"]);
    let watcher = Watcher::new(options).unwrap();
    let mut host = Host::<Raw>::new([c"level"]).watching(watcher);
    assert_eq!(generation(next(&mut host)), 1);
    assert!(unsafe_symbols::has(&host, c"level"));
}

#[test]
fn the_function_that_frees_answers_is_not_called_for_one() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.link(&library(1));
    // SAFETY: the host refuses this name, and calls nothing.
    #[allow(unsafe_code)]
    let function = unsafe { TextFunction::new(Text::FREE) };
    let mut host = Host::<Text>::watch(function, options(&scratch, &artifact)).unwrap();
    match next(&mut host) {
        Outcome::Kept(kept) => assert_eq!(kept.error.step(), Step::Load),
        other => panic!("{other:?}"),
    }
    assert!(host.live().is_none());
}

#[test]
fn raw_symbols_are_found_by_the_name_the_host_asked_for() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.link(&library(7));
    let watcher = Watcher::new(options(&scratch, &artifact)).unwrap();
    let mut host = Host::<Raw>::new([FUNCTION, Text::FREE]).watching(watcher);
    assert_eq!(generation(next(&mut host)), 1);
    assert!(unsafe_symbols::answer(&host, c"you").contains(&version(7)));
    assert!(!unsafe_symbols::has(&host, c"no_such_symbol"));
}

/// Using raw symbols is `unsafe`, which is the caller's business and here the test's.
#[allow(unsafe_code)]
mod unsafe_symbols {
    use super::{CStr, FUNCTION, Host, Raw, Text, c_char};

    type Function = unsafe extern "C" fn(*const c_char) -> *mut c_char;
    type Free = unsafe extern "C" fn(*mut c_char);

    pub fn has(host: &Host<Raw>, name: &CStr) -> bool {
        // SAFETY: the pointer is compared with nothing and not followed.
        unsafe { host.get::<*const u8>(name) }.is_some()
    }

    pub fn answer(host: &Host<Raw>, input: &CStr) -> String {
        // SAFETY: plugin01 has this function under this name.
        let function = unsafe { host.get::<Function>(FUNCTION) }.unwrap();
        // SAFETY: plugin01 has this function under this name, too.
        let free = unsafe { host.get::<Free>(Text::FREE) }.unwrap();
        // SAFETY: `input` is NUL-terminated.
        let answer = unsafe { function(input.as_ptr()) };
        // SAFETY: plugin01 answers with NUL-terminated text.
        let text = unsafe { CStr::from_ptr(answer) }
            .to_str()
            .unwrap()
            .to_owned();
        // SAFETY: the answer came from the same image and is not used again.
        unsafe { free(answer) };
        text
    }
}

/// A library that is ready, and a host that has loaded nothing.
fn ready_for_a_host() -> (Scratch, Artifact, Poller, replug::watch::Ready, Host<Text>) {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.link(&library(1));
    let mut poller = Poller::new(options(&scratch, &artifact)).unwrap();
    poller.poll(Instant::now());
    let ready = ready(&poller);
    let host = Host::<Text>::new(plugin_function());
    (scratch, artifact, poller, ready, host)
}

#[test]
fn a_file_that_took_the_place_of_the_staged_copy_is_not_loaded() {
    let (_scratch, artifact, _poller, ready, mut host) = ready_for_a_host();
    let path = ready.staged().path().to_owned();
    // The very bytes that were vetted, but in a file that was not.
    let copy = path.with_extension("copy");
    std::fs::copy(&path, &copy).unwrap();
    std::fs::rename(&copy, &path).unwrap();
    match host.apply(update(&artifact, ready)).unwrap() {
        Outcome::Kept(kept) => {
            assert_eq!(kept.error.step(), Step::Load);
            let said = replug::chain(&kept.error);
            assert!(said.contains("is not the copy that was vetted"), "{said}");
            assert!(said.contains(path.to_str().unwrap()), "{said}");
        }
        other => panic!("{other:?}"),
    }
    assert!(host.live().is_none());
}

#[test]
fn a_staged_copy_that_somebody_removed_is_kept_out_with_the_reason() {
    let (_scratch, artifact, _poller, ready, mut host) = ready_for_a_host();
    std::fs::remove_file(ready.staged().path()).unwrap();
    match host.apply(update(&artifact, ready)).unwrap() {
        Outcome::Kept(kept) => {
            let said = replug::chain(&kept.error);
            assert!(said.contains("somebody removed or replaced it"), "{said}");
        }
        other => panic!("{other:?}"),
    }
}

/// Waits for the next copy, and takes it away before it is loaded.
#[track_caller]
fn next_without_copy(updates: &Receiver<Update>) -> Update {
    loop {
        let update = updates.recv_timeout(DEADLINE).expect("a copy in time");
        if let News::Ready(ready) = &update.news {
            std::fs::remove_file(ready.staged().path()).unwrap();
            return update;
        }
    }
}

#[test]
fn a_build_whose_copy_was_taken_away_is_staged_again_and_goes_live() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.link(&library(1));
    let mut host = watching(&scratch, &artifact);
    let update = next_without_copy(host.updates());
    let outcome = host.apply(update).unwrap();
    assert!(matches!(outcome, Outcome::Kept(_)), "{outcome:?}");
    assert_eq!(generation(next(&mut host)), 1);
}

#[test]
fn a_member_of_a_set_whose_copy_was_taken_away_is_staged_again_and_goes_live() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.link(&library(1));
    let options = Options::new(artifact.path().parent().unwrap()).stage_dir(scratch.stage());
    let options = options.interval(Duration::from_millis(5));
    let mut set = HostSet::<Text>::watch(plugin_function(), options).unwrap();
    let update = next_without_copy(set.updates());
    let (_, outcome) = set.apply(update).unwrap();
    assert!(matches!(outcome, Outcome::Kept(_)), "{outcome:?}");
    let deadline = Instant::now() + DEADLINE;
    while set.iter().all(|member| member.live().is_none()) {
        assert!(Instant::now() < deadline, "not staged again: {set:?}");
        set.wait(Watcher::STALL_CHECK);
    }
}

#[test]
fn copies_that_outlive_their_poller_leave_when_they_are_retired() {
    if !holds(Rule::RemovesMapped) {
        return;
    }
    let (scratch, artifact, poller, ready, mut host) = ready_for_a_host();
    let path = ready.staged().path().to_owned();
    assert!(host.apply(update(&artifact, ready)).is_some());
    drop(poller);
    assert!(path.exists(), "the live copy is for debuggers, too");
    drop(host);
    assert!(!path.exists());
    scratch.assert_nothing_staged();
}

fn ready(poller: &Poller) -> replug::watch::Ready {
    let found = poller
        .updates()
        .try_iter()
        .find_map(|update| match update.news {
            News::Ready(ready) => Some(ready),
            _ => None,
        });
    found.expect("the library is ready")
}

fn update(artifact: &Artifact, ready: replug::watch::Ready) -> replug::watch::Update {
    replug::watch::Update {
        artifact: artifact.path().into(),
        news: News::Ready(ready),
    }
}

#[test]
fn a_retired_generation_leaves_the_disk_and_a_dropped_host_leaves_nothing() {
    if !holds(Rule::RemovesMapped) {
        return;
    }
    let (scratch, artifact, mut host) = serving();
    let first = host.live().unwrap().staged().to_owned();
    assert!(first.exists());
    artifact.link(&library(2));
    match next(&mut host) {
        Outcome::Loaded(loaded) => {
            let retired = loaded.retired.unwrap();
            assert_eq!(
                (retired.generation, retired.mapped),
                (1, Some(Mapped::Kept))
            );
        }
        other => panic!("{other:?}"),
    }
    assert!(host.watcher().unwrap().poll_now(DEADLINE));
    assert!(!first.exists(), "the worker removes it in its next poll");
    drop(host);
    scratch.assert_nothing_staged();
}

#[test]
fn calling_before_anything_is_live_says_so() {
    let host = Host::<Text>::new(plugin_function());
    assert_eq!(host.call(c"you"), Err(CallError::Absent));
}
