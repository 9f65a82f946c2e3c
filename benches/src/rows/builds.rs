//! Real builds of a plugin in a workspace outside ours, watched by a host that was built without optimisation: how long
//! after the end of cargo its code runs.

use std::time::Duration;

use serde_json::{Value, json};

use crate::change::{rest, while_made};
use crate::outside::{Package, REGEX, SERDE_JSON, Uses};
use crate::row::{Column, Figures, Row, at_most};
use crate::seen::take;
use crate::tool::{Pace, QUICK};
use crate::tools;
use crate::trial::{self, Program};
use crate::watched::Watched;

/// Edits and builds of both plugins, at one pace.
pub struct Builds {
    name: &'static str,
    title: &'static str,
    tools: &'static [&'static str],
    columns: &'static [Column],
    pace: Pace,
}

/// The plugins, by the figure that each fills.
const PLUGINS: [(&str, Uses); 2] = [("small ms", SERDE_JSON), ("middle ms", REGEX)];

/// Edits in a trial. Each is built within a second or two.
const EDITS: u64 = 10;

/// After the end of cargo.
const PATIENCE: Duration = Duration::from_secs(10);

/// Of all edits of a trial, if none of them is ever seen.
const TIMEOUT: Duration = Duration::from_secs(300);

/// Every 10 ms.
pub const EAGER: Builds = Builds {
    name: "cargo-build",
    title: "end of cargo to first new call, interval 10 ms, in a debug host",
    tools: &[
        "limit",
        "replug",
        "hot-lib-reloader",
        "dynamic_reload",
        "notify 8",
    ],
    columns: &[
        at_most("small ms", "plugin with serde_json, ms", 15.0),
        at_most("middle ms", "plugin with regex, ms", 40.0),
    ],
    pace: QUICK,
};

/// As each tool does by itself, while somebody works. Whoever looks twice a minute is left out.
pub const USUAL: Builds = Builds {
    name: "cargo-build-defaults",
    title: "the same at each tool's defaults, while working",
    tools: &["limit", "replug", "hot-lib-reloader", "dynamic_reload"],
    columns: &[
        at_most("small ms", "plugin with serde_json, ms", 50.0),
        at_most("middle ms", "plugin with regex, ms", 80.0),
    ],
    pace: Pace::Default,
};

impl Row for Builds {
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
        1
    }

    fn measure(&self, tool: &str) -> Figures {
        let mut figures = Figures::default();
        for (figure, uses) in PLUGINS {
            // With all it depends on, which is no part of a trial.
            Package::plugin(&uses).build();
            let ended = trial::together(
                &mut figures,
                Program::Unoptimised,
                self.name,
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
        let mut plugins = PLUGINS.into_iter();
        let plugin = plugins.find(|(figure, _)| *figure == arguments[0]);
        let (_, uses) = plugin.expect("a plugin of this row");
        let package = Package::plugin(&uses);
        package.build();
        let watched = Watched::at(package.output());
        let mut running = tools::open(tool, &watched, self.pace);
        let mut latencies = Vec::new();
        for number in 2..=EDITS + 1 {
            rest(number, Duration::from_millis(50), replug::Options::INTERVAL);
            let build = || {
                package.edit(number);
                package.build()
            };
            let latency = while_made(running.as_mut(), number, build, PATIENCE);
            // The library is in its place, and the lock is let go, some moments before cargo ends.
            latencies.extend(latency.map(|ms| ms.max(0.0)));
        }
        json!({ "ms": latencies, "times": EDITS })
    }
}
