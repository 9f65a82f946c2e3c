//! A library that a program writes onto the very path that is watched.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use crate::change::{rest, while_made};
use crate::library::Library;
use crate::row::{Column, Figures, Row, at_most};
use crate::seen::take;
use crate::tool::QUICK;
use crate::tools;
use crate::trial;
use crate::watched::Watched;
use crate::writer::Writer;

/// The programs, by the figure that each fills.
const WRITERS: [(&str, Writer); 4] = [
    ("cp ms", Writer::Copy),
    ("GNU ld ms", Writer::Linker("bfd")),
    ("lld ms", Writer::Linker("lld")),
    ("mold ms", Writer::Linker("mold")),
];

/// Libraries in a trial.
const LIBRARIES: u64 = 15;

/// See above.
pub struct Onto;

impl Row for Onto {
    fn name(&self) -> &'static str {
        "onto-path"
    }

    fn title(&self) -> &'static str {
        "written onto the watched path, from its close to first new call, interval 10 ms"
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
        const {
            &[
                at_most("cp ms", "cp, ms", 10.0),
                at_most("GNU ld ms", "GNU ld, ms", 10.0),
                at_most("lld ms", "lld, ms", 10.0),
                at_most("mold ms", "mold, ms", 10.0),
            ]
        }
    }

    fn rounds(&self) -> usize {
        2
    }

    fn measure(&self, tool: &str) -> Figures {
        let mut figures = Figures::default();
        for (figure, writer) in WRITERS {
            if let Some(why) = writer.is_absent() {
                figures.absent.insert(figure.to_owned(), why);
                continue;
            }
            let timeout = Duration::from_secs(120);
            let ended = trial::run(self.name(), tool, &[figure.to_owned()], timeout);
            if let Some(seen) = ended.or_crashed(&mut figures) {
                take(&mut figures, figure, &seen);
            }
        }
        figures
    }

    fn trial(&self, tool: &str, arguments: &[String]) -> Value {
        let mut writers = WRITERS.into_iter();
        let writer = writers.find(|(figure, _)| *figure == arguments[0]);
        let (_, writer) = writer.expect("a writer of this row");
        let source = source(tool, writer);
        let watched = Watched::new();
        let given = tempfile::NamedTempFile::new().expect("the temporary directory is writable");
        let mut running = tools::start(tool, &watched, QUICK);
        let mut latencies = Vec::new();
        for number in 2..=LIBRARIES + 1 {
            fs::write(&given, source.numbered(number)).expect("there is room on the disk");
            rest(number, Duration::from_millis(30), Duration::from_millis(10));
            let write = || writer.write(given.path(), &watched);
            let latency = while_made(running.as_mut(), number, write, Duration::from_secs(1));
            latencies.extend(latency);
        }
        json!({ "ms": latencies, "times": LIBRARIES })
    }
}

/// What a writer is given.
fn source(tool: &str, writer: Writer) -> Library {
    match writer {
        Writer::Copy => tools::library(tool),
        Writer::Linker(_) => tools::archive(tool),
    }
}
