//! Trials: builds that a helper process tries before they are handed over. They are a test binary of their own, because the
//! helper is this program. Written for Linux, where replug is proven.

#![cfg(target_os = "linux")]

use std::env;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fixtures::Fixture;
use replug::error::{Error, NoTrial, Step, TrialEnd, TrialPart};
use replug::outcome::Kept;
use replug::watch::{News, OsFiles, Pen, Poller, PrivateCopy, Stage, Watcher};
use replug::{Host, HostSet, Options, Outcome, Text, Trial, trial};
use rustix::process::{Pid, Signal, kill_process};
use vocabulary::{
    Artifact, DEADLINE, Hands, Scratch, World, c_library, damaged, for_each_case, is_there,
    library, pause, plugin_function, specimen, stage_in, wait_until,
};

/// The test that is run in a helper, and nothing else with it.
const HELPER: [&str; 3] = ["helper", "--exact", "--nocapture"];

/// What the self-test asks of a build, which is not to answer 13.
const QUESTION: u64 = 7;

/// The time limit of trials that end before it.
const LONG: Duration = Duration::from_secs(600);

/// The argument of a helper that takes no part before somebody ends it.
const HALTS: &str = "halts";

/// The beginning of the `main` of a program that takes part. A helper is told by its arguments where to count itself.
fn begin() {
    let counts = env::args().skip_while(|it| it != "--skip").nth(1);
    if let Some(counts) = counts {
        let mut counts = OpenOptions::new().append(true).open(counts).unwrap();
        counts.write_all(b".").unwrap();
    }
    if env::args().any(|it| it == HALTS) {
        pause(LONG);
    }
    trial::run_if_asked(Host::<Fixture>::new(), |fixture| {
        match fixture.act(QUESTION)? {
            13 => Err("its answer is unlucky".into()),
            _ => Ok(()),
        }
    });
    trial::run_if_asked(Host::<Text>::new(plugin_function()), |_| Ok(()));
}

#[test]
fn helper() {
    begin();
}

/// A trial by this program, which counts itself in the scratch directory.
fn tried(scratch: &Scratch) -> Trial {
    tried_as::<Fixture>(scratch)
}

fn tried_as<T>(scratch: &Scratch) -> Trial {
    begin();
    let counts = scratch.join("counts");
    let opened = OpenOptions::new().create(true).append(true).open(&counts);
    drop(opened.unwrap());
    let counts = counts.to_str().unwrap().to_owned();
    let arguments = HELPER.map(str::to_owned).into_iter();
    let arguments = arguments.chain(["--skip".to_owned(), counts]);
    Trial::of::<T>().arguments(arguments).time(LONG)
}

/// How many helpers were started.
fn trials(scratch: &Scratch) -> usize {
    fs::read(scratch.join("counts")).unwrap().len()
}

/// A world whose builds are tried as `how` says.
fn world(how: impl FnOnce(Trial) -> Trial) -> World {
    let scratch = Scratch::new();
    let trial = how(tried(&scratch));
    World::watched_in(scratch, |options| {
        Host::<Fixture>::watch(options.trial(trial)).unwrap()
    })
}

/// A build that does this deed.
fn doing(deed: &str) -> Vec<u8> {
    let written = format!("deed={deed:.<15}");
    damaged("misbehaves", b"deed=nothing........", written.as_bytes())
}

/// Puts a build in place that is kept out by its trial; returns the end of the trial, and all that is said of it.
#[track_caller]
fn keep_out(world: &mut World, library: &[u8]) -> (TrialEnd, TrialPart, String) {
    world.put(library);
    let outcome = world.next_outcome();
    let end = match &outcome {
        Outcome::Kept(Kept {
            error: Error::Trial { source, .. },
            live,
            digest: Some(_),
            ..
        }) => {
            assert_eq!(*live, world.generation());
            (source.end().clone(), source.part())
        }
        other => panic!("not kept out by its trial: {other:?}"),
    };
    let (step, told) = world.why(outcome);
    assert_eq!(step, Step::Trial);
    assert!(
        told.starts_with("cannot hand over `IT`: a helper process"),
        "{told}"
    );
    (end.0, end.1, told)
}

/// The processes whose parent is this one.
fn children_of(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").unwrap();
    let numbers = processes.filter_map(|it| it.unwrap().file_name().to_str()?.parse().ok());
    let is_child = |number: &u32| {
        let stat = fs::read_to_string(format!("/proc/{number}/stat"));
        let stat = stat.unwrap_or_default();
        let fields = stat.rsplit(')').next().unwrap_or_default();
        fields.split_whitespace().nth(1) == Some(&parent.to_string())
    };
    numbers.filter(is_child).collect()
}

#[test]
fn a_build_that_ends_its_process_is_kept_out_with_the_reason_and_what_is_live_goes_on() {
    let mut world = world(|trial| trial.memory(1 << 30)).and("pure");
    let aborted = TrialEnd::Signal(libc::SIGABRT);
    for (deed, end, part, words) in [
        (
            "segfault",
            TrialEnd::Signal(libc::SIGSEGV),
            TrialPart::Load,
            "signal 11 (SIGSEGV) while it was loaded",
        ),
        (
            "exit",
            TrialEnd::Exit(Some(0)),
            TrialPart::Load,
            "status 0 while it was loaded, in which its constructors run, and was not done",
        ),
        (
            "abort",
            aborted.clone(),
            TrialPart::Init,
            "(SIGABRT) in `init`",
        ),
        (
            "eat",
            aborted.clone(),
            TrialPart::Init,
            "memory allocation of",
        ),
        ("stop", aborted, TrialPart::Stop, "(SIGABRT) in `stop`"),
    ] {
        let (ended, at, told) = keep_out(&mut world, &doing(deed));
        assert_eq!((ended, at), (end, part), "{deed}: {told}");
        assert!(told.contains(words), "{deed}: {told}");
        assert_eq!(world.host.act(3), Ok(4), "{deed}");
    }
    world.put(&doing("well"));
    assert!(matches!(world.next_outcome(), Outcome::Loaded(loaded) if loaded.generation == 2));
}

#[test]
fn what_a_helper_leaves_behind_holds_the_verdict_up_for_a_while_and_not_for_ever() {
    let mut world = world(|trial| trial).and("pure");
    let (end, part, told) = keep_out(&mut world, &doing("leave"));
    let (_, child) = told.split_once("its child is ").expect("its last words");
    let child: u32 = child.trim_end_matches('`').parse().unwrap();
    assert!(is_there(child), "it was in nobody's way");
    let child = Pid::from_raw(child.try_into().unwrap()).unwrap();
    kill_process(child, Signal::KILL).unwrap();
    assert_eq!(end, TrialEnd::Signal(libc::SIGABRT), "{told}");
    assert_eq!(part, TrialPart::Init, "{told}");
    assert_eq!(world.host.act(3), Ok(4));
}

#[test]
fn a_build_that_fails_is_kept_out_with_its_own_words() {
    let mut world = world(|trial| trial).and("pure");
    for (library, part, words) in [
        (
            specimen("init_refuses", 1),
            TrialPart::Init,
            "failed in `init`: no licence",
        ),
        (
            specimen("init_panics", 1),
            TrialPart::Init,
            "failed in `init`: the plugin panicked: init went wrong",
        ),
        (
            doing("test"),
            TrialPart::SelfTest,
            "failed in its self-test: its answer is unlucky",
        ),
    ] {
        let (end, at, told) = keep_out(&mut world, &library);
        assert!(matches!(end, TrialEnd::Failed(_)), "{told}");
        assert_eq!(at, part, "{told}");
        assert!(told.contains(words), "{told}");
    }
    assert_eq!(world.host.act(3), Ok(4));
}

#[test]
fn a_helper_opens_no_more_files_than_it_may() {
    let mut world = world(|trial| trial.descriptors(64));
    let (_, part, told) = keep_out(&mut world, &doing("open"));
    assert_eq!(part, TrialPart::Init, "{told}");
    let (_, words) = told.split_once("failed in `init`: ").expect(&told);
    let (count, words) = words.split_once(' ').unwrap();
    assert!(words.starts_with("files: Too many open files"), "{told}");
    assert!((1..64).contains(&count.parse::<u32>().unwrap()), "{told}");
}

#[test]
fn a_library_that_lacks_a_symbol_of_another_one_is_kept_out_and_said_to() {
    const SOURCE: &str = r#"
        char *nowhere_to_be_found(const char *input);
        char *plugin_function(const char *input);
        void plugin_free(char *answer);
        char *plugin_function(const char *input) { return nowhere_to_be_found(input); }
        void plugin_free(char *answer) { (void)answer; }
    "#;
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    let options = scratch.options().trial(tried_as::<Text>(&scratch));
    artifact.link(&library(1));
    let mut host = Host::<Text>::watch(plugin_function(), options).unwrap();
    let deadline = Instant::now() + DEADLINE;
    host.wait_for_generation(1, deadline).unwrap();
    artifact.link(&c_library(SOURCE, &scratch));
    let kept = loop {
        match host.wait(DEADLINE) {
            Some(Outcome::Kept(kept)) => break kept,
            Some(_) => {}
            None => panic!("nothing happened in time"),
        }
    };
    assert_eq!((kept.error.step(), kept.live), (Step::Trial, Some(1)));
    let told = format!("{:?}", kept.error);
    assert!(told.contains("nowhere_to_be_found"), "{told}");
}

#[test]
fn a_build_that_does_not_come_to_an_end_is_killed_with_all_that_it_started() {
    // A busy machine needs longer to come so far.
    let limits = [1, 4, 16, 64].map(Duration::from_secs);
    let (limit, told, child) = limits
        .into_iter()
        .find_map(|limit| {
            let mut world = world(|trial| trial.time(limit));
            let (end, part, told) = keep_out(&mut world, &doing("hang"));
            let (_, child) = told.split_once("its child is ")?;
            let child = child.trim_end_matches('`').parse::<u32>().ok()?;
            (part == TrialPart::Init).then(|| {
                assert_eq!(end, TrialEnd::TimeLimit(limit));
                (limit, told, child)
            })
        })
        .expect("it hangs within a minute");
    let expected = format!(
        "was not done after {} ms, was then in `init`, and was killed",
        limit.as_millis()
    );
    assert!(told.contains(&expected), "{told}");
    wait_until("end of what the helper had started", || !is_there(child));
    assert!(
        told.contains(r"\x1b[2Jits child"),
        "its words move nothing: {told}"
    );
}

#[test]
fn a_helper_has_an_empty_environment_but_for_what_is_named_and_nothing_to_read() {
    // Whatever starts tests has these.
    let mut world = world(|trial| trial.environment("PATH").environment("NO_SUCH_VARIABLE"));
    let (_, _, told) = keep_out(&mut world, &doing("tell"));
    let expected = r#"it has ["PATH", "REPLUG_TRIAL"], reads /dev/null, and leaves cores of "#;
    let (_, rest) = told.split_once(expected).expect(&told);
    assert!(rest.starts_with("0 ") || rest.starts_with("1 "), "{told}");
}

#[test]
fn a_build_that_has_passed_leaves_neither_a_process_nor_a_copy_nor_a_file_behind() {
    let own = || {
        let arguments = [&["leaves_nothing"], &HELPER[1..]].concat();
        let mut program = Command::new(env::current_exe().unwrap());
        program.args(arguments).env("TRIED_ALONE", "1");
        program.status().unwrap()
    };
    assert!(own().success());
}

/// In a process without other tests, of which nobody knows which children and files they have.
#[test]
fn leaves_nothing() {
    if env::var_os("TRIED_ALONE").is_none() {
        return;
    }
    let mut world = world(|trial| trial).and("pure");
    let files = || fs::read_dir("/proc/self/fd").unwrap().count();
    wait_until("end of the first", || {
        children_of(std::process::id()).is_empty()
    });
    let open = files();
    for _ in 0..3 {
        world.load("pure");
    }
    assert_eq!(children_of(std::process::id()), [] as [u32; 0]);
    world.poll_now();
    assert_eq!(world.scratch.staged_copies(), 1, "the live one's");
    let threads = || {
        let tasks = fs::read_dir("/proc/self/task").unwrap();
        let names = tasks.map(|task| fs::read_to_string(task.unwrap().path().join("comm")));
        let of_trials =
            names.filter(|name| name.as_ref().is_ok_and(|it| it.trim() == "replug-trial"));
        of_trials.count()
    };
    wait_until("end of the last trial", || {
        files() <= open && threads() == 0
    });
    assert_eq!(trials(&world.scratch), 4);
}

#[test]
fn bytes_are_tried_once_whether_they_pass_or_not() {
    let mut world = world(|trial| trial).and("pure");
    assert_eq!(trials(&world.scratch), 1);
    let bad = doing("abort");
    keep_out(&mut world, &bad);
    assert_eq!(trials(&world.scratch), 2);
    world.artifact.touch();
    world.poll_now();
    world.artifact.link(&bad);
    world.poll_now();
    world.poll_now();
    assert_eq!(
        trials(&world.scratch),
        2,
        "the bytes are those that were tried"
    );
    keep_out(&mut world, &[&bad[..], b"other"].concat());
    assert_eq!(trials(&world.scratch), 3);
}

#[test]
fn what_was_let_go_of_is_taken_up_again_without_another_trial() {
    let scratch = Scratch::new();
    let directory = scratch.join("plugins");
    fs::create_dir(&directory).unwrap();
    let path = directory.join("libpure.so");
    fs::write(&path, specimen("pure", 1)).unwrap();
    let options = Options::new(&directory).stage_dir(scratch.stage());
    let options = options.interval(Duration::from_millis(2));
    let mut set = HostSet::<Fixture>::watch(options.trial(tried(&scratch))).unwrap();
    wait_for_members(&mut set, &["pure"]);
    set.remove("pure").unwrap();
    Artifact::at(&path).link(&specimen("pure", 1));
    wait_for_members(&mut set, &["pure"]);
    assert_eq!(trials(&scratch), 1, "these bytes have passed");
}

#[test]
fn the_trial_of_what_is_let_go_of_ends() {
    let scratch = Scratch::new();
    let directory = scratch.join("plugins");
    fs::create_dir(&directory).unwrap();
    let artifact = Artifact::at(directory.join("libpure.so"));
    artifact.link(&specimen("pure", 1));
    let options = Options::new(&directory).stage_dir(scratch.stage());
    let options = options.interval(Duration::from_millis(2));
    let mut set = HostSet::<Fixture>::watch(options.trial(tried(&scratch))).unwrap();
    wait_for_members(&mut set, &["pure"]);
    artifact.link(&doing("spin"));
    wait_until("helper that hangs", || trials(&scratch) == 2);
    set.remove("pure").unwrap();
    let asker = std::process::id();
    wait_until("end of the helper", || {
        helpers_of(asker, &scratch).is_empty()
    });
}

/// Waits until these plugins are live.
#[track_caller]
fn wait_for_members(set: &mut HostSet<Fixture>, names: &[&str]) {
    let deadline = Instant::now() + DEADLINE;
    let is_live = |set: &HostSet<Fixture>, name: &str| {
        set.get(name).is_some_and(|member| member.live().is_some())
    };
    while !names.iter().all(|name| is_live(set, name)) {
        assert!(Instant::now() < deadline, "{set:?}");
        set.wait(Duration::from_millis(50));
    }
}

#[test]
fn a_trial_holds_up_no_other_library_and_ends_with_its_watch() {
    let scratch = Scratch::new();
    let directory = scratch.join("plugins");
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("libhangs.so"), doing("spin")).unwrap();
    fs::write(directory.join("libone.so"), specimen("pure", 1)).unwrap();
    let options = Options::new(&directory).stage_dir(scratch.stage());
    let options = options.interval(Duration::from_millis(2));
    let mut set = HostSet::<Fixture>::watch(options.trial(tried(&scratch))).unwrap();
    wait_for_members(&mut set, &["one"]);
    fs::write(directory.join("libtwo.so"), specimen("pure", 2)).unwrap();
    wait_for_members(&mut set, &["two"]);
    assert!(set.get("hangs").is_none());
    wait_until("three helpers", || trials(&scratch) == 3);
    let helper = helpers_of(std::process::id(), &scratch);
    assert_eq!(helper.len(), 1);
    let counts = set.watcher().counts();
    drop(set);
    wait_until("the worker's end", || Arc::strong_count(&counts) == 1);
    assert!(
        !is_there(helper[0]),
        "it is killed before the watch is over"
    );
    scratch.assert_nothing_staged();
}

/// The helpers of a process, which know its scratch directory.
fn helpers_of(asker: u32, scratch: &Scratch) -> Vec<u32> {
    let scratch = scratch.path().to_str().unwrap();
    let is_of = |process: &u32| {
        let arguments = fs::read(format!("/proc/{process}/cmdline"));
        String::from_utf8_lossy(&arguments.unwrap_or_default()).contains(scratch)
    };
    children_of(asker).into_iter().filter(is_of).collect()
}

#[test]
fn a_newer_build_does_not_wait_for_the_trial_of_the_one_before() {
    let mut world = world(|trial| trial).and("pure");
    world.put(&doing("spin"));
    let asker = std::process::id();
    wait_until("helper that hangs", || trials(&world.scratch) == 2);
    let before = helpers_of(asker, &world.scratch);
    assert_eq!(world.load("pure").generation, 2);
    assert!(before.into_iter().all(|helper| !is_there(helper)));
}

#[test]
fn half_a_build_ends_the_trial_of_the_one_before_which_is_tried_again_when_it_is_back() {
    let world = world(|trial| trial);
    let spins = doing("spin");
    world.put(&spins);
    wait_until("helper that hangs", || trials(&world.scratch) == 1);
    let before = helpers_of(std::process::id(), &world.scratch);
    world.artifact.overwrite(&spins[..spins.len() / 2]);
    wait_until("end of the helper", || {
        before.iter().all(|helper| !is_there(*helper))
    });
    world.put(&spins);
    wait_until("helper that hangs again", || trials(&world.scratch) == 2);
}

#[test]
fn a_build_restores_the_state_of_the_live_generation_in_its_trial_if_that_is_wanted() {
    let mut world = world(Trial::restoring).and("counter");
    assert_eq!(world.host.act(0), Ok(1));
    let (_, part, told) = keep_out(&mut world, &specimen("restore_panics", 7));
    assert_eq!(part, TrialPart::Restore);
    assert!(told.contains("restore went wrong"), "{told}");
    assert_eq!(world.load("newer_counter").generation, 2);
    assert_eq!(
        world.host.act(0),
        Ok(2),
        "the swap hands on the newest state"
    );
    world.load("newer_counter");
    let (_, part, told) = keep_out(&mut world, &specimen("stop_panics", 7));
    assert_eq!(part, TrialPart::Restore);
    assert!(told.contains("no use for state"), "{told}");
    let (_, _, told) = keep_out(&mut world, &specimen("pure", 7));
    assert!(told.contains("it has no hooks"), "{told}");
}

#[test]
fn without_that_wish_the_swap_is_where_a_state_is_restored() {
    let mut world = world(|trial| trial).and("counter");
    let (step, _) = world.keep_out("restore_panics");
    assert_eq!(step, Step::Restore);
}

#[test]
fn a_program_that_takes_no_part_is_told_at_the_start() {
    struct Unheard;
    let scratch = Scratch::new();
    let options = scratch.options().trial(Trial::of::<Unheard>());
    let error = Watcher::new(options).unwrap_err();
    assert_eq!(error.step(), Step::Trial);
    let told = format!("{error:?}");
    assert!(
        told.contains("let `main` begin with `replug::trial::run_if_asked`"),
        "{told}"
    );
    assert!(told.contains("Unheard"), "{told}");
    assert_eq!(children_of_this_test(&scratch), 0);
    scratch.assert_nothing_staged();
}

fn children_of_this_test(scratch: &Scratch) -> usize {
    helpers_of(std::process::id(), scratch).len()
}

#[test]
fn a_main_that_takes_no_part_in_a_helper_keeps_the_build_out_and_starts_no_second_host() {
    let mut world = world(|trial| trial.arguments(["no such test", "--exact"]));
    let (end, _, told) = keep_out(&mut world, &specimen("pure", 1));
    assert!(
        matches!(end, TrialEnd::NoPart(kind) if kind.contains("Fixture")),
        "{told}"
    );
    assert!(
        told.contains("took no part in that: let `main` begin"),
        "{told}"
    );
}

/// A process that was started as a helper, by a `main` that begins to watch.
#[test]
fn watches() {
    if let Err(Error::NoTrial { source, .. }) = Watcher::new(Options::new("/nowhere")) {
        assert!(matches!(source, NoTrial::IsHelper(_)));
        println!("{source}");
    }
}

#[test]
fn a_helper_that_comes_to_watch_is_told() {
    let mut program = Command::new(env::current_exe().unwrap());
    program.args(["watches", "--exact", "--nocapture"]);
    program
        .env("REPLUG_TRIAL", "another::Kind")
        .stdin(Stdio::null());
    let output = program.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("was started to try a build"), "{said}");
    assert!(said.contains("another::Kind"), "{said}");
}

#[test]
fn a_helper_that_nobody_has_asked_anything_says_so_and_ends() {
    let mut program = Command::new(env::current_exe().unwrap());
    let kind = std::any::type_name::<Fixture>();
    program
        .args(HELPER)
        .env("REPLUG_TRIAL", kind)
        .stdin(Stdio::null());
    let output = program.output().unwrap();
    assert_eq!(output.status.code(), Some(70));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("cannot try a build: stdin is no request"),
        "{said}"
    );
}

/// A host whose build hangs in its trial, until it is killed.
#[test]
fn hosts_what_hangs() {
    let Some(path) = env::var_os("HOSTS_WHAT_HANGS") else {
        return;
    };
    let scratch = PathBuf::from(path);
    begin();
    let counts = scratch.join("counts");
    fs::write(&counts, "").unwrap();
    let arguments = HELPER
        .iter()
        .map(Path::new)
        .chain([Path::new("--skip"), &counts]);
    let trial = Trial::of::<Fixture>().arguments(arguments).time(LONG);
    let artifact = scratch.join("libplugin01.so");
    let options = Options::new(artifact).stage_dir(scratch.join("stage"));
    let mut host = Host::<Fixture>::watch(options.trial(trial)).unwrap();
    loop {
        host.wait(DEADLINE);
    }
}

#[test]
fn a_helper_ends_with_the_process_that_asked() {
    let scratch = Scratch::new();
    scratch.artifact().link(&doing("spin"));
    let mut program = Command::new(env::current_exe().unwrap());
    program.args(["hosts_what_hangs", "--exact"]);
    program.env("HOSTS_WHAT_HANGS", scratch.path());
    let mut host = program.spawn().unwrap();
    let mut helpers = Vec::new();
    wait_until("helper that hangs", || {
        helpers = helpers_of(host.id(), &scratch);
        !helpers.is_empty()
    });
    // Until it has read whom it helps.
    wait_until("count of the helper", || trials(&scratch) == 1);
    pause(Duration::from_millis(100));
    kill_process(Pid::from_child(&host), Signal::KILL).unwrap();
    host.wait().unwrap();
    wait_until("end of the helper", || {
        helpers.iter().all(|it| !is_there(*it))
    });
}

/// Private copies that a loader finds by their paths once that is allowed.
struct Elsewhere(
    std::rc::Rc<std::cell::Cell<bool>>,
    replug::watch::StageDirectory,
);

struct Copy(std::rc::Rc<std::cell::Cell<bool>>, replug::watch::Staged);

impl Stage for Elsewhere {
    type Staged = Copy;

    fn create(&self, artifact: &Path) -> io::Result<Copy> {
        Ok(Copy(self.0.clone(), self.1.create(artifact)?))
    }
}

impl Read for Copy {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.1.read(buffer)
    }
}

impl Seek for Copy {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.1.seek(to)
    }
}

impl PrivateCopy for Copy {
    fn append(&mut self, bytes: &[u8], pen: &Pen) -> io::Result<()> {
        self.1.append(bytes, pen)
    }

    fn seal(&mut self, mapped: u64, pen: &Pen) {
        self.1.seal(mapped, pen);
    }

    fn loadable(&self) -> Option<&Path> {
        self.1.loadable().filter(|_| self.0.get())
    }
}

#[test]
fn what_cannot_be_tried_is_no_verdict_and_is_tried_as_soon_as_that_is_over() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.link(&specimen("pure", 1));
    let is_allowed = std::rc::Rc::default();
    let stage = Elsewhere(std::rc::Rc::clone(&is_allowed), stage_in(&scratch));
    let options = Options::new(artifact.path()).trial(tried(&scratch));
    let hands = Hands::default();
    let mut poller = Poller::with(options, OsFiles, stage, hands.clone());
    let mut said = Vec::new();
    let mut poll = |rounds: u32| {
        for _ in 0..rounds {
            hands.turn(Duration::from_secs(1));
            poller.poll(poller.now());
            said.extend(poller.updates().try_iter().map(|update| update.news));
        }
        std::mem::take(&mut said)
    };
    let news = poll(20);
    let kept = |news: &News<Copy>| matches!(news, News::Kept { digest: None, error } if matches!(error, Error::NotTried { .. }));
    assert_eq!(
        news.iter().filter(|it| kept(it)).count(),
        1,
        "{}",
        news.len()
    );
    assert_eq!(trials(&scratch), 0);
    is_allowed.set(true);
    let deadline = Instant::now() + DEADLINE;
    loop {
        assert!(Instant::now() < deadline, "it is never ready");
        pause(Duration::from_millis(5));
        let news = poll(1);
        if news.iter().any(|it| matches!(it, News::Ready(_))) {
            break;
        }
    }
    assert_eq!(trials(&scratch), 1);
}

/// A plugin in C whose constructor kills its process, unless `file` is there; it makes the file before.
fn killed_unless(file: &Path, ends_always: bool, scratch: &Scratch) -> Vec<u8> {
    let file = file.to_str().unwrap();
    let is_first = if ends_always {
        "made >= 0 || made < 0"
    } else {
        "made >= 0"
    };
    let source = format!(
        r#"
        #define _POSIX_C_SOURCE 200809L
        #include <fcntl.h>
        #include <signal.h>
        #include <unistd.h>
        char *plugin_function(const char *input);
        void plugin_free(char *answer);
        char *plugin_function(const char *input) {{ (void)input; return 0; }}
        void plugin_free(char *answer) {{ (void)answer; }}
        __attribute__((constructor)) static void construct(void) {{
            int made = open("{file}", O_CREAT | O_EXCL, 0600);
            if ({is_first}) kill(getpid(), SIGKILL);
        }}
        "#
    );
    c_library(&source, scratch)
}

/// A host whose builds are tried, and what becomes of a build that it finds: the words of a refusal.
fn tried_by_host(scratch: &Scratch, library: &[u8]) -> Result<(), (TrialEnd, String)> {
    let artifact = scratch.artifact();
    let options = scratch.options().trial(tried_as::<Text>(scratch));
    artifact.link(library);
    let mut host = Host::<Text>::watch(plugin_function(), options).unwrap();
    let mut is_told = false;
    loop {
        match host.wait(DEADLINE) {
            Some(Outcome::Trying(digest)) => {
                assert_eq!(digest, replug::Digest::of(library));
                assert!(!std::mem::replace(&mut is_told, true), "it is said once");
            }
            Some(Outcome::Loaded(_)) => {
                assert!(is_told);
                return Ok(());
            }
            Some(Outcome::Kept(kept)) => {
                assert!(is_told);
                let told = kept.reason();
                let Error::Trial { source, .. } = kept.error else {
                    panic!("{told}")
                };
                return Err((source.end().clone(), told));
            }
            Some(_) => {}
            None => panic!("nothing happened in time"),
        }
    }
}

#[test]
fn a_build_whose_helper_was_killed_once_is_tried_again_and_goes_live() {
    let scratch = Scratch::new();
    let library = killed_unless(&scratch.join("made"), false, &scratch);
    // The file is there by then, so the host itself is not killed.
    assert_eq!(tried_by_host(&scratch, &library), Ok(()));
    assert_eq!(trials(&scratch), 2);
}

#[test]
fn a_build_whose_helper_is_killed_twice_is_kept_out_and_nobody_claims_to_know_by_whom() {
    let scratch = Scratch::new();
    let library = killed_unless(&scratch.join("made"), true, &scratch);
    let (end, told) = tried_by_host(&scratch, &library).unwrap_err();
    assert_eq!(end, TrialEnd::Signal(libc::SIGKILL));
    for words in [
        "somebody killed it, or the system for want of memory, or it itself",
        "a second try ended so, too",
        "while it was loaded",
    ] {
        assert!(told.contains(words), "{told}");
    }
    assert_eq!(trials(&scratch), 2);
}

#[test]
fn a_helper_that_is_killed_before_it_has_said_a_word_is_no_program_that_takes_no_part() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    let trial = tried_as::<Text>(&scratch);
    let counts = scratch.join("counts").to_str().unwrap().to_owned();
    let arguments = HELPER.map(str::to_owned).into_iter();
    let trial = trial.arguments(arguments.chain(["--skip".to_owned(), counts, HALTS.to_owned()]));
    artifact.link(&library(1));
    let options = scratch.options().trial(trial);
    let mut host = Host::<Text>::watch(plugin_function(), options).unwrap();
    for number in 1..=2 {
        wait_until("helper", || trials(&scratch) == number);
        let helpers = helpers_of(std::process::id(), &scratch);
        for helper in helpers {
            let helper = Pid::from_raw(i32::try_from(helper).unwrap()).unwrap();
            kill_process(helper, Signal::KILL).unwrap();
        }
    }
    let kept = loop {
        match host.wait(DEADLINE) {
            Some(Outcome::Kept(kept)) => break kept,
            Some(_) => {}
            None => panic!("nothing happened in time"),
        }
    };
    let told = kept.reason();
    assert!(told.contains("(SIGKILL: somebody killed it"), "{told}");
    assert!(told.contains("before it was loaded"), "{told}");
}

#[test]
fn who_does_not_ask_for_trials_starts_no_process() {
    let scratch = Scratch::new();
    let mut world = World::watched_in(scratch, |options| Host::<Fixture>::watch(options).unwrap());
    world.load("pure");
    assert_eq!(children_of_this_test(&world.scratch), 0);
    for_each_case(
        [("a build that fails", "init_refuses", Step::Init)],
        |name, step| {
            let mut world = World::new();
            assert_eq!(world.keep_out(name).0, step);
        },
    );
}
