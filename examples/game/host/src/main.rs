//! A game whose rules are a plugin. `cargo build -p game_rules && cargo run -p game`
//!
//! The game watches the library of the rules that lies beside it, or the library that its first argument names.

use std::env::{self, consts};
use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use game_interface::{Rules, World};
use replug::{Host, Options, Sink};

/// One frame, at 60 a second.
const FRAME: Duration = Duration::from_micros(16_667);

/// Frames from one picture to the next: a line a second is enough for a terminal.
const SHOWN: u64 = 60;

fn main() -> Result<(), Box<dyn Error>> {
    let is_over = Arc::new(AtomicBool::new(false));
    let signalled = Arc::clone(&is_over);
    ctrlc::set_handler(move || signalled.store(true, Ordering::Relaxed))?;

    let mut host = Host::<Rules>::watch(Options::new(rules()?))?;
    let mut world = World::default();
    let mut picture = Vec::new();
    let mut said = Ok(());
    let mut next = Instant::now();
    while !is_over.load(Ordering::Relaxed) {
        // Code changes here, between two frames, and nowhere else.
        while let Some(outcome) = host.poll() {
            println!("{outcome}");
        }
        let stepped = host.step(&mut world, FRAME.as_secs_f32());
        if stepped.is_ok() && world.frames.is_multiple_of(SHOWN) {
            picture.clear();
            host.draw(&world, Sink::new(&mut picture))?;
            println!("{}", String::from_utf8_lossy(&picture));
        }
        // An error that comes in every frame is printed once.
        if stepped != said {
            if let Err(error) = &stepped {
                println!("{error}");
            }
            said = stepped;
        }
        // A game with a screen waits for the screen here.
        next = Instant::now().max(next + FRAME);
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    Ok(())
}

/// The library of the rules.
fn rules() -> io::Result<PathBuf> {
    let name = format!("{}game_rules{}", consts::DLL_PREFIX, consts::DLL_SUFFIX);
    match env::args_os().nth(1) {
        Some(path) => Ok(path.into()),
        None => Ok(env::current_exe()?.with_file_name(name)),
    }
}
