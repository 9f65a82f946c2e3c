//! A storm: a thousand builds in a few seconds, and more builds than a process can load.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use replug::Digest;
use vocabulary::{
    Artifact, Ended, Program, Scratch, key_taker, mixable, pause, version, wait_until,
};

/// Numbers that look random and can be had again (xorshift64).
struct Random(u64);

impl Random {
    /// Starts from `STORM_SEED`, or from the time of day. A test that fails shows the seed that it printed.
    fn new() -> Random {
        let seed = match std::env::var("STORM_SEED") {
            Ok(seed) => seed.parse().expect("STORM_SEED is a number"),
            Err(_) => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap()
                .as_nanos() as u64,
        };
        println!("again with STORM_SEED={seed}");
        // From zero only zeros follow.
        Random(seed.max(1))
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// The longest time between two builds, and the longest for writing one in pieces.
const LONGEST_PAUSE_MS: u64 = 16;

/// Writes a build in some way that never leaves a mixture of two builds: loading such a mixture would be right.
fn write_somehow(artifact: &Artifact, build: &[u8], random: &mut Random) {
    match random.below(4) {
        0 => artifact.replace_with(build),
        1 => artifact.link(build),
        2 => artifact.overwrite(build),
        _ => {
            let duration = Duration::from_millis(random.below(LONGEST_PAUSE_MS));
            artifact.write_slowly(build, 2 + random.below(6) as u32, duration);
        }
    }
}

#[test]
fn a_thousand_builds_written_in_every_way_crash_nothing_and_the_last_one_lives() {
    const BUILDS: u32 = 1000;
    let mut random = Random::new();
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    let mut command = Program::command(&scratch);
    command
        .args(["--interval-ms", "2", "--settle-ms", "10", "--every-ms", "1"])
        .arg(artifact.path());
    let mut program = Program::start(command);
    let mut built = HashMap::new();
    for number in 1..=BUILDS {
        let build = mixable(number);
        built.insert(Digest::of(&build).to_string(), number);
        write_somehow(&artifact, &build, &mut random);
        // Now and then a build has the bytes of the build before.
        if random.below(8) == 0 {
            pause(Duration::from_millis(random.below(LONGEST_PAUSE_MS)));
            write_somehow(&artifact, &build, &mut random);
        }
        pause(Duration::from_millis(random.below(LONGEST_PAUSE_MS)));
    }
    program.wait_for_answer(&version(BUILDS));
    // The one before leaves at the next poll.
    wait_until("time with one live copy and one on its way", || {
        scratch.staged_copies() <= 2
    });
    let ended = program.stop();
    ended.assert_quiet_success();
    assert_each_answer_is_of_the_build_that_was_loaded(&ended, &built);
    assert!(
        ended.said("loaded").len() > 100,
        "hardly anything was loaded, so this was no storm"
    );
    assert_eq!(ended.said("kept"), Vec::<&_>::new());
    scratch.assert_nothing_staged();
}

/// Every generation is one of the builds whole, none comes twice in a row, and the code that answers is the one
/// that was digested.
#[track_caller]
fn assert_each_answer_is_of_the_build_that_was_loaded(ended: &Ended, built: &HashMap<String, u32>) {
    let mut live: Option<&str> = None;
    for line in &ended.said {
        match line.event() {
            "loaded" => {
                let digest = line.text("sha256");
                assert!(built.contains_key(digest), "never built: {line:?}");
                assert_ne!(live, Some(digest), "loaded twice in a row: {line:?}");
                live = Some(digest);
            }
            "result" => {
                let version = version(built[live.unwrap()]);
                assert!(line.text("value").contains(&version), "{line:?}");
            }
            _ => {}
        }
    }
}

#[test]
fn running_out_of_thread_local_keys_keeps_what_runs_and_aborts_nothing() {
    /// More builds than the 1024 keys that a process has.
    const BUILDS: u32 = 1050;
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    let options = ["--interval-ms", "1", "--settle-ms", "1", "--every-ms", "5"];
    let mut program = Program::watch(&scratch, artifact.path(), &options);
    let mut last_good = 0;
    let mut kept = 0;
    for number in 1..=BUILDS {
        artifact.replace_with(&key_taker(number));
        let line = program.wait_for("answer or refusal", |line| match line.event() {
            "result" => line.text("value").contains(&version(number)),
            event => event == "kept",
        });
        if line.event() == "kept" {
            kept += 1;
            assert_eq!(line.text("step"), "load");
            assert!(
                line.text("reason").contains("thread-local keys"),
                "{line:?}"
            );
            assert_eq!(line.number("generation"), u64::from(last_good));
        } else {
            assert_eq!(kept, 0, "no key ever comes back: {line:?}");
            last_good = number;
        }
    }
    assert!(kept > 0, "no build was refused, so the keys never ran out");
    program.wait_for_answer(&version(last_good));
    assert!(program.said("loaded").len() > 900, "refused far too early");
    program.stop().assert_quiet_success();
    scratch.assert_nothing_staged();
}
