//! What it was measured on and with.

use std::fs;
use std::process::Command;

use serde_json::{Map, Value};

use crate::guest;

/// Whose versions matter.
const CRATES: [&str; 5] = [
    "dynamic_reload",
    "hot-lib-reloader",
    "inotify",
    "libloading",
    "notify",
];

/// Facts by name.
pub fn facts() -> Map<String, Value> {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let temporary = std::env::temp_dir();
    let temporary = temporary.to_str().unwrap_or("/tmp");
    let facts = [
        ("processor", Some(processor())),
        ("cores", Some(cores.to_string())),
        ("kernel", said("uname", &["-r"])),
        ("filesystem", said("stat", &["-f", "-c", "%T", temporary])),
        ("rustc", said("rustc", &["--version"])),
        ("qemu", said("qemu-system-x86_64", &["--version"])),
        ("guest's kernel", guest::kernel()),
        ("strace", said("strace", &["--version"])),
        ("crates", Some(crates())),
    ];
    let known = facts
        .into_iter()
        .filter_map(|(name, fact)| Some((name.to_owned(), fact?.into())));
    known.collect()
}

/// The same in words.
pub fn sentence(facts: &Map<String, Value>) -> String {
    let facts = facts
        .iter()
        .map(|(name, fact)| format!("{name}: {}", fact.as_str().unwrap_or("")));
    facts.collect::<Vec<_>>().join("; ") + "."
}

/// The first line of what a program prints.
fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Some(text.lines().next()?.trim().to_owned())
}

fn processor() -> String {
    let known = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = known.lines().find(|line| line.starts_with("model name"));
    let model = model.and_then(|line| line.split_once(": "));
    model.map_or("unknown", |(_, name)| name).to_owned()
}

fn crates() -> String {
    let lock = include_str!("../../Cargo.lock");
    let value = |line: &str, key: &str| Some(line.strip_prefix(key)?.trim_matches('"').to_owned());
    let lines: Vec<&str> = lock.lines().collect();
    let found = lines.windows(2).filter_map(|two| {
        let name = value(two[0], "name = ")?;
        CRATES.contains(&name.as_str()).then_some(())?;
        Some(format!("{name} {}", value(two[1], "version = ")?))
    });
    found.collect::<Vec<_>>().join(", ")
}
