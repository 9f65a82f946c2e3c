//! A host with a store: back and forth, what is not loaded again, what a crash leaves, and what harms a store.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use replug::Digest;
use rustix::process::Signal;
use vocabulary::{Artifact, Ended, Line, Program, Scratch, c_library, pause, program, wait_until};

/// The end of a plugin in its tenth call.
#[derive(Clone, Copy)]
enum End {
    None,
    Fault,
    Abort,
    Exit,
    Null,
    Waits,
}

/// A plugin that answers `number`, and ends so when it is called for the tenth time.
fn plugin(scratch: &Scratch, number: u32, end: End) -> Vec<u8> {
    let end = match end {
        End::None => "",
        End::Fault => "*(volatile int *)address = 1;",
        End::Abort => "abort();",
        End::Exit => "exit(0);",
        End::Null => "return 0;",
        End::Waits => "for (;;) { }",
    };
    let source = format!(
        "#include <stdlib.h>
        #include <stdio.h>
        int *address = 0;
        static int calls = 0;
        char *plugin_function(const char *input) {{
            char *answer;
            (void)input;
            if (++calls >= 10) {{ {end} }}
            answer = malloc(64);
            if (answer) sprintf(answer, \"build {number}\");
            return answer;
        }}
        void plugin_free(char *answer) {{ free(answer); }}"
    );
    c_library(&source, scratch)
}

/// A library, its host and its store.
struct Ground {
    scratch: Scratch,
    artifact: Artifact,
    store: PathBuf,
}

impl Ground {
    fn new() -> Ground {
        let scratch = Scratch::new();
        Ground {
            artifact: scratch.artifact(),
            store: scratch.join("store"),
            scratch,
        }
    }

    /// Publishes a good build, and returns it.
    fn publish(&self, number: u32) -> Vec<u8> {
        self.publish_that(number, End::None)
    }

    fn publish_that(&self, number: u32, end: End) -> Vec<u8> {
        let library = plugin(&self.scratch, number, end);
        self.artifact.replace_with(&library);
        library
    }

    fn watch(&self, options: &[&str]) -> Program {
        let store = self.store.to_str().unwrap();
        let options = [&["--store", store][..], options].concat();
        Program::watch(&self.scratch, self.artifact.path(), &options)
    }

    fn command(&self, subcommand: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.args([subcommand, "--json", "--store"]);
        command.arg(&self.store).args(arguments);
        command
    }

    /// What the program says when it is asked.
    fn ask(&self, subcommand: &str, arguments: &[&str]) -> Ended {
        Program::start(self.command(subcommand, arguments)).end()
    }

    /// The words of an answer that something was done.
    #[track_caller]
    fn done(&self, subcommand: &str, arguments: &[&str]) -> String {
        let ended = self.ask(subcommand, arguments);
        ended.assert_quiet_success();
        ended.said("answered")[0].text("reason").to_owned()
    }

    #[track_caller]
    fn history(&self) -> Vec<Line> {
        let ended = self.ask("history", &[]);
        ended.assert_quiet_success();
        ended.said
    }

    /// What the history says of a build.
    #[track_caller]
    fn past(&self, library: &[u8]) -> Line {
        let digest = Digest::of(library).to_string();
        let history = self.history();
        let found = history.iter().find(|line| line.text("sha256") == digest);
        found
            .unwrap_or_else(|| panic!("no {digest} in {history:?}"))
            .clone()
    }

    /// Waits until the store has a copy of the live build and has taken down that it is live. A host that is stopped before,
    /// on a disk that is slow, leaves that undone.
    #[track_caller]
    fn wait_until_kept(&self, library: &[u8]) {
        wait_until("the store's copy of what is live", || {
            let past = self.past(library);
            ["copy", "live"].iter().all(|it| past.0[it] == true)
        });
    }
}

fn short(library: &[u8]) -> String {
    Digest::of(library).short().to_string()
}

/// Waits until a build is kept out by the store, for a reason that holds `reason`.
#[track_caller]
fn wait_for_left(program: &mut Program, library: &[u8], reason: &str) {
    let digest = Digest::of(library).to_string();
    program.wait_for(&format!("{digest} kept out for {reason}"), |line| {
        let is_kept = line.event() == "kept" && line.text("step") == "store";
        is_kept && line.text("sha256") == digest && line.text("reason").contains(reason)
    });
}

/// Waits for a warning about this, whose words hold `reason`.
#[track_caller]
fn wait_for_warning(program: &mut Program, about: &str, reason: &str) -> Line {
    program.wait_for(&format!("warning about {about}: {reason}"), |line| {
        let is_warning = line.event() == "warning" && line.text("about") == about;
        is_warning && line.text("reason").contains(reason)
    })
}

#[test]
fn back_and_forth_and_what_was_left_is_not_loaded_again_until_it_is_released_or_differs() {
    let ground = Ground::new();
    let one = ground.publish(1);
    let mut host = ground.watch(&[]);
    host.wait_for_bytes(&one);
    let two = ground.publish(2);
    host.wait_for_bytes(&two);
    let answer = ground.done("back", &[]);
    assert!(
        answer.contains(&format!("({}) is live", short(&one))),
        "{answer}"
    );
    assert!(
        answer.contains(&format!("{} was left", short(&two))),
        "{answer}"
    );
    host.wait_for_generation(3);
    host.wait_for_answer("build 1");
    // Published again: the same bytes.
    ground.artifact.replace_with(&two);
    host.go_on_for(Duration::from_millis(300));
    assert_eq!(host.loaded().len(), 3, "{:?}", host.said("loaded"));
    host.stop_cleanly(&ground.scratch);
    // The next start finds them at the path.
    let mut host = ground.watch(&[]);
    wait_for_left(&mut host, &two, "went back");
    host.wait_for_bytes(&one);
    let answer = ground.done("release", &[&short(&two)]);
    assert!(answer.contains(&short(&two)), "{answer}");
    host.wait_for_bytes(&two);
    ground.done("back", &[&Digest::of(&one).to_string()]);
    host.wait_for_generation(3);
    let three = ground.publish(3);
    host.wait_for_bytes(&three);
    host.stop_cleanly(&ground.scratch);
}

#[test]
fn the_history_says_of_each_build_what_became_of_it() {
    let ground = Ground::new();
    let one = ground.publish(1);
    let mut host = ground.watch(&["--probation-s", "0"]);
    host.wait_for_bytes(&one);
    ground.artifact.replace_with(b"\x7fELF nothing else");
    host.wait_for("a build that is kept out, or waited for", |line| {
        ["kept", "waiting"].contains(&line.event())
    });
    let two = ground.publish(2);
    host.wait_for_bytes(&two);
    ground.done("back", &[]);
    let ended = Command::new(program())
        .args(["history", "--store"])
        .arg(&ground.store)
        .output()
        .unwrap();
    let table = String::from_utf8(ended.stdout).unwrap();
    let row = |library: &[u8]| {
        let digest = short(library);
        let found = table.lines().find(|line| line.contains(&digest));
        found
            .unwrap_or_else(|| panic!("no {digest} in {table}"))
            .to_owned()
    };
    assert!(
        row(&one).contains("live; outlived its probation"),
        "{table}"
    );
    assert!(
        row(&two).contains("not loaded: somebody went back"),
        "{table}"
    );
    let path = ground.artifact.path().to_str().unwrap().to_owned();
    assert_eq!(ground.past(&one).text("path"), path);
    assert_eq!(
        ground.past(&two).text("left"),
        "somebody went back by `replug back`"
    );
    host.stop_cleanly(&ground.scratch);
    let after = format!("{:?}", ground.past(&one));
    assert!(after.contains(r#""live":false"#), "{after}");
}

#[test]
fn what_is_wished_while_no_host_runs_holds_at_the_next_start() {
    let ground = Ground::new();
    let one = ground.publish(1);
    let mut host = ground.watch(&[]);
    host.wait_for_bytes(&one);
    let two = ground.publish(2);
    host.wait_for_bytes(&two);
    ground.wait_until_kept(&two);
    host.stop_cleanly(&ground.scratch);
    let answer = ground.done("back", &[]);
    assert!(answer.contains("no host runs now"), "{answer}");
    let mut host = ground.watch(&[]);
    host.wait_for_bytes(&one);
    host.stop_cleanly(&ground.scratch);
    ground.done("release", &[]);
    let mut host = ground.watch(&[]);
    host.wait_for_bytes(&two);
    host.stop_cleanly(&ground.scratch);
}

#[test]
fn what_cannot_be_done_is_said_and_changes_nothing() {
    let ground = Ground::new();
    let nowhere = ground.ask("back", &[]);
    nowhere.assert_failed(1, &["cannot use the store", "No such file"]);
    assert!(!ground.store.exists(), "asking makes no store");
    let one = ground.publish(1);
    let mut host = ground.watch(&[]);
    host.wait_for_bytes(&one);
    let first = ground.ask("back", &[]);
    assert_eq!(first.status.code(), Some(1));
    assert!(format!("{:?}", first.said).contains("no build before this one"));
    let unknown = ground.ask("back", &["0000000000"]);
    assert!(format!("{:?}", unknown.said).contains("begins with `0000000000`"));
    let nothing = ground.ask("release", &[]);
    assert!(format!("{:?}", nothing.said).contains("nothing to release"));
    assert_eq!(host.loaded().len(), 1);
    host.stop_cleanly(&ground.scratch);
}

#[test]
fn two_hosts_do_not_share_a_store_and_the_second_goes_on_without() {
    let ground = Ground::new();
    let one = ground.publish(1);
    let mut host = ground.watch(&[]);
    host.wait_for_bytes(&one);
    let mut other = ground.watch(&[]);
    wait_for_warning(&mut other, "store", "another host has it");
    other.wait_for_bytes(&one);
    let two = ground.publish(2);
    host.wait_for_bytes(&two);
    other.wait_for_bytes(&two);
    assert_eq!(other.said("warning").len(), 1, "it is said once");
    // Once the first host has gone, the store is the other's, with what is live there.
    host.stop();
    vocabulary::wait_until("the other host has the store", || {
        format!("{:?}", ground.past(&two)).contains(r#""live":true"#)
    });
    let three = ground.publish(3);
    other.wait_for_bytes(&three);
    ground.past(&three);
    other.stop();
}

#[test]
fn a_build_that_ends_its_host_is_not_loaded_at_the_next_start_and_the_second_time_for_good() {
    for (end, words) in [
        (End::Fault, "SIGSEGV in its code"),
        (End::Abort, "SIGABRT in a call of it"),
        (End::Exit, "`exit` in a call of it"),
    ] {
        let ground = Ground::new();
        let good = ground.publish(1);
        let mut host = ground.watch(&[]);
        host.wait_for_bytes(&good);
        let bad = ground.publish_that(2, end);
        host.wait_for_bytes(&bad);
        host.wait_for_death();
        drop(host);
        let mut host = ground.watch(&[]);
        wait_for_warning(&mut host, "died", words);
        wait_for_left(&mut host, &bad, words);
        host.wait_for_bytes(&good);
        host.wait_for_answer("build 1");
        host.stop();
        // It may have been chance.
        let mut host = ground.watch(&[]);
        host.wait_for_bytes(&bad);
        host.wait_for_death();
        drop(host);
        for _ in 0..2 {
            let mut host = ground.watch(&[]);
            wait_for_left(&mut host, &bad, "quarantined");
            host.wait_for_bytes(&good);
            host.stop();
        }
        ground.done("release", &[&short(&bad)]);
        let mut host = ground.watch(&[]);
        host.wait_for_bytes(&bad);
        drop(host);
        // Other bytes need no release.
        let better = ground.publish(3);
        let mut host = ground.watch(&[]);
        host.wait_for_bytes(&better);
        host.stop();
    }
}

#[test]
fn a_build_without_a_way_back_is_loaded_once_more_and_then_not() {
    let ground = Ground::new();
    let bad = ground.publish_that(1, End::Fault);
    for words in ["", "there is no other build"] {
        let mut host = ground.watch(&[]);
        if !words.is_empty() {
            wait_for_warning(&mut host, "died", words);
        }
        host.wait_for_bytes(&bad);
        host.wait_for_death();
    }
    let mut host = ground.watch(&[]);
    wait_for_left(&mut host, &bad, "quarantined");
    host.stop();
}

#[test]
fn a_kill_from_outside_is_not_held_against_a_build_even_in_the_middle_of_a_call() {
    for (signal, words) in [
        (Signal::KILL, "without a word"),
        (Signal::FPE, "from outside"),
        (Signal::ABORT, "from outside"),
    ] {
        let ground = Ground::new();
        let good = ground.publish(1);
        let mut host = ground.watch(&[]);
        host.wait_for_bytes(&good);
        // It has answered nine times, and is in the tenth call.
        let waits = ground.publish_that(2, End::Waits);
        host.wait_for_bytes(&waits);
        for _ in 0..9 {
            host.wait_for("an answer", |line| line.event() == "result");
        }
        host.signal(signal);
        host.wait_for_death();
        drop(host);
        let mut host = ground.watch(&[]);
        wait_for_warning(&mut host, "died", words);
        host.wait_for_bytes(&waits);
        assert_eq!(ground.past(&waits).number("deaths"), 0);
        host.signal(Signal::KILL);
    }
}

#[test]
fn a_build_of_which_too_many_calls_fail_is_left() {
    let ground = Ground::new();
    let good = ground.publish(1);
    let mut host = ground.watch(&["--probation-failures", "3"]);
    host.wait_for_bytes(&good);
    let bad = ground.publish_that(2, End::Null);
    host.wait_for_bytes(&bad);
    host.wait_for_generation(3);
    host.wait_for_answer("build 1");
    let nulls = host.said("result");
    let nulls = nulls
        .iter()
        .filter(|it| format!("{it:?}").contains("\"value\":null"));
    assert!(nulls.count() > 3);
    // The worker writes it down when the owner has told it.
    vocabulary::wait_until("it is written down", || {
        let past = ground.past(&bad);
        past.is_text("left") && past.text("left").contains("more than 3 of its calls")
    });
    host.stop();
}

#[test]
fn a_store_that_is_damaged_is_said_and_never_keeps_a_host_from_its_work() {
    let ground = Ground::new();
    let one = ground.publish(1);
    let mut host = ground.watch(&[]);
    host.wait_for_bytes(&one);
    let two = ground.publish(2);
    host.wait_for_bytes(&two);
    ground.done("back", &[]);
    host.stop();
    let journal = ground.store.join("journal");
    let whole = fs::read(&journal).unwrap();
    let garbled = {
        let mut bytes = whole.clone();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        bytes
    };
    // Damage, whether it is said, and whether the store goes on.
    type Damage<'a> = (&'a str, Box<dyn Fn() + 'a>, Option<&'a str>, bool);
    let write = |bytes: &[u8]| fs::write(&journal, bytes).unwrap();
    let cut = &whole[..whole.len() - 7];
    let cases: [Damage; 7] = [
        ("a torn end", Box::new(|| write(cut)), None, true),
        (
            "a line that was changed",
            Box::new(|| write(&garbled)),
            Some("passed over"),
            true,
        ),
        ("nothing", Box::new(|| write(b"")), None, true),
        (
            "another version",
            Box::new(|| write(b"replug store 2\n")),
            Some("does not begin with"),
            false,
        ),
        (
            "zeros",
            Box::new(|| write(&[0; 4096])),
            Some("does not begin with"),
            false,
        ),
        (
            "a directory in its place",
            Box::new(|| {
                fs::remove_file(&journal).unwrap();
                fs::create_dir(&journal).unwrap();
            }),
            Some("cannot use the store"),
            false,
        ),
        (
            "open for others",
            Box::new(|| {
                fs::remove_dir(&journal).unwrap();
                fs::set_permissions(&ground.store, Permissions::from_mode(0o755)).unwrap();
            }),
            Some("chmod 700"),
            false,
        ),
    ];
    for (number, (what, damage, words, goes_on)) in (10..).zip(cases) {
        damage();
        let mut host = ground.watch(&[]);
        if let Some(words) = words {
            wait_for_warning(&mut host, "store", words);
        }
        let next = ground.publish(number);
        host.wait_for_bytes(&next);
        if goes_on {
            let last = ground.publish(number + 100);
            host.wait_for_bytes(&last);
            let answer = ground.done("back", &[]);
            assert!(answer.contains(&short(&next)), "{what}: {answer}");
        }
        host.stop();
    }
}

#[test]
fn a_copy_that_is_damaged_or_gone_is_never_loaded_and_what_is_live_stays() {
    let ground = Ground::new();
    let one = ground.publish(1);
    let mut host = ground.watch(&[]);
    host.wait_for_bytes(&one);
    let two = ground.publish(2);
    host.wait_for_bytes(&two);
    let three = ground.publish(3);
    host.wait_for_bytes(&three);
    let copy = |library: &[u8]| {
        ground
            .store
            .join("copies")
            .join(Digest::of(library).to_string())
    };
    vocabulary::wait_until("the copies are there", || copy(&three).exists());
    let mut garbled = two.clone();
    *garbled.last_mut().unwrap() ^= 1;
    fs::write(copy(&two), garbled).unwrap();
    let answer = ground.ask("back", &[]);
    assert_eq!(answer.status.code(), Some(1));
    assert!(
        format!("{:?}", answer.said).contains("is damaged"),
        "{:?}",
        answer.said
    );
    assert!(!copy(&two).exists());
    let cut = fs::OpenOptions::new().write(true).open(copy(&one)).unwrap();
    cut.set_len(100).unwrap();
    let answer = ground.ask("back", &[&short(&one)]);
    assert!(
        format!("{:?}", answer.said).contains("is damaged"),
        "{:?}",
        answer.said
    );
    let answer = ground.ask("back", &[&short(&two)]);
    assert!(
        format!("{:?}", answer.said).contains("no copy"),
        "{:?}",
        answer.said
    );
    host.wait_for_answer("build 3");
    assert_eq!(host.loaded().len(), 3);
    host.stop();
}

#[test]
fn a_journal_that_may_not_grow_is_said_once_and_the_host_goes_on() {
    let ground = Ground::new();
    let one = ground.publish(1);
    let mut host = ground.watch(&[]);
    host.wait_for_bytes(&one);
    ground.wait_until_kept(&one);
    host.stop();
    // Lines that are whole, and say nothing that counts, up to the limit.
    const LIMIT: usize = 64 * 1024;
    let journal = ground.store.join("journal");
    let mut lines = fs::read_to_string(&journal).unwrap();
    let text = format!("0\tproven\t/elsewhere/liby.so\t{}", Digest::of(b"y"));
    let mut sum = Digest::of(text.as_bytes()).to_string();
    sum.truncate(16);
    let line = format!("{sum}\t{text}\n");
    while lines.len() + line.len() < LIMIT - 100 {
        lines += &line;
    }
    fs::write(&journal, &lines).unwrap();
    let mut limited = Command::new("sh");
    // In blocks of 512 bytes.
    limited
        .args(["-c", "ulimit -f 128 && exec \"$0\" \"$@\""])
        .arg(program())
        .args([
            "run",
            "--json",
            "--interval-ms",
            "20",
            "--every-ms",
            "20",
            "--stage-dir",
        ])
        .arg(ground.scratch.stage())
        .arg("--store")
        .arg(&ground.store)
        .arg(ground.artifact.path());
    let mut host = Program::start(limited);
    wait_for_warning(&mut host, "store", "RLIMIT_FSIZE");
    host.wait_for_bytes(&one);
    for number in 2..5 {
        let next = ground.publish(number);
        host.wait_for_bytes(&next);
        ground.wait_until_kept(&next);
    }
    assert_eq!(host.said("warning").len(), 1, "{:?}", host.said("warning"));
    host.stop();
    // Written anew, it had room for all that counts.
    let last = ground.past(&plugin(&ground.scratch, 4, End::None));
    assert!(format!("{last:?}").contains(r#""end":"at""#), "{last:?}");
}

#[test]
fn in_a_storm_a_build_that_crashes_in_its_tenth_call_costs_the_call_in_flight_and_no_good_build() {
    let ground = Ground::new();
    let good: Vec<_> = (0..9)
        .map(|number| plugin(&ground.scratch, number, End::None))
        .collect();
    let bad = plugin(&ground.scratch, 9, End::Fault);
    // Builds one after another, as fast as they are written; the last of them is there to stay.
    let storm = |builds: &[Vec<u8>]| {
        for build in builds {
            ground.artifact.replace_with(build);
            pause(Duration::from_millis(3));
        }
    };
    let options = ["--every-ms", "5"];
    storm(&good[..3]);
    let mut host = ground.watch(&options);
    host.wait_for_bytes(&good[2]);
    for (begin, words) in [(3, "SIGSEGV in its code"), (6, "SIGSEGV in its code")] {
        storm(&good[begin..begin + 3]);
        let last = &good[begin + 2];
        host.wait_for_bytes(last);
        ground.artifact.replace_with(&bad);
        host.wait_for_bytes(&bad);
        host.wait_for_death();
        assert_each_call_was_answered(&host, &bad);
        // Whoever supervises the host starts it again.
        host = ground.watch(&options);
        wait_for_warning(&mut host, "died", words);
        wait_for_left(&mut host, &bad, words);
        host.wait_for_bytes(last);
        // What follows goes live, and the bad one, which is there once more, does not.
        storm(&good[..2]);
        host.wait_for_bytes(&good[1]);
        ground.artifact.replace_with(&bad);
        wait_for_left(&mut host, &bad, words);
        storm(&good[begin..begin + 1]);
        host.wait_for_bytes(&good[begin]);
        assert_each_call_was_answered(&host, &bad);
        let past = format!("{:?}", ground.past(&bad));
        let is_quarantined = past.contains("quarantined");
        assert_eq!(is_quarantined, begin == 6, "{past}");
        host.stop_cleanly(&ground.scratch);
        host = ground.watch(&options);
        host.wait_for_bytes(&good[begin]);
    }
    ground.artifact.replace_with(&bad);
    wait_for_left(&mut host, &bad, "quarantined");
    storm(&good[3..]);
    host.wait_for_bytes(&good[8]);
    host.stop_cleanly(&ground.scratch);
}

/// Each answer is of the build that was live, none is missing but that of the bad build's tenth call, and that build answered the nine
/// before.
#[track_caller]
fn assert_each_call_was_answered(host: &Program, bad: &[u8]) {
    let bad = Digest::of(bad).to_string();
    let (mut live, mut of_bad) = ("", None);
    let answers = |line: &Line| line.text("value").to_owned();
    for line in &host.said {
        match line.event() {
            "loaded" => {
                live = line.text("sha256");
                if live == bad {
                    of_bad = Some(0);
                }
            }
            "result" if live == bad => {
                assert_eq!(answers(line), "build 9");
                *of_bad.as_mut().unwrap() += 1;
            }
            "result" => assert_ne!(answers(line), "build 9"),
            _ => {}
        }
    }
    assert!(of_bad.is_none_or(|answered| answered == 9), "{of_bad:?}");
}

#[test]
fn a_host_that_is_killed_at_any_moment_starts_on_a_good_build_and_what_was_answered_holds() {
    let rounds: u32 = std::env::var("REPLUG_KILLS").map_or(120, |number| number.parse().unwrap());
    let seed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_nanos() as u64;
    let mut random = seed | 1;
    println!("seed {seed}");
    let mut below = |limit: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % limit
    };
    let ground = Ground::new();
    let builds: Vec<_> = (0..6)
        .map(|number| plugin(&ground.scratch, number, End::None))
        .collect();
    ground.artifact.replace_with(&builds[0]);
    let mut known: BTreeSet<String> = BTreeSet::new();
    let mut answered = 0;
    for round in 0..rounds {
        let mut host = ground.watch(&["--store-copies", "4"]);
        // The next start is live, with a good build.
        host.wait_for_generation(1);
        let asked = (below(2) == 0).then(|| {
            let mut command = ground.command("back", &["--timeout-s", "5"]);
            command.stdout(std::process::Stdio::piped());
            command.stderr(std::process::Stdio::null()).spawn().unwrap()
        });
        for _ in 0..below(4) {
            let next = below(builds.len() as u64) as usize;
            ground.artifact.replace_with(&builds[next]);
            pause(Duration::from_millis(below(25)));
        }
        pause(Duration::from_micros(below(60_000)));
        host.signal(Signal::KILL);
        host.wait_for_death();
        drop(host);
        let said = asked.map(|asked| asked.wait_with_output().unwrap());
        let history = ground.history();
        let digests: BTreeSet<_> = history
            .iter()
            .map(|it| it.text("sha256").to_owned())
            .collect();
        assert!(
            digests.is_superset(&known),
            "round {round}: a build is lost"
        );
        known = digests;
        if let Some(said) = said.filter(|it| it.status.success()) {
            answered += 1;
            let words = String::from_utf8(said.stdout).unwrap();
            // `X was left`; or `in place of X`, if no host was running by then.
            let left = match words.split_once("in place of ") {
                Some((_, behind)) => &behind[..8],
                None => {
                    let (before, _) = words.split_once(" was left").unwrap();
                    &before[before.len() - 8..]
                }
            };
            let holds = history
                .iter()
                .any(|it| it.text("sha256").starts_with(left) && it.is_text("left"));
            assert!(holds, "round {round}: {words} does not hold in {history:?}");
        }
        // Else in the end all builds are left, and nothing is to be loaded.
        ground.ask("release", &[]);
    }
    println!("{answered} of the wishes were granted");
    let mut host = ground.watch(&["--store-copies", "4"]);
    host.wait_for_generation(1);
    host.stop_cleanly(&ground.scratch);
    let names = fs::read_dir(ground.store.join("copies")).unwrap();
    let names: Vec<_> = names.map(|it| it.unwrap().file_name()).collect();
    assert!(names.len() <= 5, "{names:?}");
    let is_new = |name: &std::ffi::OsString| name.to_str().unwrap().starts_with('.');
    assert!(!names.iter().any(is_new), "{names:?}");
}
