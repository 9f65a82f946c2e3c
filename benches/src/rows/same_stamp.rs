//! A library of the same size and the same write time takes the place of another.

use std::time::Duration;

use serde_json::{Value, json};

use crate::change::{rest, until_called};
use crate::row::{Column, Figures, Row, Target};
use crate::seen::{ms, take};
use crate::tool::QUICK;
use crate::tools;
use crate::trial::{self, Program};
use crate::watched::{Watched, Way};

/// Replacements in a trial, which is a process of its own.
const REPLACEMENTS: u64 = 10;

/// Trials in a round.
const TRIALS: usize = 5;

/// As many intervals as anyone could need.
const PATIENCE: Duration = Duration::from_millis(500);

/// See above.
pub struct SameStamp;

impl Row for SameStamp {
    fn name(&self) -> &'static str {
        "same-stamp"
    }

    fn title(&self) -> &'static str {
        "same size, same write time, renamed into place"
    }

    fn tools(&self) -> &'static [&'static str] {
        &[
            "limit",
            "replug",
            "hot-lib-reloader",
            "dynamic_reload",
            "notify 8",
            "notify 8, contents",
            "notify 9",
            "notify 9, contents",
            "inotify",
        ]
    }

    fn columns(&self) -> &'static [Column] {
        &[Column {
            figure: "ms",
            title: "ms, of those that were seen",
            target: Target::None,
        }]
    }

    fn rounds(&self) -> usize {
        6
    }

    fn measure(&self, tool: &str) -> Figures {
        let mut figures = Figures::default();
        let arguments = vec![Vec::new(); TRIALS];
        let timeout = Duration::from_secs(60);
        let name = self.name();
        let program = Program::Optimised;
        let seen = trial::together(&mut figures, program, name, tool, &arguments, timeout);
        seen.iter().for_each(|seen| take(&mut figures, "ms", seen));
        figures
    }

    fn trial(&self, tool: &str, _: &[String]) -> Value {
        let library = tools::library(tool);
        let watched = Watched::without_times();
        let mut tool = tools::start(tool, &watched, QUICK);
        let mut latencies = Vec::new();
        for number in 2..=REPLACEMENTS + 1 {
            rest(number, Duration::from_millis(50), Duration::from_millis(10));
            let begun = watched.put(&library.numbered(number), Way::Rename);
            let latency = until_called(tool.as_mut(), number, begun, PATIENCE);
            latencies.extend(latency.map(ms));
        }
        json!({ "ms": latencies, "times": REPLACEMENTS })
    }
}
