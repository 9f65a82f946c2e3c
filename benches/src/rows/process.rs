//! A whole process that waits for changes at its tool's defaults: instructions and wake-ups in a second.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use dynamic_reload::{DynamicReload, PlatformName, Search};
use hot_lib_reloader::LibReloader;
use replug::Options;
use replug::watch::Watcher;
use serde_json::{Value, json};

use crate::count;
use crate::linked;
use crate::look::look;
use crate::plugins;
use crate::row::{Column, Figures, Place, Row, Target};
use crate::tool::Pace;
use crate::tools::{inotify, notify};
use crate::trial;

/// An idle process.
pub struct Process;

/// Until nothing of the start is left: replug confirms what it read too soon, and polls briskly for five minutes after it
/// has found its library.
const WARM: Duration = Duration::from_secs(5 * 60 + 20);

/// How long it is watched, by the guest's clock, which does not wait for it: so long that one wake-up more or less at
/// its ends does not matter.
const IDLE: Duration = Duration::from_secs(600);

/// By the same clock.
const TIMEOUT: Duration = Duration::from_secs(3600);

impl Row for Process {
    fn name(&self) -> &'static str {
        "idle-process"
    }

    fn title(&self) -> &'static str {
        "whole idle process at defaults, per second"
    }

    fn tools(&self) -> &'static [&'static str] {
        &[
            "limit",
            "replug",
            "hot-lib-reloader",
            "dynamic_reload",
            "notify 8, 30 s apart",
            "notify 9, 30 s apart",
            "inotify",
        ]
    }

    fn columns(&self) -> &'static [Column] {
        &[
            Column {
                figure: "instructions",
                title: "instructions",
                target: Target::AtMost(50_000.0),
            },
            Column {
                figure: "wake-ups",
                title: "wake-ups",
                target: Target::AtMost(4.0),
            },
        ]
    }

    fn rounds(&self) -> usize {
        3
    }

    fn place(&self) -> Place {
        Place::Guest
    }

    fn measure(&self, tool: &str) -> Figures {
        let mut figures = Figures::default();
        let ended = trial::run(self.name(), tool, &[], TIMEOUT);
        if let Some(seen) = ended.or_crashed(&mut figures) {
            for figure in ["instructions", "wake-ups"] {
                figures.take(figure, seen[figure].as_f64().expect("a number"));
            }
        }
        figures
    }

    /// Counts all threads but the first, which only waits for the end.
    fn trial(&self, tool: &str, _: &[String]) -> Value {
        let library = put();
        let _tool = start(tool, &library);
        thread::sleep(WARM);
        let threads = count::other_threads();
        let all = |each: fn(count::Thread) -> u64| threads.iter().map(|thread| each(*thread)).sum();
        let counts = || -> [u64; 2] { [all(count::instructions), all(count::sleeps)] };
        let before = counts();
        thread::sleep(IDLE);
        let after = counts();
        assert_eq!(threads, count::other_threads(), "threads come and go");
        let per_second = |which: usize| (after[which] - before[which]) as f64 / IDLE.as_secs_f64();
        json!({ "instructions": per_second(0), "wake-ups": per_second(1) })
    }
}

/// A library, linked into a directory as cargo does.
fn put() -> PathBuf {
    std::env::set_current_dir(std::env::temp_dir()).expect("it is there");
    let directory = PathBuf::from("target/debug");
    let (complete, library) = (directory.join("complete"), directory.join("libbench.so"));
    fs::create_dir_all(&directory).expect("a new directory");
    linked::put(&plugins::library("plain"), &complete, [library.clone()]);
    library
}

/// Starts a tool with nothing but the defaults. What is returned is to be kept.
fn start(tool: &str, library: &Path) -> Box<dyn std::any::Any> {
    const DEFAULT: Option<Pace> = Some(Pace::Default);
    let directory = library.parent().expect("it is in a directory");
    match tool {
        "limit" => Box::new(limit(library.to_owned())),
        "replug" => Box::new(Watcher::new(Options::new(library)).expect("a place to stage")),
        "hot-lib-reloader" => {
            Box::new(LibReloader::new(directory, "bench", None, None).expect("it loads"))
        }
        "dynamic_reload" => Box::new(dynamic_reload(library.to_owned())),
        "notify 8, 30 s apart" => Box::new(notify::watch8(library, DEFAULT, false, |_| {})),
        "notify 9, 30 s apart" => Box::new(notify::watch9(library, DEFAULT, false, |_| {})),
        "inotify" => Box::new(events(directory.to_owned())),
        _ => panic!("nobody is called {tool}"),
    }
}

/// One look and one sleep.
fn limit(library: PathBuf) -> thread::JoinHandle<()> {
    const INTERVAL: Duration = replug::Options::INTERVAL;
    thread::spawn(move || {
        loop {
            look(&library);
            thread::sleep(INTERVAL);
        }
    })
}

/// Asked twice in a second whether there is something new, as in its own example.
fn dynamic_reload(library: PathBuf) -> thread::JoinHandle<()> {
    const PAUSE: Duration = Duration::from_millis(500);
    const DEBOUNCE: Duration = Duration::from_secs(2);
    thread::spawn(move || {
        let directory = library
            .parent()
            .and_then(Path::to_str)
            .expect("a plain name");
        let search = Some(vec![directory]);
        let shadow = std::env::temp_dir();
        let mut reloader = DynamicReload::new(search, shadow.to_str(), Search::Default, DEBOUNCE);
        // SAFETY: the library was made for this, and does nothing when it is loaded.
        let loaded = unsafe { reloader.add_library("bench", PlatformName::Yes) };
        assert!(loaded.is_ok(), "it loads");
        loop {
            // SAFETY: nothing of the library is in use.
            unsafe { reloader.update(&|_: &mut (), _, _| {}, &mut ()) };
            thread::sleep(PAUSE);
        }
    })
}

/// Waits for an event that never comes.
fn events(directory: PathBuf) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let mut inotify = inotify::watch(&directory);
        let mut buffer = [0; 4096];
        loop {
            let events = inotify.read_events_blocking(&mut buffer);
            std::hint::black_box(events.expect("events").count());
        }
    })
}
