//! Does one thing of the rust level a given number of times, and nothing else: for a counter of instructions.
//!
//! `ordinary_cost LIBRARY WAY TIMES`, where WAY is `plain`, `ordinary`, `number`, `text`, `ask` or `allocate`, or, by the host
//! alone, `own_ask` or `own_allocate`. LIBRARY is the fixture `costs`.

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use fixtures::{Costs, Oracle, World};
use replug::options::Expected;
use replug::watch::Poller;
use replug::{Host, Options};

struct Adds;

impl Oracle for Adds {
    #[inline(never)]
    fn say(&mut self, before: u64) -> u64 {
        before + 1
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [library, way, times] = arguments.as_slice() else {
        return Err("ordinary_cost LIBRARY WAY TIMES".into());
    };
    let times: u64 = times.parse()?;
    let options = Options::new(library).expected(Expected::of::<Costs>());
    let host = black_box(load(Host::<Costs>::new(), options)?);
    match way.as_str() {
        "plain" => {
            let mut world = World::default();
            for _ in 0..times {
                host.plain(&mut world)?;
            }
        }
        "ordinary" => {
            let mut pair = (0, String::new());
            for _ in 0..times {
                host.ordinary(&mut pair)?;
            }
        }
        "number" => {
            for _ in 0..times {
                black_box(host.number()?);
            }
        }
        "text" => {
            for _ in 0..times {
                drop(host.text()?);
            }
        }
        "ask" => {
            black_box(host.ask(&mut Adds, times)?);
        }
        "allocate" => host.allocate(times)?,
        "own_ask" => {
            let mut adds = Adds;
            let oracle: &mut dyn Oracle = black_box(&mut adds);
            black_box((0..times).fold(0, |before, _| oracle.say(before)));
        }
        "own_allocate" => {
            for number in 0..times {
                drop(black_box(Box::new(number)));
            }
        }
        _ => return Err("no such way".into()),
    }
    Ok(())
}

/// Loads without a watcher, so that no other thread counts.
fn load<T>(mut host: Host<T>, options: Options) -> Result<Host<T>, replug::Error> {
    let mut poller = Poller::new(options)?;
    while host.live().is_none() {
        poller.poll(Instant::now());
        let updates = poller.updates().try_iter();
        updates.for_each(|update| drop(host.apply(update)));
    }
    Ok(host)
}
