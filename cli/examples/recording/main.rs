//! Records `replug dev` as README shows it: `cargo run -p replug-cli --example recording` writes `docs/dev.svg`.
//!
//! The program runs on a pseudo-terminal in a scratch workspace with `plugin01` in it, and is not told that it is recorded.
//! Another terminal edits the plugin, breaks it, and mends it. What the terminal shows is taken down with the time; only the
//! pauses in which a reader reads are added.

// Nothing is drawn elsewhere, but in tests.
#![cfg_attr(not(target_os = "linux"), allow(dead_code))]

#[cfg(target_os = "linux")]
mod recorder;
mod screen;
mod svg;

#[cfg(target_os = "linux")]
fn main() {
    let recording = recorder::record();
    let path = vocabulary::workspace().join("docs/dev.svg");
    std::fs::write(&path, svg::drawn(&recording)).unwrap();
    println!(
        "{} is written, of {} frames",
        path.display(),
        recording.len()
    );
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("a recording is made on Linux only");
}
