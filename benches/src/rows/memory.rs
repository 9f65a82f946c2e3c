//! What a process has more after each reload.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use crate::change::until_called;
use crate::row::{Column, Figures, Row, Target};
use crate::seen::{number, numbers};
use crate::tool::{QUICK, Tool};
use crate::tools;
use crate::trial;
use crate::watched::{Watched, Way};

const RELOADS: u64 = 1000;

/// After so many, what grows once has grown. A plot has a point for each.
const WARM: u64 = 100;

/// See above.
pub struct Memory;

impl Row for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn title(&self) -> &'static str {
        "memory per reload, 1,000 reloads of a library with a thread-local destructor"
    }

    fn tools(&self) -> &'static [&'static str] {
        &[
            "limit",
            "replug, unloading",
            "replug",
            "hot-lib-reloader",
            "dynamic_reload",
            "notify 9",
            "inotify",
        ]
    }

    fn columns(&self) -> &'static [Column] {
        &[
            Column {
                figure: "bytes",
                title: "bytes",
                target: Target::AtMost(1024.0),
            },
            Column {
                figure: "mappings",
                title: "mappings",
                target: Target::AtMost(0.0),
            },
        ]
    }

    fn rounds(&self) -> usize {
        2
    }

    fn measure(&self, tool: &str) -> Figures {
        let mut figures = Figures::default();
        let ended = trial::run(self.name(), tool, &[], Duration::from_secs(600));
        if let Some(seen) = ended.or_crashed(&mut figures) {
            let resident = numbers(&seen, "resident KiB");
            let (first, last) = (resident.first(), resident.last());
            let grown = last.zip(first).map_or(0.0, |(last, first)| last - first);
            let reloads = (RELOADS - WARM) as f64;
            figures.take("bytes", grown * 1024.0 / reloads);
            figures.take("mappings", number(&seen, "mappings") / reloads);
            figures.mishaps.missed += seen["missed"].as_u64().unwrap_or_default();
            for (hundreds, kib) in resident.into_iter().enumerate() {
                let reloads = WARM * (hundreds as u64 + 1);
                figures.take(&format!("resident KiB after {reloads:4}"), kib);
            }
        }
        figures
    }

    fn trial(&self, tool: &str, _: &[String]) -> Value {
        // A library that makes no thread-local can be closed by anyone.
        let touches = tool != "limit";
        let library = tools::library(tool);
        let watched = Watched::new();
        let mut tool = tools::start(tool, &watched, QUICK);
        let mut missed = 0;
        let mut resident = Vec::new();
        let mut before = 0;
        for number in 2..=RELOADS {
            let begun = watched.put(&library.numbered(number), Way::Rename);
            let seen = until_called(tool.as_mut(), number, begun, Duration::from_secs(1));
            missed += u64::from(seen.is_none());
            act(tool.as_mut(), number, touches);
            if number == WARM {
                before = mappings();
            }
            if number.is_multiple_of(WARM) {
                resident.push(resident_kib());
            }
        }
        let grown = mappings() as i64 - before as i64;
        json!({ "resident KiB": resident, "mappings": grown, "missed": missed })
    }
}

fn act(tool: &mut dyn Tool, number: u64, touches: bool) {
    if touches {
        tool.touch(number);
    }
}

/// Mappings of libraries: what an allocator maps comes and goes.
fn mappings() -> usize {
    let maps = fs::read_to_string("/proc/self/maps").expect("this is Linux");
    maps.lines().filter(|line| line.contains(".so")).count()
}

fn resident_kib() -> f64 {
    let status = fs::read_to_string("/proc/self/status").expect("this is Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.expect("it says how much is resident");
    let kib = kib.trim().trim_end_matches(" kB").parse();
    kib.expect("it is a number")
}
