//! A library that is written in place, slowly, while it is watched.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::change::rest;
use crate::row::{Column, Figures, Row};
use crate::tool::Pace;
use crate::tools;
use crate::trial::{self, Program};
use crate::watched::Watched;

/// Libraries that are written in pieces, all at the same time, and how often that goes wrong.
pub struct Slow {
    name: &'static str,
    title: &'static str,
    writers: &'static [Writer],
    /// Trials of each writer in a round: of the limit and of replug, and of each other tool.
    trials: (usize, usize),
    rounds: usize,
}

/// Who writes in pieces, and pauses between them.
struct Writer {
    name: &'static str,
    pieces: usize,
    pause: Duration,
}

/// How long after the end of the writing a tool has time, and can repeat itself.
const GRACE: Duration = Duration::from_millis(4500);

/// Beyond the longest writer and the time after it.
const TIMEOUT: Duration = Duration::from_secs(90);

/// Without long pauses.
pub const STEADY: Slow = Slow {
    name: "slow-write",
    title: "slow in-place write, 0.2 s and 0.9 s",
    writers: &[writer("0.2 s", 12, 18), writer("0.9 s", 12, 82)],
    trials: (20, 20),
    rounds: 5,
};

/// With pauses that outlast any patience: a thousand trials of replug, and two hundred of each peer.
pub const PAUSED: Slow = Slow {
    name: "paused-write",
    title: "in-place write in three pieces, pauses of 0.3 s to 10 s",
    writers: &[
        writer("0.3 s", 3, 300),
        writer("1 s", 3, 1_000),
        writer("3 s", 3, 3_000),
        writer("10 s", 3, 10_000),
    ],
    trials: (50, 10),
    rounds: 5,
};

/// One that pauses for so many milliseconds.
const fn writer(name: &'static str, pieces: usize, pause: u64) -> Writer {
    Writer {
        name,
        pieces,
        pause: Duration::from_millis(pause),
    }
}

impl Row for Slow {
    fn name(&self) -> &'static str {
        self.name
    }

    fn title(&self) -> &'static str {
        self.title
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
        self.rounds
    }

    fn measure(&self, tool: &str) -> Figures {
        let mut figures = Figures::default();
        let trials = match tool {
            "limit" | "replug" => self.trials.0,
            _ => self.trials.1,
        };
        let arguments = self
            .writers
            .iter()
            .map(|writer| vec![writer.name.to_owned()]);
        let arguments: Vec<_> = arguments
            .cycle()
            .take(trials * self.writers.len())
            .collect();
        let program = Program::Optimised;
        let seen = trial::together(&mut figures, program, self.name, tool, &arguments, TIMEOUT);
        seen.iter().for_each(|seen| count(&mut figures, seen));
        figures
    }

    fn trial(&self, tool: &str, arguments: &[String]) -> Value {
        let mut writers = self.writers.iter();
        let writer = writers.find(|writer| writer.name == arguments[0]);
        write_slowly(tool, writer.expect("a writer of this row"))
    }
}

/// The child's side: one write.
fn write_slowly(tool: &str, writer: &Writer) -> Value {
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
        let write = || watched.write_slowly(&bytes, writer.pieces, writer.pause, last);
        let writing = scope.spawn(write);
        let mut end = None;
        while end.is_none_or(|end: Instant| end.elapsed() < GRACE) {
            let new = tool.wait(Duration::from_millis(10));
            loads += new;
            is_partial |= new > 0 && !is_whole.load(Ordering::SeqCst);
            if end.is_none() && writing.is_finished() {
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
