//! A loop whose rules are a plugin.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use interface::{Rules, World};
use replug::{Host, Options};

/// Time from one step to the next.
const PAUSE: Duration = Duration::from_millis(250);

fn main() -> Result<(), Box<dyn Error>> {
    let is_over = Arc::new(AtomicBool::new(false));
    let signalled = Arc::clone(&is_over);
    ctrlc::set_handler(move || signalled.store(true, Ordering::Relaxed))?;

    let library = Options::package("{{name}}-rules")?;
    let mut host = Host::<Rules>::watch(library)?;
    let (mut world, mut said) = (World::default(), String::new());
    while !is_over.load(Ordering::Relaxed) {
        let next_step = Instant::now() + PAUSE;
        // New code goes live in here, between two steps, and nowhere else.
        while let Some(outcome) = host.wait(next_step.saturating_duration_since(Instant::now())) {
            println!("{outcome}");
        }
        let shown = match host.step(&mut world) {
            Ok(shown) => shown,
            // It panicked, or nothing is live yet.
            Err(error) => error.to_string(),
        };
        // An error that comes with every step is shown once.
        if shown != said {
            println!("{shown}");
        }
        said = shown;
    }
    Ok(())
}
