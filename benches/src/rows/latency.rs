//! How long after a library is in its place its code runs.

use std::time::Duration;

use serde_json::{Value, json};

use crate::change::{rest, until_called};
use crate::row::{Column, Figures, Row, Target};
use crate::seen::{ms, numbers};
use crate::tool::{Pace, QUICK};
use crate::tools;
use crate::trial;
use crate::watched::{Watched, Way};

/// Two columns: a rename and a link.
macro_rules! ways {
    ($target:expr) => {
        &[
            Column {
                figure: "rename ms",
                title: "rename, ms",
                target: Target::AtMost($target),
            },
            Column {
                figure: "link ms",
                title: "hard link, ms",
                target: Target::AtMost($target),
            },
        ]
    };
}

const WAYS: [&str; 2] = ["rename", "link"];

/// The ways for which a loader must know more than that the file has changed.
const HARD_WAYS: [&str; 2] = ["tick", "in place"];

/// The sizes of libraries with debug information, in MB.
const SIZES: [&str; 2] = ["5", "22"];

/// Every 10 ms.
pub struct Quick;

/// The same, in the ways for which a loader must know more.
pub struct Hard;

/// The same in a host that was built without optimisation, as its developer builds it. This package has no line about that
/// in its profile.
pub struct Debug;

/// As each tool does by itself.
pub struct Usual;

impl Row for Quick {
    fn name(&self) -> &'static str {
        "latency"
    }

    fn title(&self) -> &'static str {
        "file in place to first new call, interval 10 ms"
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
        ways!(7.0)
    }

    fn rounds(&self) -> usize {
        8
    }

    fn measure(&self, tool: &str) -> Figures {
        let mut figures = Figures::default();
        for way in WAYS {
            let timeout = Duration::from_secs(60);
            let ended = trial::run(self.name(), tool, &[way.to_owned()], timeout);
            if let Some(seen) = ended.or_crashed(&mut figures) {
                take(&mut figures, way, &seen);
            }
        }
        figures
    }

    fn trial(&self, tool: &str, arguments: &[String]) -> Value {
        let spread = Duration::from_millis(10);
        replace(tool, &arguments[0], 0, QUICK, 25, spread)
    }
}

impl Row for Hard {
    fn name(&self) -> &'static str {
        "latency-hard"
    }

    fn title(&self) -> &'static str {
        "the same, interval 10 ms, in the ways that prove nothing by themselves"
    }

    fn tools(&self) -> &'static [&'static str] {
        Quick.tools()
    }

    fn columns(&self) -> &'static [Column] {
        &[
            Column {
                figure: "tick ms",
                title: "written and renamed within a tick, ms",
                target: Target::AtMost(7.0),
            },
            Column {
                figure: "in place ms",
                title: "written in place, from its close, ms",
                target: Target::AtMost(10.0),
            },
        ]
    }

    fn rounds(&self) -> usize {
        4
    }

    fn measure(&self, tool: &str) -> Figures {
        let mut figures = Figures::default();
        for way in HARD_WAYS {
            let timeout = Duration::from_secs(60);
            let ended = trial::run(self.name(), tool, &[way.to_owned()], timeout);
            if let Some(seen) = ended.or_crashed(&mut figures) {
                take(&mut figures, way, &seen);
            }
        }
        figures
    }

    fn trial(&self, tool: &str, arguments: &[String]) -> Value {
        Quick.trial(tool, arguments)
    }
}

impl Row for Debug {
    fn name(&self) -> &'static str {
        "debug-host"
    }

    fn title(&self) -> &'static str {
        "file in place to first new call, interval 10 ms, in a debug host: hard link"
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
        &[
            Column {
                figure: "5 ms",
                title: "5 MB, ms",
                target: Target::AtMost(15.0),
            },
            Column {
                figure: "22 ms",
                title: "22 MB, ms",
                target: Target::AtMost(40.0),
            },
        ]
    }

    fn rounds(&self) -> usize {
        2
    }

    fn measure(&self, tool: &str) -> Figures {
        let mut figures = Figures::default();
        for size in SIZES {
            let timeout = Duration::from_secs(120);
            let ended = trial::run_unoptimised(self.name(), tool, &[size.to_owned()], timeout);
            if let Some(seen) = ended.or_crashed(&mut figures) {
                take(&mut figures, size, &seen);
            }
        }
        figures
    }

    fn trial(&self, tool: &str, arguments: &[String]) -> Value {
        let size = arguments[0].parse().expect("a number of MB");
        let spread = Duration::from_millis(10);
        replace(tool, "link", size, QUICK, 15, spread)
    }
}

impl Row for Usual {
    fn name(&self) -> &'static str {
        "defaults"
    }

    fn title(&self) -> &'static str {
        "the same at each tool's defaults"
    }

    fn tools(&self) -> &'static [&'static str] {
        Quick.tools()
    }

    fn columns(&self) -> &'static [Column] {
        ways!(150.0)
    }

    fn rounds(&self) -> usize {
        3
    }

    fn measure(&self, tool: &str) -> Figures {
        let mut figures = Figures::default();
        let timeout = Duration::from_secs(200);
        for way in WAYS {
            let arguments = vec![vec![way.to_owned()]; 3];
            for seen in trial::together(&mut figures, self.name(), tool, &arguments, timeout) {
                take(&mut figures, way, &seen);
            }
        }
        figures
    }

    fn trial(&self, tool: &str, arguments: &[String]) -> Value {
        // One that looks twice a minute is asked once.
        let (times, spread) = match tool.starts_with("notify") {
            true => (1, Duration::from_secs(30)),
            false => (5, replug::Options::INTERVAL),
        };
        replace(tool, &arguments[0], 0, Pace::Default, times, spread)
    }
}

/// Replaces a library so many times, by others that have at least so many MB. The child's side.
fn replace(tool: &str, way: &str, size: usize, pace: Pace, times: u64, spread: Duration) -> Value {
    // Twice as much as the slowest needs.
    let patience = match pace {
        Pace::Every(_) => Duration::from_secs(1),
        Pace::Default => Duration::from_secs(65),
    };
    let way = match way {
        "link" => Way::Link,
        "tick" => Way::Tick,
        "in place" => Way::InPlace,
        _ => Way::Rename,
    };
    let library = tools::library(tool);
    let watched = Watched::new();
    let mut running = tools::start(tool, &watched, pace);
    let mut latencies = Vec::new();
    for number in 2..=times + 1 {
        rest(number, Duration::from_millis(30), spread);
        let begun = watched.put(&library.of_size(number, size), way);
        let latency = until_called(running.as_mut(), number, begun, patience);
        latencies.extend(latency.map(ms));
    }
    json!({ "ms": latencies, "times": times })
}

fn take(figures: &mut Figures, way: &str, seen: &Value) {
    let latencies = numbers(seen, "ms");
    let times = seen["times"].as_u64().expect("the child returns it");
    // Each replacement counts as a trial.
    figures.trials += times - 1;
    figures.mishaps.missed += times - latencies.len() as u64;
    for latency in latencies {
        figures.take(&format!("{way} ms"), latency);
    }
}
