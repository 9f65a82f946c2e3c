//! What a call costs on the thread that loads, in instructions, which a busy machine does not change.

use std::fs;
use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

use bench_plugins::Bench;
use replug::options::Expected;
use replug::watch::Poller;
use replug::{Host, Options, Raw};
use serde_json::{Value, json};

use crate::library::Library;
use crate::row::{Column, Figures, Row, Target};
use crate::tools::dynamic_reload::Reload;
use crate::tools::loaded::{Live, Sum};
use crate::tools::{QUICK, hot_lib_reloader};
use crate::trial;
use crate::watched::{Watched, Way};

/// Calls that are counted, and calls that are made before, so that all else is counted out.
const CALLS: u64 = 200_000;

/// See above.
pub struct Calls;

impl Row for Calls {
    fn name(&self) -> &'static str {
        "call"
    }

    fn title(&self) -> &'static str {
        "call on the owner thread, with the loop around it"
    }

    fn tools(&self) -> &'static [&'static str] {
        &["limit", "replug", "hot-lib-reloader", "dynamic_reload"]
    }

    fn columns(&self) -> &'static [Column] {
        &[
            Column {
                figure: "symbol instructions",
                title: "by symbol, instructions",
                target: Target::AtMost(10.0),
            },
            Column {
                figure: "interface instructions",
                title: "by interface, instructions",
                target: Target::AtMost(13.0),
            },
        ]
    }

    fn rounds(&self) -> usize {
        2
    }

    fn measure(&self, tool: &str) -> Figures {
        let mut figures = Figures::default();
        let ways: &[&str] = match tool {
            "hot-lib-reloader" => &["interface"],
            "dynamic_reload" => &["symbol"],
            _ => &["symbol", "interface"],
        };
        for way in ways {
            if let Some(each) = instructions(&mut figures, self.name(), tool, way) {
                figures.take(&format!("{way} instructions"), each);
            }
        }
        figures
    }

    fn trial(&self, tool: &str, arguments: &[String]) -> Value {
        let [way, times] = arguments else {
            panic!("a way and a number of times")
        };
        let times = times.parse().expect("a number of times");
        json!({ "last": call(tool, way, times) })
    }
}

/// The instructions of one call in a trial that is given `way` and how often it is to call.
pub fn instructions(figures: &mut Figures, row: &str, tool: &str, way: &str) -> Option<f64> {
    let mut count = |times: u64| {
        let log =
            tempfile::NamedTempFile::new().expect("the temporary directory can be written to");
        let log_file = format!("--log-file={}", log.path().display());
        let tracer = [
            "valgrind",
            "--tool=callgrind",
            "--callgrind-out-file=/dev/null",
            &log_file,
        ];
        let arguments = [way.to_owned(), times.to_string()];
        let ended = trial::run_under(&tracer, row, tool, &arguments, Duration::from_secs(300));
        ended.or_crashed(figures)?;
        let said = fs::read_to_string(log.path()).expect("it was told to write there");
        let collected = said.split("Collected : ").nth(1)?;
        collected.split_whitespace().next()?.parse::<f64>().ok()
    };
    let (once, twice) = (count(CALLS)?, count(2 * CALLS)?);
    let each = (twice - once) / CALLS as f64;
    // What other threads do meanwhile is in the digits behind that.
    Some((each * 10.0).round() / 10.0)
}

/// Calls so often. Each call needs the result of the one before.
pub fn repeat(times: u64, mut sum: impl FnMut(u64, u64) -> u64) -> u64 {
    let mut last = 0;
    for number in 0..times {
        last = sum(number, last);
    }
    last
}

/// The child's side.
fn call(tool: &str, way: &str, times: u64) -> u64 {
    let watched = Watched::new();
    let library = match (tool, way) {
        ("replug", "interface") => Library::declared(),
        _ => Library::plain(),
    };
    watched.put(&library.numbered(1), Way::Rename);
    match (tool, way) {
        ("replug", "interface") => {
            let host = black_box(host(&watched));
            repeat(times, |one, other| {
                host.sum(one, other).expect("one is live")
            })
        }
        ("replug", _) => {
            let raw = Host::<Raw>::new([c"sum"]);
            let host = black_box(load(raw, Options::new(watched.library())));
            // SAFETY: the library exports it with this type.
            let sum = unsafe { host.get::<Sum>(c"sum") }.expect("it is bound");
            // SAFETY: as above, and the host keeps it loaded.
            repeat(times, |one, other| unsafe { sum(one, other) })
        }
        ("hot-lib-reloader", _) => {
            hot_lib_reloader::open(&watched, QUICK);
            repeat(times, hot_lib_reloader::sum)
        }
        ("dynamic_reload", _) => {
            let reload = Reload::new(&watched, QUICK);
            let sum = reload.symbol::<Sum>(b"sum\0").expect("it is loaded");
            // SAFETY: the library exports it with this type, and stays loaded.
            repeat(times, |one, other| unsafe { sum(one, other) })
        }
        _ => {
            let live = Live::load(&watched.library()).expect("it is whole");
            let sum = black_box(live.sum());
            // SAFETY: it is of this type, and stays loaded.
            repeat(times, |one, other| unsafe { sum(one, other) })
        }
    }
}

/// A host with a live generation, and without a watcher, whose thread would be counted too.
pub fn host(watched: &Watched) -> Host<Bench> {
    let expected = Expected::of::<Bench>();
    let options = Options::new(watched.library()).expected(expected);
    load(Host::<Bench>::new(), options)
}

fn load<T>(mut host: Host<T>, options: Options) -> Host<T> {
    let mut poller = Poller::new(options).expect("the directory can be watched");
    while host.live().is_none() {
        poller.poll(Instant::now());
        // Always as many polls, so that they are counted out.
        thread::sleep(Options::SETTLE);
        let updates = poller.updates().try_iter();
        updates.for_each(|update| drop(host.apply(update)));
    }
    host
}
