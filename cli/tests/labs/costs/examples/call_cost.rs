//! Calls a plugin a given number of times in one of several ways, and does nothing else: for a counter of
//! instructions.
//!
//! `call_cost LIBRARY WAY TIMES`, where WAY is `pointer`, `symbol`, `interface`, `handle` or `caller`. LIBRARY is the
//! fixture `pure`, which also exports its sum as a plain C function.

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use fixtures::Fixture;
use replug::options::Expected;
use replug::watch::Poller;
use replug::{Host, Options, Raw};

type Sum = unsafe extern "C" fn(u64, u64) -> u64;

extern "C" fn sum(one: u64, other: u64) -> u64 {
    one.wrapping_add(other)
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [library, way, times] = arguments.as_slice() else {
        return Err("call_cost LIBRARY WAY TIMES".into());
    };
    let times: u64 = times.parse()?;
    let options = Options::new(library);
    let expected = options.clone().expected(Expected::of::<Fixture>());
    let host = load(Host::<Fixture>::new(), expected)?;
    let raw = load(Host::<Raw>::new([c"plain_sum"]), options)?;
    let handle = host.handle();
    let mut caller = handle.caller();
    let (host, handle, raw) = (black_box(host), black_box(handle), black_box(raw));
    let mut last = 0;
    match way.as_str() {
        "pointer" => {
            let sum: Sum = black_box(sum);
            for number in 0..times {
                // SAFETY: `sum` is the function above.
                #[allow(unsafe_code)]
                let next = unsafe { sum(number, last) };
                last = next;
            }
        }
        "symbol" => {
            // SAFETY: the fixture exports this symbol with this type.
            #[allow(unsafe_code)]
            let sum = unsafe { raw.get::<Sum>(c"plain_sum") }.ok_or("no such symbol")?;
            for number in 0..times {
                // SAFETY: as above.
                #[allow(unsafe_code)]
                let next = unsafe { sum(number, last) };
                last = next;
            }
        }
        "interface" => {
            for number in 0..times {
                last = host.add(number, last)?;
            }
        }
        "handle" => {
            for number in 0..times {
                last = handle.live().add(number, last)?;
            }
        }
        "caller" => {
            for number in 0..times {
                last = caller.live().add(number, last)?;
            }
        }
        _ => return Err("no such way".into()),
    }
    println!("{last}");
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
