//! A poll of what does not change: its instructions, system calls and allocations.

mod polled;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::count;
use crate::linked;
use crate::plugins;
use crate::row::{Column, Figures, Place, Row, Target};
use crate::trace;
use crate::trial;
use polled::Polls;

/// What is polled, and what is counted.
pub struct Idle {
    name: &'static str,
    title: &'static str,
    tools: &'static [&'static str],
    columns: &'static [Column],
    /// How many libraries are watched; each number is a case of its own.
    artifacts: &'static [usize],
    /// How many other files are beside them.
    others: usize,
    is_traced: bool,
}

/// Of each tool one trial is enough to see, two are enough to see that it repeats.
const ROUNDS: usize = 2;

/// Looks in a batch, at least.
const LOOKS: usize = 100;

/// Batches, of which the median counts: some are disturbed by the guest's clock.
const BATCHES: usize = 11;

/// Polls under a tracer.
const TRACED: usize = 10;

/// Emulation takes its time with a million looks.
const TIMEOUT: Duration = Duration::from_secs(1800);

const WITH_CONTENTS: &[&str] = &[
    "limit",
    "replug",
    "notify 8",
    "notify 9",
    "notify 8, contents",
    "notify 9, contents",
];

/// One artifact.
pub const ONE: Idle = Idle {
    name: "idle-1",
    title: "idle poll, 1 artifact, local",
    tools: WITH_CONTENTS,
    columns: &[
        Column {
            figure: "instructions",
            title: "instructions",
            target: Target::AtMost(7_000.0),
        },
        Column {
            figure: "system calls",
            title: "system calls",
            target: Target::AtMost(2.0),
        },
        Column {
            figure: "allocations",
            title: "allocations",
            target: Target::AtMost(0.0),
        },
    ],
    artifacts: &[1],
    others: 0,
    is_traced: true,
};

/// From one to ten thousand artifacts.
pub const MANY: Idle = Idle {
    name: "idle-by-number",
    title: "idle poll, 10,000 artifacts",
    tools: WITH_CONTENTS,
    columns: &[Column {
        figure: "instructions, 10000 files",
        title: "instructions per file",
        target: Target::AtMost(3_700.0),
    }],
    artifacts: &[1, 10, 100, 1_000, 10_000],
    others: 0,
    is_traced: false,
};

/// One artifact in a crowd.
pub const CROWD: Idle = Idle {
    name: "idle-crowd",
    title: "idle poll, 1 artifact beside 100,000 other files, local",
    tools: &[
        "limit",
        "replug",
        "replug, directory",
        "notify 8",
        "notify 8, directory",
        "notify 9, directory",
    ],
    columns: &[Column {
        figure: "instructions",
        title: "instructions",
        target: Target::TimesRow(1.1, "idle-1"),
    }],
    artifacts: &[1],
    others: 100_000,
    is_traced: false,
};

impl Row for Idle {
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
        ROUNDS
    }

    fn place(&self) -> Place {
        Place::Guest
    }

    fn measure(&self, tool: &str) -> Figures {
        let mut figures = Figures::default();
        for artifacts in self.artifacts {
            self.count(tool, *artifacts, &mut figures);
        }
        if self.is_traced {
            self.trace(tool, &mut figures);
        }
        figures
    }

    fn trial(&self, tool: &str, arguments: &[String]) -> Value {
        let number = |text: &String| text.parse().expect("a number");
        let [artifacts, batches, polls] = arguments else {
            panic!("how many artifacts, how many batches, and how many polls in each?");
        };
        let (artifacts, batches, polls) = (number(artifacts), number(batches), number(polls));
        let directory = self.directory();
        let library = match self.has_real_library() {
            true => plugins::library("plain"),
            false => plugins::smallest(),
        };
        let library = make(&library, &directory, artifacts);
        let mut tool = polled::start(tool, &directory, &library, artifacts);
        tool.poll(1);
        let mut seen = Vec::with_capacity(batches);
        let allocations = count::allocations();
        (0..batches).for_each(|_| seen.push(tool.instructions(polls)));
        let allocations = count::allocations() - allocations;
        let each = |batch: &u64| *batch as f64 / polls as f64;
        json!({
            "thread": tool.thread,
            "instructions": seen.iter().map(each).collect::<Vec<f64>>(),
            "allocations": allocations as f64 / (polls * batches) as f64,
        })
    }
}

impl Idle {
    /// Of thousands each is as small as one can be, because who looks without reading does not care.
    fn has_real_library(&self) -> bool {
        self.artifacts.len() == 1
    }

    fn is_slow(&self, tool: &str) -> bool {
        let reads = tool.ends_with("contents") && self.has_real_library();
        reads || self.others > 0 && tool.ends_with("directory")
    }

    fn count(&self, tool: &str, artifacts: usize, figures: &mut Figures) {
        // What takes a hundred or a million times as long is not repeated for a wait or a timer that would not show.
        let (batches, polls) = match self.is_slow(tool) {
            true => (3, 1),
            false => (BATCHES, (LOOKS / artifacts).max(1)),
        };
        let arguments = [artifacts, batches, polls].map(|number| number.to_string());
        let ended = trial::run(self.name, tool, &arguments, TIMEOUT);
        let Some(seen) = ended.or_crashed(figures) else {
            return;
        };
        let mut batches = Figures::default();
        for value in seen["instructions"].as_array().expect("batches") {
            batches.take("", value.as_f64().expect("a number"));
        }
        let instructions = batches.median("").expect("a batch");
        let figure = match self.artifacts {
            [_] => "instructions".to_owned(),
            _ => format!("instructions, {artifacts} files"),
        };
        figures.take(&figure, instructions / artifacts as f64);
        figures.take(
            "allocations",
            seen["allocations"].as_f64().expect("a number"),
        );
    }

    fn trace(&self, tool: &str, figures: &mut Figures) {
        let calls = |polls: usize| {
            let arguments = [1, 1, polls].map(|number| number.to_string());
            trace::calls(self.name, tool, &arguments, TIMEOUT)
        };
        match (calls(TRACED), calls(2 * TRACED)) {
            (Ok(fewer), Ok(more)) => {
                figures.take("system calls", (more - fewer) as f64 / TRACED as f64);
            }
            (Err(ended), _) | (_, Err(ended)) => _ = ended.or_crashed(figures),
        }
    }

    /// A directory with the other files in it, by the name that a person would use. A crowd is made once for all
    /// trials in the guest, which ends with it.
    fn directory(&self) -> PathBuf {
        let directory = PathBuf::from("target/debug");
        let own = std::env::temp_dir();
        let home = match self.others {
            0 => own,
            others => own.with_file_name(format!("crowd-{others}")),
        };
        let is_there = home.join(&directory).is_dir();
        fs::create_dir_all(home.join(&directory)).expect("a new directory");
        std::env::set_current_dir(home).expect("it is there");
        if !is_there {
            for number in 0..self.others {
                fs::write(directory.join(format!("{number}.o")), "").expect("room for files");
            }
        }
        directory
    }
}

/// Puts a library into a directory so many times, as cargo does. Returns the first.
fn make(library: &Path, directory: &Path, artifacts: usize) -> PathBuf {
    let complete = std::env::temp_dir().join("complete");
    let path = |number: usize| directory.join(format!("lib{number}.so"));
    linked::put(library, &complete, (0..artifacts).map(path));
    path(0)
}
