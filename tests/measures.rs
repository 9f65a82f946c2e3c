//! The measures of hosts and watchers, as a recorder of the crate `metrics` receives them. Written for Linux, where replug is
//! proven; there is nothing to run elsewhere.

#![cfg(target_os = "linux")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use metrics::{
    Counter, CounterFn as _, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit, set_default_local_recorder,
};
use vocabulary::{World, workspace};

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
