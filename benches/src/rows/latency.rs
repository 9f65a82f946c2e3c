//! How long after a library is in its place its code runs.

use std::time::Duration;

use serde_json::{Value, json};

use crate::change::{rest, until_called};
use crate::row::{Column, Figures, Row, at_most};
use crate::seen::{ms, take};
use crate::tool::{Pace, QUICK as EVERY_10_MS};
use crate::tools;
use crate::trial::{self, Program};
use crate::watched::{Watched, Way};

/// Replacements of a library, and who sees them how soon.
pub struct Latency {
    name: &'static str,
    title: &'static str,
    tools: &'static [&'static str],
    columns: &'static [Column],
    cases: &'static [Case],
    program: Program,
    pace: Pace,
    /// Trials of a case in a round, all at the same time.
    at_once: usize,
    /// Replacements in a trial.
    times: u64,
    rounds: usize,
    timeout: Duration,
}

/// One kind of replacement, which is a trial of its own.
struct Case {
    /// What its latencies are called, in milliseconds.
    figure: &'static str,
    way: Way,
    /// How many MB the library has at least.
    size: usize,
}

/// Whoever can be asked.
const TOOLS: &[&str] = &[
    "limit",
    "replug",
    "hot-lib-reloader",
    "dynamic_reload",
    "notify 8",
    "notify 9",
    "inotify",
];

/// Of the tools that look twice a minute by themselves.
const TWICE_A_MINUTE: &str = "notify";

const RENAME: Case = Case {
    figure: "rename ms",
    way: Way::Rename,
    size: 0,
};

const LINK: Case = Case {
    figure: "link ms",
    way: Way::Link,
    size: 0,
};

/// Every 10 ms.
pub const QUICK: Latency = Latency {
    name: "latency",
    title: "file in place to first new call, interval 10 ms",
    tools: TOOLS,
    columns: &[
        at_most("rename ms", "rename, ms", 7.0),
        at_most("link ms", "hard link, ms", 7.0),
    ],
    cases: &[RENAME, LINK],
    program: Program::Optimised,
    pace: EVERY_10_MS,
    at_once: 1,
    times: 25,
    rounds: 8,
    timeout: Duration::from_secs(60),
};

/// As each tool does by itself.
pub const USUAL: Latency = Latency {
    name: "defaults",
    title: "the same at each tool's defaults",
    columns: &[
        at_most("rename ms", "rename, ms", 150.0),
        at_most("link ms", "hard link, ms", 150.0),
    ],
    pace: Pace::Default,
    at_once: 3,
    times: 5,
    rounds: 3,
    timeout: Duration::from_secs(200),
    ..QUICK
};

/// In the ways for which a loader must know more than that the file has changed.
pub const HARD: Latency = Latency {
    name: "latency-hard",
    title: "the same, interval 10 ms, in the ways that prove nothing by themselves",
    columns: &[
        at_most("tick ms", "written and renamed within a tick, ms", 7.0),
        at_most("in place ms", "written in place, from its close, ms", 10.0),
    ],
    cases: &[
        Case {
            figure: "tick ms",
            way: Way::Tick,
            size: 0,
        },
        Case {
            figure: "in place ms",
            way: Way::InPlace,
            size: 0,
        },
    ],
    rounds: 4,
    ..QUICK
};

/// In a host that was built without optimisation, as its developer builds it. This package has no line about that in its
/// profile. The sizes are those of libraries with debug information.
pub const DEBUG: Latency = Latency {
    name: "debug-host",
    title: "file in place to first new call, interval 10 ms, in a debug host: hard link",
    tools: &[
        "limit",
        "replug",
        "hot-lib-reloader",
        "dynamic_reload",
        "notify 8",
    ],
    columns: &[
        at_most("5 ms", "5 MB, ms", 15.0),
        at_most("22 ms", "22 MB, ms", 40.0),
    ],
    cases: &[
        Case {
            figure: "5 ms",
            way: Way::Link,
            size: 5,
        },
        Case {
            figure: "22 ms",
            way: Way::Link,
            size: 22,
        },
    ],
    program: Program::Unoptimised,
    times: 15,
    rounds: 2,
    timeout: Duration::from_secs(120),
    ..QUICK
};

impl Row for Latency {
    fn name(&self) -> &'static str {
        self.name
    }

    fn title(&self) -> &'static str {
        self.title
    }

    fn tools(&self) -> &'static [&'static str] {
        self.tools
    }

    fn columns(&self) -> &'static [Column] {
        self.columns
    }

    fn rounds(&self) -> usize {
        self.rounds
    }

    fn measure(&self, tool: &str) -> Figures {
        let mut figures = Figures::default();
        for case in self.cases {
            let trials = vec![vec![case.figure.to_owned()]; self.at_once];
            let (program, timeout) = (self.program, self.timeout);
            let seen = trial::together(&mut figures, program, self.name, tool, &trials, timeout);
            seen.iter()
                .for_each(|seen| take(&mut figures, case.figure, seen));
        }
        figures
    }

    fn trial(&self, tool: &str, arguments: &[String]) -> Value {
        let mut cases = self.cases.iter();
        let case = cases.find(|case| case.figure == arguments[0]);
        self.replace(tool, case.expect("a case of this row"))
    }
}

impl Latency {
    /// Replaces a library so many times. The child's side.
    fn replace(&self, tool: &str, case: &Case) -> Value {
        let (times, spread, patience) = self.how(tool);
        let library = tools::library(tool);
        let watched = Watched::new();
        let mut running = tools::start(tool, &watched, self.pace);
        let mut latencies = Vec::new();
        for number in 2..=times + 1 {
            rest(number, Duration::from_millis(30), spread);
            let begun = watched.put(&library.of_size(number, case.size), case.way);
            let latency = until_called(running.as_mut(), number, begun, patience);
            latencies.extend(latency.map(ms));
        }
        json!({ "ms": latencies, "times": times })
    }

    /// How many replacements, how far apart at most, and how long one is waited for: twice as long as the slowest needs.
    fn how(&self, tool: &str) -> (u64, Duration, Duration) {
        match self.pace {
            Pace::Every(interval) => (self.times, interval, Duration::from_secs(1)),
            Pace::Default if tool.starts_with(TWICE_A_MINUTE) => {
                (1, Duration::from_secs(30), Duration::from_secs(65))
            }
            Pace::Default => (
                self.times,
                replug::Options::INTERVAL,
                Duration::from_secs(65),
            ),
        }
    }
}
