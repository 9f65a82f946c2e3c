//! Pollers as they are usually written, for the labs to compare with.
//!
//! `looker stat PATH MS` compares what `stat` says every so many milliseconds, `looker notify PATH MS` asks notify's
//! `PollWatcher`. Both print a line when they have begun, and then the time, in milliseconds since 1970, of each
//! change that they see.

use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use notify::{Config, PollWatcher, RecursiveMode, Watcher};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [how, path, interval] = arguments.as_slice() else {
        return Err("use: looker stat|notify PATH MS".into());
    };
    let path = Path::new(path);
    let interval = Duration::from_millis(interval.parse()?);
    match how.as_str() {
        "stat" => by_stat(path, interval),
        "notify" => by_notify(path, interval),
        _ => Err(format!("`{how}` is neither `stat` nor `notify`").into()),
    }
}

fn by_stat(path: &Path, interval: Duration) -> Result<(), Failure> {
    let look = || {
        let found = fs::metadata(path).ok()?;
        Some((found.size(), found.mtime(), found.mtime_nsec(), found.ino()))
    };
    let mut before = look();
    say("looking")?;
    loop {
        thread::sleep(interval);
        let now = look();
        if now != before {
            before = now;
            say(&milliseconds()?)?;
        }
    }
}

fn by_notify(path: &Path, interval: Duration) -> Result<(), Failure> {
    let (sender, events) = mpsc::channel();
    let config = Config::default().with_poll_interval(interval);
    let mut watcher = PollWatcher::new(sender, config)?;
    // A missing path cannot be watched, so its directory is.
    let directory = path.parent().ok_or("a path without a directory")?;
    watcher.watch(directory, RecursiveMode::NonRecursive)?;
    say("looking")?;
    for event in events {
        // The next look may be without the error of this one.
        if event.is_ok_and(|event| event.paths.iter().any(|it| it == path)) {
            say(&milliseconds()?)?;
        }
    }
    Ok(())
}

fn milliseconds() -> Result<String, Failure> {
    Ok(SystemTime::now()
        .duration_since(UNIX_EPOCH)?
        .as_millis()
        .to_string())
}

fn say(line: &str) -> Result<(), Failure> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{line}")?;
    output.flush()?;
    Ok(())
}
