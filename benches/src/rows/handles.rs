//! What a call costs on other threads than the one that loads.

use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, Cache};
use serde_json::{Value, json};

use crate::call::{instructions, repeat};
use crate::row::{Column, Figures, Row, Target};
use crate::seen::number;
use crate::tool::QUICK;
use crate::tools::loaded::Live;
use crate::tools::replug::host;
use crate::tools::{self, hot_lib_reloader};
use crate::trial;
use crate::watched::{Watched, Way};

/// Calls of each thread that are timed at once.
const CALLS: u64 = 1_000_000;

/// How often.
const TIMES: usize = 15;

/// See above.
pub struct Handles;

impl Row for Handles {
    fn name(&self) -> &'static str {
        "handle"
    }

    fn title(&self) -> &'static str {
        "call through a handle, with the loop around it"
    }

    fn tools(&self) -> &'static [&'static str] {
        &["limit", "replug", "replug, live", "hot-lib-reloader"]
    }

    fn columns(&self) -> &'static [Column] {
        &[
            Column {
                figure: "instructions",
                title: "instructions",
                target: Target::AtMost(18.0),
            },
            Column {
                figure: "ns with 1 thread",
                title: "1 thread, ns",
                target: Target::None,
            },
            Column {
                figure: "ns with 2 threads",
                title: "2 threads, ns",
                target: Target::None,
            },
            Column {
                figure: "times as long with 2 threads",
                title: "2 threads to 1",
                target: Target::AtMost(1.1),
            },
        ]
    }

    fn rounds(&self) -> usize {
        3
    }

    fn measure(&self, tool: &str) -> Figures {
        let mut figures = Figures::default();
        if let Some(each) = instructions(&mut figures, self.name(), tool, "count") {
            figures.take("instructions", each);
        }
        let time = ["time".to_owned(), CALLS.to_string()];
        let ended = trial::run(self.name(), tool, &time, Duration::from_secs(120));
        if let Some(seen) = ended.or_crashed(&mut figures) {
            let (one, two) = (number(&seen, "one"), number(&seen, "two"));
            figures.take("ns with 1 thread", one);
            figures.take("ns with 2 threads", two);
            figures.take("times as long with 2 threads", two / one);
        }
        figures
    }

    fn trial(&self, tool: &str, arguments: &[String]) -> Value {
        let [what, times] = arguments else {
            panic!("what to do and how often")
        };
        let times = times.parse().expect("a number of times");
        let watched = Watched::new();
        let bytes = tools::library(tool).numbered(1);
        watched.put(&bytes, Way::Rename);
        match tool {
            "replug" => {
                let host = host(&watched);
                let handle = host.handle();
                work(what, times, || {
                    let mut caller = handle.caller();
                    move |one, other| caller.live().sum(one, other).expect("one is live")
                })
            }
            "replug, live" => {
                let host = host(&watched);
                let handle = host.handle();
                work(what, times, || {
                    let handle = handle.clone();
                    move |one, other| handle.live().sum(one, other).expect("one is live")
                })
            }
            "hot-lib-reloader" => {
                hot_lib_reloader::open(&watched, QUICK);
                work(what, times, || hot_lib_reloader::sum)
            }
            _ => {
                let live = Live::load(&watched.library()).expect("it is whole");
                let shared = Arc::new(ArcSwap::from_pointee(live.sum()));
                work(what, times, || {
                    let mut cache = Cache::new(Arc::clone(&shared));
                    // SAFETY: it is of this type, and stays loaded.
                    move |one, other| unsafe { cache.load()(one, other) }
                })
            }
        }
    }
}

/// Calls on this thread, for a counter of instructions; or on one thread and on two, by turns, and takes the time.
fn work<C>(what: &str, times: u64, caller: impl Fn() -> C + Sync) -> Value
where
    C: FnMut(u64, u64) -> u64,
{
    if what == "count" {
        return json!({ "last": repeat(times, caller()) });
    }
    let mut took = [Vec::new(), Vec::new()];
    for _ in 0..TIMES {
        for (threads, took) in [1, 2].into_iter().zip(&mut took) {
            took.push(time(threads, times, &caller));
        }
    }
    // What else the machine does makes it slower; two threads that hinder each other do so every time.
    let [one, two] = took.map(|took| took.into_iter().fold(f64::INFINITY, f64::min));
    json!({ "one": one, "two": two })
}

/// What one call takes, in nanoseconds, when so many threads call at the same time.
fn time<C>(threads: usize, times: u64, caller: &(impl Fn() -> C + Sync)) -> f64
where
    C: FnMut(u64, u64) -> u64,
{
    let begin = Barrier::new(threads);
    let call = || {
        let caller = caller();
        begin.wait();
        let begun = Instant::now();
        std::hint::black_box(repeat(times, caller));
        begun.elapsed()
    };
    let took: Duration = thread::scope(|scope| {
        let calling: Vec<_> = (0..threads).map(|_| scope.spawn(call)).collect();
        let took = calling.into_iter().map(|thread| thread.join());
        took.map(|took| took.expect("calls do not panic")).sum()
    });
    took.as_secs_f64() * 1e9 / (times as f64 * threads as f64)
}
