//! Polls libraries that do not change a given number of times, and does nothing else: for a counter of instructions.
//!
//! `poll_cost PATH LIBRARIES TIMES`, where PATH is a library, or a directory with as many libraries as LIBRARIES
//! says.

use std::error::Error;
use std::thread;
use std::time::Instant;

use replug::watch::Poller;
use replug::{Audit, Options};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [path, libraries, times] = arguments.as_slice() else {
        return Err("poll_cost PATH LIBRARIES TIMES".into());
    };
    let (libraries, times): (u64, u64) = (libraries.parse()?, times.parse()?);
    // An audit would come sooner or later, and so be counted or not.
    let mut poller = Poller::new(Options::new(path).audit(Audit::Off))?;
    // Each library is read once, and once more to confirm that, for it was made just now.
    while poller.digests() < 2 * libraries {
        let next = poller.poll(Instant::now());
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    for _ in 0..times {
        poller.poll(Instant::now());
    }
    println!("{} digests", poller.digests());
    Ok(())
}
