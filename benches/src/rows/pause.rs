//! How long the thread that calls is held by a reload.

use std::fs;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::change::{rest, until_called};
use crate::row::{Column, Figures, Row, Target};
use crate::seen::numbers;
use crate::tool::QUICK;
use crate::tools;
use crate::tools::loaded::Live;
use crate::trial;
use crate::watched::{Watched, Way};

/// Reloads of a library of one size.
pub struct Pause {
    name: &'static str,
    title: &'static str,
    /// How many MB the library has at least.
    size: usize,
    /// Reloads in a trial.
    reloads: u64,
    rounds: usize,
}

/// A small plugin with a few dependencies, without debug information.
pub const SMALL: Pause = Pause {
    name: "pause",
    title: "the calling thread's pause for a reload, 0.5 MB",
    size: 0,
    reloads: 25,
    rounds: 8,
};

/// With more debug information than most have: nothing of it is mapped, so it should cost this thread nothing.
pub const LARGE: Pause = Pause {
    name: "pause-large",
    title: "the calling thread's pause for a reload, 300 MB of debug information",
    size: 300,
    reloads: 5,
    rounds: 4,
};

/// Of a trial.
const TIMEOUT: Duration = Duration::from_secs(120);

/// As long as hundreds of MB could take to be copied and digested.
const PATIENCE: Duration = Duration::from_secs(20);

impl Row for Pause {
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
            "inotify",
        ]
    }

    fn columns(&self) -> &'static [Column] {
        &[Column {
            figure: "us",
            title: "µs",
            target: Target::TimesLimit(1.2),
        }]
    }

    fn rounds(&self) -> usize {
        self.rounds
    }

    fn measure(&self, tool: &str) -> Figures {
        let mut figures = Figures::default();
        let ended = trial::run(self.name, tool, &[], TIMEOUT);
        if let Some(seen) = ended.or_crashed(&mut figures) {
            let pauses = numbers(&seen, "us");
            figures.mishaps.missed += u64::from(pauses.len() as u64 != self.reloads);
            pauses
                .into_iter()
                .for_each(|pause| figures.take("us", pause));
        }
        figures
    }

    fn trial(&self, tool: &str, _: &[String]) -> Value {
        let pauses = match tool {
            "limit" => self.only_load(),
            tool => self.reload(tool),
        };
        let pauses: Vec<_> = pauses
            .iter()
            .map(|pause| pause.as_secs_f64() * 1e6)
            .collect();
        json!({ "us": pauses })
    }
}

impl Pause {
    /// Replaces a library, and asks how long each load held this thread.
    fn reload(&self, tool: &str) -> Vec<Duration> {
        let library = tools::library(tool);
        let watched = Watched::new();
        let mut tool = tools::start(tool, &watched, QUICK);
        let mut pauses = Vec::new();
        for number in 2..=self.reloads + 1 {
            rest(number, Duration::from_millis(50), Duration::from_millis(10));
            let begun = watched.put(&library.of_size(number, self.size), Way::Rename);
            let latency = until_called(tool.as_mut(), number, begun, PATIENCE);
            pauses.extend(latency.map(|_| tool.held()));
        }
        pauses
    }

    /// Loads copies that another thread makes, as replug's worker does: this thread has waited, and another processor has just
    /// written the file. `dlopen` and `dlsym`, no more. All stay loaded.
    fn only_load(&self) -> Vec<Duration> {
        let library = tools::library("limit");
        let watched = Watched::new();
        let (ready, copies) = mpsc::channel();
        let mut live = Vec::new();
        let mut pauses = Vec::new();
        thread::scope(|scope| {
            let (library, watched) = (&library, &watched);
            scope.spawn(move || {
                for number in 1..=self.reloads {
                    rest(number, Duration::from_millis(50), Duration::from_millis(10));
                    watched.put(&library.of_size(number, self.size), Way::Rename);
                    let copy = watched.directory().join(format!("{number}.so"));
                    fs::copy(watched.library(), &copy).expect("there is room on the disk");
                    ready.send((number, copy)).expect("somebody waits");
                }
            });
            for (number, copy) in copies {
                let begun = Instant::now();
                let loaded = Live::load(&copy).expect("it is whole");
                pauses.push(begun.elapsed());
                assert_eq!(loaded.version(), number);
                live.push(loaded);
            }
        });
        pauses
    }
}
