//! Who reloads a library, each as its own documentation says, from the point of view of the thread that calls it.

pub mod dynamic_reload;
pub mod hot_lib_reloader;
pub mod inotify;
mod limit;
pub mod loaded;
pub mod notify;
pub mod replug;

use std::time::Duration;

use crate::library::Library;
use crate::plugins;
use crate::tool::{Pace, Tool};
use crate::watched::{Watched, Way};

/// The library that `tool` is to load: its own kind, so that all have their best.
pub fn library(tool: &str) -> Library {
    match is_ours(tool) {
        true => Library::declared(),
        false => Library::plain(),
    }
}

/// The same as an archive, for a linker.
pub fn archive(tool: &str) -> Library {
    let name = if is_ours(tool) { "declared" } else { "plain" };
    Library::read(&plugins::archive(name))
}

fn is_ours(tool: &str) -> bool {
    tool.starts_with("replug")
}

/// Starts a tool in a directory where its library number 1 is put first.
pub fn start(tool: &str, watched: &Watched, pace: Pace) -> Box<dyn Tool> {
    watched.put(&library(tool).numbered(1), Way::Rename);
    open(tool, watched, pace)
}

/// Starts a tool in a directory where a library is, and lets it load that.
pub fn open(tool: &str, watched: &Watched, pace: Pace) -> Box<dyn Tool> {
    let mut tool = new(tool, watched, pace);
    while tool.version().is_none() {
        tool.wait(Duration::from_millis(10));
    }
    tool
}

fn new(tool: &str, watched: &Watched, pace: Pace) -> Box<dyn Tool> {
    match tool {
        "limit" => Box::new(limit::Limit::new(watched, pace, Duration::ZERO)),
        "limit, patient" => Box::new(limit::Limit::new(watched, pace, limit::STILL)),
        "replug" => Box::new(replug::Replug::new(watched, pace)),
        "replug, unloading" => Box::new(replug::Replug::unloading(watched, pace)),
        "hot-lib-reloader" | "hot-lib-reloader, bacon" => hot_lib_reloader::open(watched, pace),
        "dynamic_reload" => Box::new(dynamic_reload::Reload::new(watched, pace)),
        "inotify" => Box::new(inotify::Events::new(watched)),
        "notify 8" => Box::new(notify::Poll8::new(watched, pace, false)),
        "notify 9" => Box::new(notify::Poll9::new(watched, pace, false)),
        "notify 8, contents" => Box::new(notify::Poll8::new(watched, pace, true)),
        "notify 9, contents" => Box::new(notify::Poll9::new(watched, pace, true)),
        _ => panic!("no tool is called {tool}"),
    }
}
