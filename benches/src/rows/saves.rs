//! From the save of a source to the first call of the new code, in a debug host, with whoever builds beside it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::builder::Builder;
use crate::change::{rest, until_called};
use crate::outside::{Package, SERDE_JSON};
use crate::row::{Column, Figures, Row, Target};
use crate::seen::take;
use crate::tool::{Pace, QUICK};
use crate::tools;
use crate::trial::{self, Program};
use crate::watched::Watched;

/// Saves of three plugins.
pub struct Saves;

/// A plugin's figure, and what makes its package.
type Kind = (&'static str, fn() -> Package);

const KINDS: [Kind; 3] = [
    ("small ms", Package::small),
    ("middle ms", || Package::plugin(&SERDE_JSON)),
    ("workspace ms", Package::workspace),
];

/// Saves in a trial.
const SAVES: u64 = 10;

/// From a save on.
const PATIENCE: Duration = Duration::from_secs(30);

/// Of all saves of a trial.
const TIMEOUT: Duration = Duration::from_secs(400);

/// What replug may take besides cargo, in milliseconds.
const BESIDES: f64 = 30.0;

const fn besides_cargo(figure: &'static str, title: &'static str) -> Column {
    Column {
        figure,
        title,
        target: Target::BesidesLimit(BESIDES),
    }
}

impl Row for Saves {
    fn name(&self) -> &'static str {
        "save"
    }

    fn title(&self) -> &'static str {
        "save to first new call, in a debug host at defaults, while working"
    }

    fn tools(&self) -> &'static [&'static str] {
        // The limit starts cargo itself at the save. replug builds by `replug dev`, hot-lib-reloader by cargo-watch
        // or by bacon.
        &[
            "limit",
            "replug",
            "hot-lib-reloader",
            "hot-lib-reloader, bacon",
        ]
    }

    fn columns(&self) -> &'static [Column] {
        const {
            &[
                besides_cargo("small ms", "plugin without dependencies, ms"),
                besides_cargo("middle ms", "plugin with serde_json, ms"),
                besides_cargo("workspace ms", "plugin of a workspace of 20 crates, ms"),
            ]
        }
    }

    fn rounds(&self) -> usize {
        1
    }

    fn measure(&self, tool: &str) -> Figures {
        let mut figures = Figures::default();
        Builder::prepare(tool);
        for (figure, package) in KINDS {
            // With all it depends on, which is no part of a trial.
            package().build();
            let ended = trial::together(
                &mut figures,
                Program::Unoptimised,
                self.name(),
                tool,
                &[vec![figure.to_owned()]],
                TIMEOUT,
            );
            ended
                .iter()
                .for_each(|seen| take(&mut figures, figure, seen));
        }
        figures
    }

    fn trial(&self, tool: &str, arguments: &[String]) -> Value {
        let mut kinds = KINDS.into_iter();
        let kind = kinds.find(|(figure, _)| *figure == arguments[0]);
        let (_, package) = kind.expect("a plugin of this row");
        let package = package();
        package.build();
        let watched = Watched::at(package.output());
        // The limit is cargo's own time, and not that until somebody looks.
        let pace = match tool {
            "limit" => QUICK,
            _ => Pace::Default,
        };
        let mut running = tools::open(tool, &watched, pace);
        let builder = Builder::start(tool, &package);
        let mut latencies = Vec::new();
        // The first save finds a builder that has only just begun.
        for number in 2..=SAVES + 2 {
            rest(number, Duration::from_secs(1), replug::Options::INTERVAL);
            let saved = Instant::now();
            package.edit(number);
            if builder.is_none() {
                package.build();
            }
            let latency = until_called(running.as_mut(), number, saved, PATIENCE);
            if number > 2 {
                latencies.extend(latency.map(crate::seen::ms));
            }
        }
        json!({ "ms": latencies, "times": SAVES })
    }
}
