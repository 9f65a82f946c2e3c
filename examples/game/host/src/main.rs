//! A game whose rules are a plugin. `cargo build -p game_rules && cargo run -p game`
//!
//! The game watches the library of the package `game_rules`, or the library that its first argument names.

use std::env;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use game_interface::{Engine, Rules, World};
use replug::{Host, Options};

/// One frame, at 60 a second.
const FRAME: Duration = Duration::from_micros(16_667);

struct Terminal;

impl Engine for Terminal {
    fn log(&mut self, line: &str) {
        println!("{line}");
    }

    fn load(&self, name: &str) -> Option<String> {
        (name == "balls.txt").then(|| "ball\nmarble\n".to_owned())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let is_over = Arc::new(AtomicBool::new(false));
    let signalled = Arc::clone(&is_over);
    ctrlc::set_handler(move || signalled.store(true, Ordering::Relaxed))?;

    let library = match env::args_os().nth(1) {
        Some(path) => Options::new(path),
        None => Options::package("game_rules")?,
    };
    let mut host = Host::<Rules>::watch(library)?;
    let (mut world, mut said) = (World::default(), String::new());
    while !is_over.load(Ordering::Relaxed) {
        // Code changes here, between two frames, and nowhere else.
        while let Some(outcome) = host.poll() {
            println!("{outcome}");
        }
        // An error that comes in every frame is printed once.
        let wrong = match host.update(&mut world, &mut Terminal, FRAME.as_secs_f32()) {
            Ok(Ok(_events)) => String::new(),
            Ok(Err(refusal)) => refusal,
            Err(error) => error.to_string(),
        };
        if wrong != said && !wrong.is_empty() {
            println!("{wrong}");
        }
        said = wrong;
        // A game with a screen waits for the screen here.
        thread::sleep(FRAME);
    }
    Ok(())
}
