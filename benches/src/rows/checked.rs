//! A library that is in its place while `cargo check`, as an editor runs it, has the lock of the target directory.

use std::time::Duration;

use serde_json::{Value, json};

use crate::change::{rest, until_called};
use crate::outside::Package;
use crate::row::{Column, Figures, Row, at_most};
use crate::seen::{ms, take};
use crate::tool::QUICK;
use crate::tools;
use crate::trial::{self, Program};
use crate::watched::{Watched, Way};

/// Libraries in a trial, all during the same check.
const LIBRARIES: u64 = 15;

/// How many MB each of them has: as a small plugin with debug information.
const SIZE: usize = 5;

/// The name of the figure.
const FIGURE: &str = "link ms";

/// See above.
pub struct Checked;

impl Row for Checked {
    fn name(&self) -> &'static str {
        "cargo-check"
    }

    fn title(&self) -> &'static str {
        "file of 5 MB in place while cargo check runs, to first new call, interval 10 ms, in a debug host"
    }

    fn tools(&self) -> &'static [&'static str] {
        &[
            "limit",
            "replug",
            "hot-lib-reloader",
            "dynamic_reload",
            "notify 8",
        ]
    }

    fn columns(&self) -> &'static [Column] {
        const { &[at_most(FIGURE, "hard link, ms", 20.0)] }
    }

    fn rounds(&self) -> usize {
        2
    }

    fn measure(&self, tool: &str) -> Figures {
        let mut figures = Figures::default();
        let program = Program::Unoptimised;
        // More than until a gate opens by itself, so that it shows.
        let timeout = Duration::from_secs(120);
        let trials = [Vec::new()];
        let seen = trial::together(&mut figures, program, self.name(), tool, &trials, timeout);
        seen.iter()
            .for_each(|seen| take(&mut figures, FIGURE, seen));
        figures
    }

    fn trial(&self, tool: &str, _: &[String]) -> Value {
        let package = Package::checked();
        let check = package.check();
        let library = tools::library(tool);
        let watched = Watched::at(package.output());
        let mut running = tools::start(tool, &watched, QUICK);
        let mut latencies = Vec::new();
        for number in 2..=LIBRARIES + 1 {
            rest(number, Duration::from_millis(30), Duration::from_millis(10));
            let begun = watched.put(&library.of_size(number, SIZE), Way::Link);
            let patience = Duration::from_secs(6);
            let latency = until_called(running.as_mut(), number, begun, patience);
            latencies.extend(latency.map(ms));
        }
        drop(check);
        json!({ "ms": latencies, "times": LIBRARIES })
    }
}
