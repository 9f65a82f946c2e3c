//! A plugin in C, with a handshake and hooks that were written by hand.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use replug::Interface;
use replug::error::Step;
use replug::{CallError, Host, Options, Outcome, chain};
use vocabulary::{Artifact, DEADLINE, Scratch, workspace};

replug::shared! {
    /// A struct that some systems pass in registers, and others in memory.
    #[derive(Debug, PartialEq)]
    struct Pair {
        whole: u32,
        half: f64,
    }
}

replug::interface! {
    /// One function for each sort of value.
    interface Gauge, plugin trait Measure, version 1 {
        /// Half of the number.
        fn halve(number: f64) -> f64;
        /// The number with fewer digits.
        fn narrow(number: f64) -> f32;
        /// Whether the number is even.
        fn is_even(number: i32) -> bool;
        /// Both values in a pair.
        fn split(whole: u32, half: f64) -> Pair;
        /// The whole number of `pair` times the half of `by`.
        fn weigh(pair: &Pair, by: Pair) -> f64;
        /// Doubles the whole number of the pair.
        fn swell(pair: &mut Pair);
        /// The sum of the numbers.
        fn sum(numbers: &[i64]) -> i64;
        /// Overwrites the numbers.
        fn fill(numbers: &mut [u16], with: u16);
        /// Says no.
        fn refuse();
        /// Counts its calls from `init` to `stop`, over reloads.
        fn count() -> u8;
    }
}

#[test]
fn every_sort_of_value_crosses_to_c_and_back() {
    let scratch = Scratch::new();
    let (mut host, artifact) = watch(&scratch);
    artifact.link(&gauge(&scratch, 1));
    wait_for_generation(&mut host, 1);
    assert_eq!(host.halve(3.0), Ok(1.5));
    assert_eq!(host.narrow(0.25), Ok(0.25));
    assert_eq!(host.is_even(-4), Ok(true));
    assert_eq!(host.is_even(7), Ok(false));
    let pair = Pair {
        whole: 3,
        half: 2.5,
    };
    assert_eq!(host.split(3, 2.5), Ok(pair));
    assert_eq!(host.weigh(&pair, pair), Ok(7.5));
    let mut swollen = pair;
    host.swell(&mut swollen).unwrap();
    assert_eq!(swollen, Pair { whole: 6, ..pair });
    assert_eq!(host.sum(&[1, -2, i64::MAX]), Ok(i64::MAX - 1));
    assert_eq!(host.sum(&[]), Ok(0));
    let mut numbers = [0; 5];
    host.fill(&mut numbers[1..4], 9).unwrap();
    assert_eq!(numbers, [0, 9, 9, 9, 0]);
    assert_eq!(host.refuse(), Err(CallError::Refused("never".to_owned())));
}

#[test]
fn hooks_in_c_carry_state_over_and_refuse_what_they_do_not_know() {
    let scratch = Scratch::new();
    let (mut host, artifact) = watch(&scratch);
    let first = gauge(&scratch, 1);
    artifact.link(&first);
    wait_for_generation(&mut host, 1);
    assert_eq!([host.count(), host.count()], [Ok(1), Ok(2)]);
    // Behind the last section, where no loader looks.
    artifact.link(&[&first[..], b"another build"].concat());
    wait_for_generation(&mut host, 2);
    assert_eq!(host.count(), Ok(3));
    artifact.link(&gauge(&scratch, 2));
    let deadline = Instant::now() + DEADLINE;
    let kept = loop {
        match host.wait(deadline.saturating_duration_since(Instant::now())) {
            Some(Outcome::Kept(kept)) => break kept,
            Some(_) => {}
            None => panic!("nothing happened in time"),
        }
    };
    assert_eq!(kept.error.step(), Step::Restore);
    let told = chain(&kept.error);
    assert!(told.ends_with(": state of another version"), "{told}");
    assert_eq!(host.count(), Ok(4));
}

fn watch(scratch: &Scratch) -> (Host<Gauge>, Artifact) {
    let artifact = scratch.artifact();
    let options = Options::new(artifact.path())
        .stage_dir(scratch.stage())
        .interval(Duration::from_millis(2));
    (Host::<Gauge>::watch(options).unwrap(), artifact)
}

#[track_caller]
fn wait_for_generation(host: &mut Host<Gauge>, number: u64) {
    let live = host.wait_for_generation(number, Instant::now() + DEADLINE);
    live.unwrap_or_else(|error| panic!("{}", chain(&error)));
}

/// The plugin in C, built from this declaration; the state that it saves has this version.
#[track_caller]
fn gauge(scratch: &Scratch, state: u32) -> Vec<u8> {
    // MinGW gives a name without an extension one.
    let output = scratch.join(format!("gauge-{state}.out"));
    let compiled = Command::new("cc")
        .args(["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror"])
        .args(["-shared", "-fPIC", "-I", "docs"])
        // Text is written in C as in Rust.
        .arg(format!("-DDECLARATION={:?}", Gauge::DECLARATION))
        .arg(format!("-DSTATE={state}"))
        .args(["-o".as_ref(), output.as_path()])
        .arg("tests/contract/gauge.c")
        .current_dir(workspace())
        .status()
        .expect("cc can be started");
    assert!(compiled.success(), "the plugin does not compile");
    fs::read(output).unwrap()
}
