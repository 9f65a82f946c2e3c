//! Polls libraries that do not change a given number of times, and does nothing else: for a counter of instructions.
//!
//! `poll_cost PATH LIBRARIES TIMES`, where PATH is a library, or a directory with as many libraries as LIBRARIES
//! says.

use std::error::Error;
use std::thread;
use std::time::{Duration, Instant};

use replug::watch::Poller;
use replug::{Audit, Options};

/// How long nothing was read when all libraries are at rest.
const REST: Duration = Duration::from_secs(1);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [path, libraries, times] = arguments.as_slice() else {
        return Err("poll_cost PATH LIBRARIES TIMES".into());
    };
    let (libraries, times): (u64, u64) = (libraries.parse()?, times.parse()?);
    // An audit would come sooner or later, and so be counted or not.
    let mut poller = Poller::new(Options::new(path).audit(Audit::Off))?;
    // Each library is read once. Those that were read too soon after they were made are read once more, within a
    // fraction of a second.
    let mut last_read = Instant::now();
    while poller.digests() < libraries || last_read.elapsed() < REST {
        let digests = poller.digests();
        let next = poller.poll(Instant::now());
        if poller.digests() > digests {
            last_read = Instant::now();
        }
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    repeat_polls(&mut poller, times);
    println!("{} digests", poller.digests());
    Ok(())
}

/// What is counted. The counter knows this function by its name.
#[inline(never)]
fn repeat_polls(poller: &mut Poller, times: u64) {
    for _ in 0..times {
        poller.poll(Instant::now());
    }
}
