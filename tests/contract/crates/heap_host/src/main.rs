//! Reloads a plugin while threads exchange memory with it, under the allocator that a feature names. With two arguments more, only takes
//! and gives back blocks of memory, for whoever counts instructions.

use std::alloc::{GlobalAlloc, Layout};
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use replug::options::Expected;
use replug::watch::Poller;
use replug::{Handle, Host, Options};

#[path = "../../heap.rs"]
mod heap;

use heap::{Heap, Load};

#[cfg(feature = "jemalloc")]
type Used = tikv_jemallocator::Jemalloc;
#[cfg(feature = "jemalloc")]
const USED: Used = tikv_jemallocator::Jemalloc;
#[cfg(feature = "mimalloc")]
type Used = mimalloc::MiMalloc;
#[cfg(feature = "mimalloc")]
const USED: Used = mimalloc::MiMalloc;
#[cfg(not(any(feature = "jemalloc", feature = "mimalloc")))]
type Used = std::alloc::System;
#[cfg(not(any(feature = "jemalloc", feature = "mimalloc")))]
const USED: Used = std::alloc::System;

/// How often the plugin is reloaded, and how many threads call it.
const RELOADS: u32 = 50;
const THREADS: u32 = 4;

/// The allocator, with a count of what it gave and took.
struct Counted {
    given: AtomicU64,
    taken: AtomicU64,
}

#[global_allocator]
static COUNTED: Counted = Counted {
    given: AtomicU64::new(0),
    taken: AtomicU64::new(0),
};

// SAFETY: all is passed on as it came.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.given.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { USED.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.given.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { USED.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        self.taken.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { USED.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        unsafe { USED.realloc(block, layout, size) }
    }
}

impl Counted {
    fn counts(&self) -> [u64; 2] {
        [&self.given, &self.taken].map(|it| it.load(Ordering::Relaxed))
    }
}

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [plugin, artifact] => reload(Path::new(plugin), Path::new(artifact)),
        [plugin, way, times] => allocate(plugin, way, times.parse().expect("a number")),
        _ => panic!("heap_host PLUGIN ARTIFACT, or heap_host PLUGIN WAY TIMES"),
    }
}

/// Takes and gives back blocks, in the plugin or here. No other thread does anything meanwhile.
fn allocate(plugin: &str, way: &str, times: u64) {
    let options = Options::new(plugin).expected(Expected::of::<Heap>());
    let mut poller = Poller::new(options).expect("it can be watched");
    let mut host = Host::<Heap>::new();
    while host.live().is_none() {
        poller.poll(Instant::now());
        let updates = poller.updates().try_iter();
        updates.for_each(|update| drop(host.apply(update)));
    }
    match way {
        "allocate" => host.allocate(times).expect("it is live"),
        _ => {
            for number in 0..times {
                drop(black_box(Box::new(number)));
            }
        }
    }
}

/// Reloads the plugin, which is copied to the artifact's path.
fn reload(plugin: &Path, artifact: &Path) {
    let library = fs::read(plugin).expect("the plugin was built");
    let put = |number: u32| {
        let new = artifact.with_extension("new");
        // Behind the last section, where no loader looks.
        fs::write(&new, [&library, &number.to_ne_bytes()[..]].concat()).expect("there is room");
        fs::rename(new, artifact).expect("it can be renamed");
    };
    put(0);
    let options = Options::new(artifact).interval(Duration::from_millis(2));
    let mut host = Host::<Heap>::watch(options).expect("it can be watched");
    let deadline = || Instant::now() + Duration::from_secs(60);
    host.wait_for_generation(1, deadline())
        .expect("it is loaded");

    the_plugin_allocates_from_this_program(&host);
    let is_over = AtomicBool::new(false);
    let rounds = thread::scope(|scope| {
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..THREADS).map(|_| channel()).unzip();
        let mut receivers = receivers.into_iter();
        let exchanging: Vec<_> = (0..THREADS)
            .map(|number| {
                let (handle, is_over) = (host.handle(), &is_over);
                // Each gives what it has to the next one.
                let to = senders[((number + 1) % THREADS) as usize].clone();
                let from = receivers.next().expect("one for each");
                scope.spawn(move || exchange(&handle, number, &to, &from, is_over))
            })
            .collect();
        drop(senders);
        for number in 1..=RELOADS {
            put(number);
            host.wait_for_generation(u64::from(number) + 1, deadline())
                .expect("it is reloaded");
        }
        is_over.store(true, Ordering::Relaxed);
        exchanging
            .into_iter()
            .map(|it| it.join().expect("nothing went wrong"))
            .sum::<u64>()
    });
    println!("{RELOADS} reloads");
    assert!(
        rounds >= u64::from(RELOADS),
        "only {rounds} rounds in {RELOADS} reloads"
    );
}

/// What the plugin takes, this program's allocator gives; and what this program took, it takes from the plugin.
fn the_plugin_allocates_from_this_program(host: &Host<Heap>) {
    let expected = Load::of(43);
    // Nothing else is done meanwhile that allocates and stays, but the worker's own; its blocks are few.
    let before = COUNTED.counts();
    let loads: Vec<_> = (0..1000)
        .map(|_| host.make(43).expect("it is live"))
        .collect();
    let made = COUNTED.counts();
    assert!(
        loads.iter().all(|it| *it == expected),
        "they are what this program makes"
    );
    for load in loads {
        host.drop_it(load).expect("it is live");
    }
    let dropped = COUNTED.counts();
    assert!(made[0] - before[0] >= 10_000, "{before:?}, {made:?}");
    let kept = made[0] - before[0] - (made[1] - before[1]);
    let given_back = dropped[1] - made[1];
    assert!(
        kept >= 5000 && given_back >= kept - 100,
        "{kept} were kept, and {given_back} given back"
    );
}

/// Exchanges loads with the plugin and the next thread, until all is over: one that the plugin has made is grown and dropped here,
/// one from here there, and others by later generations.
fn exchange(
    handle: &Handle<Heap>,
    thread: u32,
    to: &Sender<Load>,
    from: &Receiver<Load>,
    is_over: &AtomicBool,
) -> u64 {
    let mut kept: Vec<Load> = Vec::new();
    let mut round = 0;
    while !is_over.load(Ordering::Relaxed) {
        round += 1;
        let number = thread * 1000 + round;
        let live = handle.live();
        let mut theirs = live.make(number).expect("it is live");
        assert_eq!(theirs, Load::of(number));
        theirs.grow(1);
        let mut ours = live.grow(Load::of(number), 1).expect("it is live");
        assert_eq!(ours, theirs);
        live.grow_lent(&mut ours, 2).expect("it is live");
        drop(theirs);
        kept.push(ours);
        // The next thread may have ended.
        let _ = to.send(live.make(number).expect("it is live"));
        if let Ok(load) = from.try_recv() {
            live.drop_it(load).expect("it is live");
        }
        if kept.len() > 20 {
            live.drop_it(kept.swap_remove(number as usize % 20))
                .expect("it is live");
        }
    }
    u64::from(round)
}
