//! What a call costs on the thread that loads, in instructions, which a busy machine does not change.

use std::hint::black_box;

use replug::{Host, Options, Raw};
use serde_json::{Value, json};

use crate::call::{instructions, repeat};
use crate::library::Library;
use crate::row::{Column, Figures, Row, Target};
use crate::tool::QUICK;
use crate::tools::dynamic_reload::Reload;
use crate::tools::hot_lib_reloader;
use crate::tools::loaded::{Live, Sum};
use crate::tools::replug::{host, load};
use crate::watched::{Watched, Way};

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
