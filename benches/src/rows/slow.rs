//! A library that is written in place, slowly, while it is watched.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::change::rest;
use crate::row::{Column, Figures, Row};
use crate::tool::Pace;
use crate::tools;
use crate::trial;
use crate::watched::Watched;

/// How long the writers take, in milliseconds.
const WRITERS: [&str; 2] = ["200", "900"];

/// Trials of each in a round, all at the same time.
const TRIALS: usize = 20;

/// How long after the end of the writing a tool has time, and can repeat itself.
const GRACE: Duration = Duration::from_millis(4500);

/// See above.
pub struct Slow;

impl Row for Slow {
    fn name(&self) -> &'static str {
        "slow-write"
    }

    fn title(&self) -> &'static str {
        "slow in-place write, 0.2 s and 0.9 s"
    }

    fn tools(&self) -> &'static [&'static str] {
        &[
            "limit",
            "replug",
            "hot-lib-reloader",
            "dynamic_reload",
            "notify 8",
            "notify 9",
            "inotify",
        ]
    }

    fn columns(&self) -> &'static [Column] {
        // What went wrong is counted for every row; here there is nothing else.
        &[]
    }

    fn rounds(&self) -> usize {
        5
    }

    fn measure(&self, tool: &str) -> Figures {
        let mut figures = Figures::default();
        for duration in WRITERS {
            let arguments = vec![vec![duration.to_owned()]; TRIALS];
            let timeout = Duration::from_secs(60);
            for seen in trial::together(&mut figures, self.name(), tool, &arguments, timeout) {
                count(&mut figures, &seen);
            }
        }
        figures
    }

    fn trial(&self, tool: &str, arguments: &[String]) -> Value {
        let duration = arguments[0].parse().expect("milliseconds");
        write_slowly(tool, Duration::from_millis(duration))
    }
}

/// The child's side: one write.
fn write_slowly(tool: &str, duration: Duration) -> Value {
    // Whoever loads at first sight is no limit here.
    let limit = "limit, patient";
    let tool = if tool == "limit" { limit } else { tool };
    // Twice a minute would be too seldom to see anything of it.
    let pace = match tool.starts_with("notify") {
        true => Pace::Every(replug::Options::INTERVAL),
        false => Pace::Default,
    };
    let library = tools::library(tool);
    let watched = Watched::new();
    let mut tool = tools::start(tool, &watched, pace);
    rest(1, Duration::from_millis(300), replug::Options::INTERVAL);
    let is_whole = AtomicBool::new(false);
    let (mut loads, mut is_partial) = (0, false);
    let bytes = library.numbered(2);
    let last = || is_whole.store(true, Ordering::SeqCst);
    thread::scope(|scope| {
        let writer = scope.spawn(|| watched.write_slowly(&bytes, duration, last));
        let mut end = None;
        while end.is_none_or(|end: Instant| end.elapsed() < GRACE) {
            let new = tool.wait(Duration::from_millis(10));
            loads += new;
            is_partial |= new > 0 && !is_whole.load(Ordering::SeqCst);
            if end.is_none() && writer.is_finished() {
                end = Some(Instant::now());
            }
        }
    });
    json!({
        "loads": loads,
        "partial": is_partial,
        "missed": tool.version() != Some(2),
    })
}

/// Counts a trial once, by the worst of what went wrong in it.
fn count(figures: &mut Figures, seen: &Value) {
    let mishaps = &mut figures.mishaps;
    match () {
        () if seen["partial"] == true => mishaps.partial += 1,
        () if seen["missed"] == true => mishaps.missed += 1,
        () if seen["loads"].as_u64() > Some(1) => mishaps.repeated += 1,
        () => {}
    }
}
