//! The measures of hosts and watchers, as a recorder of the crate `metrics` receives them. Written for Linux, where replug is
//! proven; there is nothing to run elsewhere.

#![cfg(target_os = "linux")]

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use metrics::{
    Counter, CounterFn as _, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit, set_default_local_recorder,
};
use replug::{Digest, Host, Options, Outcome, Text, Trial, trial};
use vocabulary::{
    Artifact, Scratch, World, c_library, end, library, plugin_function, wait_until, workspace,
};

/// A recorder that keeps everything.
#[derive(Debug, Default)]
struct Kept {
    counts: Mutex<BTreeMap<String, Arc<AtomicU64>>>,
    times: Mutex<BTreeMap<String, Arc<Times>>>,
    described: Mutex<BTreeSet<String>>,
}

/// The values of a histogram, in seconds.
#[derive(Debug, Default)]
struct Times(Mutex<Vec<f64>>);

impl HistogramFn for Times {
    fn record(&self, value: f64) {
        self.0.lock().unwrap().push(value);
    }
}

/// A name with its labels: `name{label=value}`.
fn spelled(key: &Key) -> String {
    let labels = key
        .labels()
        .map(|it| format!("{}={}", it.key(), it.value()));
    format!("{}{{{}}}", key.name(), labels.collect::<Vec<_>>().join(","))
}

impl Recorder for Kept {
    fn describe_counter(&self, key: KeyName, _: Option<Unit>, _: SharedString) {
        self.described
            .lock()
            .unwrap()
            .insert(key.as_str().to_owned());
    }

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, key: KeyName, _: Option<Unit>, _: SharedString) {
        self.described
            .lock()
            .unwrap()
            .insert(key.as_str().to_owned());
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let mut counts = self.counts.lock().unwrap();
        Arc::clone(counts.entry(spelled(key)).or_default()).into()
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        let mut times = self.times.lock().unwrap();
        Arc::clone(times.entry(spelled(key)).or_default()).into()
    }
}

impl Kept {
    fn count(&self, name: &str) -> u64 {
        let counts = self.counts.lock().unwrap();
        counts
            .get(name)
            .map_or(0, |count| count.load(Ordering::Relaxed))
    }

    fn times(&self, name: &str) -> Vec<f64> {
        let times = self.times.lock().unwrap();
        times
            .get(name)
            .map_or(Vec::new(), |times| times.0.lock().unwrap().clone())
    }
}

#[test]
fn loads_kept_builds_pauses_latencies_and_polls_are_measured() {
    let kept = Kept::default();
    let _recorded = set_default_local_recorder(&kept);
    let mut world = World::new();
    let loads = [world.load("pure"), world.load("counter")];
    world.keep_out("init_refuses");
    world.artifact.link(b"no library");
    world.poll_now();
    world.next_outcome();

    let artifact = format!("artifact={}", world.artifact.path().display());
    assert_eq!(kept.count(&format!("replug_loads_total{{{artifact}}}")), 2);
    for step in ["init", "vet"] {
        let name = format!("replug_kept_total{{{artifact},step={step}}}");
        assert_eq!(kept.count(&name), 1, "{step}");
    }
    let pauses = kept.times(&format!("replug_pause_seconds{{{artifact}}}"));
    assert_eq!(pauses, loads.each_ref().map(|it| it.pause.as_secs_f64()));
    let latencies = kept.times(&format!("replug_latency_seconds{{{artifact}}}"));
    assert_eq!(
        latencies,
        loads.each_ref().map(|it| it.latency.as_secs_f64())
    );
    let polls = world.host.watcher().unwrap().polls();
    let counted = kept.count(&format!("replug_polls_total{{{artifact}}}"));
    // The worker goes on polling, and counts the poll before it says so.
    assert!(polls > 0 && counted >= polls, "{counted} of {polls}");
}

/// The recorder of this process, for what is counted on the threads of workers. Each test has an artifact of its own.
fn global() -> &'static Kept {
    static GLOBAL: OnceLock<&'static Kept> = OnceLock::new();
    GLOBAL.get_or_init(|| {
        let kept: &'static Kept = Box::leak(Box::default());
        metrics::set_global_recorder(kept).unwrap();
        kept
    })
}

/// The beginning of the `main` of a program that takes part in trials.
fn begin() {
    trial::run_if_asked(Host::<Text>::new(plugin_function()), |_| Ok(()));
}

#[test]
fn helper() {
    begin();
}

/// A plugin in C that does this when it is loaded, and that when it is called.
fn plugin(when_loaded: &str, when_called: &str, scratch: &Scratch) -> Vec<u8> {
    let source = format!(
        "#include <stdlib.h>
        char *plugin_function(const char *input);
        void plugin_free(char *answer);
        static int *address = 0;
        char *plugin_function(const char *input) {{ (void)input; (void)address; {when_called} return 0; }}
        void plugin_free(char *answer) {{ (void)answer; }}
        __attribute__((constructor)) static void construct(void) {{ {when_loaded} }}"
    );
    c_library(&source, scratch)
}

/// Waits until a build is live, or is kept out.
#[track_caller]
fn wait_for_end(host: &mut Host<Text>, library: &[u8]) {
    let digest = Digest::of(library);
    wait_until("end of the build", || {
        match host.wait(Duration::from_millis(50)) {
            Some(Outcome::Loaded(loaded)) => loaded.digest == digest,
            Some(Outcome::Kept(kept)) => kept.digest == Some(digest),
            _ => false,
        }
    });
}

/// A library that is watched by a host in this process, or in a child of it.
struct Ground {
    scratch: Scratch,
    artifact: Artifact,
}

impl Ground {
    fn new() -> Ground {
        let scratch = Scratch::new();
        let artifact = scratch.artifact();
        Ground { scratch, artifact }
    }

    fn options(&self) -> Options {
        let options = Options::new(self.artifact.path()).interval(Duration::from_millis(10));
        options.stage_dir(self.scratch.stage())
    }

    fn with_store(&self) -> Options {
        self.options().store(self.scratch.join("store"))
    }

    /// What was counted under a name with these further labels.
    fn count(&self, name: &str, labels: &str) -> u64 {
        let path = self.artifact.path().display();
        global().count(&format!("{name}{{artifact={path}{labels}}}"))
    }
}

fn host(options: Options) -> Host<Text> {
    Host::<Text>::watch(plugin_function(), options).unwrap()
}

#[test]
fn answers_about_who_may_run_and_trials_are_counted() {
    begin();
    global();
    let ground = Ground::new();
    let [good, dies, unlisted] = [
        library(1),
        plugin("abort();", "", &ground.scratch),
        library(2),
    ];
    let list = ground.scratch.join("allowed");
    let digests = [&good, &dies].map(|it| format!("{}\n", Digest::of(it)));
    fs::write(&list, digests.concat()).unwrap();
    let trial = Trial::of::<Text>().arguments(["helper", "--exact"]);
    let options = ground.options().allow(list);
    // Where an emulator runs this, the helper needs room for it, and the place of the libraries for its processor.
    let trial = trial.memory(u64::MAX).environment("QEMU_LD_PREFIX");
    let trial = trial.time(Duration::from_secs(600));
    let mut host = host(options.trial(trial));
    for library in [&good, &dies, &unlisted] {
        ground.artifact.link(library);
        wait_for_end(&mut host, library);
    }
    // A build that was refused is asked about again and again.
    end(host);
    let counts = [
        ("replug_admissions_total", ",verdict=admitted", 2),
        ("replug_admissions_total", ",verdict=refused", 1),
        ("replug_trials_total", ",verdict=passed", 1),
        ("replug_trials_total", ",verdict=kept", 1),
        ("replug_trials_total", ",verdict=untried", 0),
    ];
    for (name, labels, expected) in counts {
        assert_eq!(ground.count(name, labels), expected, "{name}{labels}");
    }
    let path = ground.artifact.path().display();
    let times = global().times(&format!("replug_trial_seconds{{artifact={path}}}"));
    assert_eq!(times.len(), 2);
    assert!(times.iter().all(|it| *it > 0.0), "{times:?}");
}

#[test]
fn a_host_that_asks_for_nothing_counts_no_answers() {
    global();
    let ground = Ground::new();
    ground.artifact.link(&library(1));
    wait_for_end(&mut host(ground.options()), &library(1));
    assert_eq!(ground.count("replug_loads_total", ""), 1);
    let path = ground.artifact.path().display().to_string();
    let counts = global().counts.lock().unwrap();
    let own: BTreeSet<_> = counts.keys().filter(|it| it.contains(&path)).collect();
    assert_eq!(own.len(), 2, "polls and loads: {own:?}");
}

#[test]
fn ways_back_and_the_ends_of_probations_are_counted() {
    global();
    let ground = Ground::new();
    let short = ground.with_store().probation(Duration::from_millis(1));
    let mut first = host(short);
    for number in 1..=2 {
        ground.artifact.link(&library(number));
        wait_for_end(&mut first, &library(number));
        wait_until("end of the probation", || {
            first.poll();
            ground.count("replug_probations_total", ",end=outlived") == u64::from(number)
        });
    }
    first.back().unwrap();
    wait_for_end(&mut first, &library(1));
    let backs = || ground.count("replug_backs_total", "");
    wait_until("a way back", || backs() == 1);
    end(first);
    let long = ground.with_store().probation(Duration::from_secs(3600));
    let mut second = host(long.probation_failures(0));
    ground.artifact.link(&library(3));
    wait_for_end(&mut second, &library(3));
    second.call_failed().unwrap();
    wait_for_end(&mut second, &library(1));
    wait_until("another way back", || backs() > 1);
    assert_eq!(ground.count("replug_probations_total", ",end=failed"), 1);
    assert_eq!(ground.count("replug_probations_total", ",end=outlived"), 2);
}

/// In a child: loads a build, and calls it, which is the end.
#[test]
fn dies() {
    let [Some(library), Some(store)] = ["DIES_WITH", "DIES_BESIDE"].map(env::var_os) else {
        return;
    };
    let options = Options::new(library).store(store);
    let mut host = host(options);
    wait_until("something live", || {
        host.wait(Duration::from_millis(50));
        host.live().is_some()
    });
    host.call(c"you").unwrap();
}

#[test]
fn deaths_and_quarantines_are_counted() {
    global();
    let ground = Ground::new();
    let bad = plugin("", "*(volatile int *)address = 1;", &ground.scratch);
    ground.artifact.link(&bad);
    for (deaths, quarantines) in [(1, 0), (2, 1)] {
        let mut child = Command::new(env::current_exe().unwrap());
        child.args(["dies", "--exact"]);
        child.env("DIES_WITH", ground.artifact.path());
        child.env("DIES_BESIDE", ground.scratch.join("store"));
        let died = child.output().unwrap();
        assert!(!died.status.success(), "{died:?}");
        // It is loaded after the first death, for there is no other, and not after the second.
        let mut host = host(ground.with_store());
        wait_for_end(&mut host, &bad);
        end(host);
        let died = ground.count("replug_probations_total", ",end=died");
        assert_eq!(died, deaths);
        assert_eq!(ground.count("replug_quarantines_total", ""), quarantines);
    }
}

#[test]
fn each_name_is_described_and_in_the_docs() {
    let kept = Kept::default();
    let _recorded = set_default_local_recorder(&kept);
    drop(World::new());
    let page = fs::read_to_string(workspace().join("docs/observing.md")).unwrap();
    let rows = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `replug_"));
    let rows: BTreeSet<_> = rows
        .map(|row| format!("replug_{}", row.split('`').next().unwrap()))
        .collect();
    assert_eq!(*kept.described.lock().unwrap(), rows);
}

#[test]
fn the_recorder_of_this_test_counts() {
    let kept = Kept::default();
    let _recorded = set_default_local_recorder(&kept);
    metrics::counter!("one").increment(2);
    assert_eq!(kept.count("one{}"), 2);
    Times::default().record(1.0);
    AtomicU64::new(0).increment(1);
}
