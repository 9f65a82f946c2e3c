//! A simulation: the same `Poller` that runs in programs, on a simulated filesystem and clock, everything from one
//! seed.
//!
//! `REPLUG_SEEDS=100000 cargo test --release --test simulation` runs that many seeds, `REPLUG_SEED=7` runs one of
//! them and prints its trace. `docs/testing.md` tells what is simulated, and what must hold.

// Its libraries are for such processors.
#![cfg(all(
    any(target_os = "linux", windows),
    target_pointer_width = "64",
    target_endian = "little"
))]

mod bound;
mod cache;
mod client;
mod coverage;
mod directories;
mod end;
mod faults;
mod ground;
mod library;
mod naive;
mod owner;
mod random;
mod run;
mod scenario;
mod seam;
mod tree;
mod walk;
mod world;
mod writers;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use coverage::must_occur;
use run::run;
use scenario::Scenario;

/// How many seeds run unless told otherwise.
const SEEDS: u64 = 2000;

/// The number of failures that are shown before a run of many seeds gives up.
const SHOWN: usize = 3;

fn number(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    let number = value.parse();
    Some(number.unwrap_or_else(|_| panic!("{variable} is `{value}`, not a number")))
}

/// Runs one seed again and shows everything.
fn explain(seed: u64) -> String {
    let scenario = Scenario::draw(seed);
    let report = run(&scenario, true);
    let lines = report.lines.join("\n");
    format!(
        "{scenario}\n{lines}\n\n{}\n\nAgain: REPLUG_SEED={seed} cargo test --release --test simulation\n",
        report.violations.join("\n")
    )
}

#[test]
fn whatever_a_seed_draws_all_properties_hold() {
    if let Some(seed) = number("REPLUG_SEED") {
        let explained = explain(seed);
        let report = run(&Scenario::draw(seed), false);
        println!("{explained}");
        assert!(report.violations.is_empty(), "{:#?}", report.violations);
        return;
    }
    let seeds = number("REPLUG_SEEDS").unwrap_or(SEEDS);
    let first = number("REPLUG_FIRST").unwrap_or(0);
    let (covered, failures, polls) = run_many(first, seeds);
    for (seed, violations) in failures.iter().take(SHOWN) {
        println!("{}", Scenario::draw(*seed));
        println!("{violations:#?}\n");
    }
    let seeds_that_failed: Vec<_> = failures.iter().map(|(seed, _)| seed).collect();
    println!("{}", tally(&failures));
    println!(
        "{seeds} seeds, {polls} polls, {} things seen",
        covered.len()
    );
    assert!(
        failures.is_empty(),
        "{} of {seeds} seeds failed: {seeds_that_failed:?}; see one with REPLUG_SEED",
        failures.len()
    );
    if seeds >= SEEDS && first == 0 {
        let wanted = must_occur();
        let absent: Vec<_> = wanted
            .iter()
            .filter(|name| !covered.contains(*name))
            .collect();
        assert!(
            absent.is_empty(),
            "never occurred: {absent:?}\noccurred: {covered:#?}"
        );
    }
}

/// The number of seeds that broke each property, and the first of these seeds.
fn tally(failures: &Failures) -> String {
    let mut tally = BTreeMap::<&str, (usize, u64)>::new();
    for (seed, violations) in failures {
        for violation in violations {
            let property = violation.split(':').next().unwrap_or(violation);
            tally.entry(property).or_insert((0, *seed)).0 += 1;
        }
    }
    let line = |(property, (count, seed)): (&&str, &(usize, u64))| {
        format!("{property}: {count} seeds, first {seed}\n")
    };
    tally.iter().map(line).collect()
}

type Failures = Vec<(u64, Vec<String>)>;

fn run_many(first: u64, seeds: u64) -> (BTreeSet<String>, Failures, u64) {
    let next = AtomicU64::new(first);
    let polls = AtomicU64::new(0);
    let all = Mutex::new((BTreeSet::new(), Failures::new()));
    // A run that looks for one property to fail need not go on when it has failed.
    let until = std::env::var("REPLUG_UNTIL").unwrap_or_default();
    let until: Vec<String> = until
        .split(',')
        .filter(|name| !name.is_empty())
        .map(|name| format!("{name}: "))
        .collect();
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut covered = BTreeSet::new();
                let mut failures = Failures::new();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + seeds {
                        break;
                    }
                    let report = run(&Scenario::draw(seed), false);
                    polls.fetch_add(report.polls, Ordering::Relaxed);
                    covered.extend(report.covered);
                    if report
                        .violations
                        .iter()
                        .any(|said| until.iter().any(|name| said.starts_with(name.as_str())))
                    {
                        // Nobody takes a seed after this one.
                        next.store(u64::MAX / 2, Ordering::Relaxed);
                    }
                    if !report.violations.is_empty() {
                        failures.push((seed, report.violations));
                    }
                }
                let mut all = all.lock().unwrap();
                all.0.extend(covered);
                all.1.extend(failures);
            });
        }
    });
    let (covered, mut failures) = all.into_inner().unwrap();
    failures.sort();
    (covered, failures, polls.into_inner())
}

#[test]
fn the_same_seed_has_the_same_trace() {
    for seed in 0..100 {
        let scenario = Scenario::draw(seed);
        assert_eq!(
            run(&scenario, false).sum,
            run(&scenario, true).sum,
            "seed {seed}"
        );
    }
}

#[test]
fn pollers_as_they_are_usually_written_load_half_files_and_miss_the_last_one() {
    const SCENARIOS: u64 = 300;
    let rules: [(&str, naive::Rule); 2] = [
        ("another size or time", naive::other_size_or_time),
        ("a newer time", naive::newer),
    ];
    for (name, rule) in rules {
        let fates = (0..SCENARIOS).map(|seed| naive::run(&Scenario::draw(seed), rule));
        let fates: Vec<_> = fates.collect();
        let torn = fates.iter().filter(|fate| fate.torn).count();
        let missed = fates.iter().filter(|fate| fate.missed).count();
        println!("{name}: of {SCENARIOS} seeds {torn} torn, {missed} missed");
        assert!(torn > 0 && missed > 0, "{name}: these worlds are too easy");
    }
}
