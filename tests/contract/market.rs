//! Ordinary Rust of all sorts between a host and a plugin that is reloaded, under calls from many threads: what one generation
//! made is read, renewed and dropped by much later ones, or by the host. Calls panic on either side, and futures are awaited,
//! dropped, and left for generations. It is what runs under AddressSanitizer and valgrind, for which `REPLUG_RELOADS` and
//! `REPLUG_CALLERS` make it longer or shorter.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Instant;

use fixtures::market::{Basket, Clerk, Market};
use replug::{CallError, Handle, Host, Outcome, Pending, chain};
use vocabulary::{Artifact, DEADLINE, Scratch, specimen, wait_until};

/// How many generations a basket lies on its shelf, if there are twice as many.
const LATER: u64 = 100;

/// How many baskets of one generation are kept.
const MOST: usize = 32;

fn number(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).map_or(usual, |number| number.parse().unwrap())
}

/// What a clerk says of baskets that are not stamped.
const CLOSED: &str = "closed";

/// A clerk of the host's.
#[derive(Default)]
struct Stamps(u64);

impl Clerk for Stamps {
    fn stamp(&mut self, mut basket: Basket) -> Result<Basket, String> {
        assert!(basket.is_whole());
        let number = basket.number;
        assert!(!number.is_multiple_of(7), "no stamp for {number}");
        if number.is_multiple_of(5) {
            return Err(CLOSED.to_owned());
        }
        self.0 += 1;
        basket.renew();
        Ok(basket)
    }

    fn count(&self) -> u64 {
        self.0
    }

    fn order(&self, number: u64) -> Pending<Basket> {
        let mut is_asked = false;
        Pending::new(std::future::poll_fn(move |context| {
            if std::mem::replace(&mut is_asked, true) {
                return Poll::Ready(Basket::of(number));
            }
            context.waker().wake_by_ref();
            Poll::Pending
        }))
    }
}

/// A basket that the host gives later, or instead of which it panics.
#[derive(Clone, Default)]
struct Gate(Arc<Mutex<Given>>);

#[derive(Default)]
struct Given {
    /// The basket; none in it for a panic.
    basket: Option<Option<Basket>>,
    waker: Option<Waker>,
}

impl Gate {
    fn open(&self, basket: Option<Basket>) {
        let mut given = self.0.lock().unwrap();
        given.basket = Some(basket);
        given.waker.take().into_iter().for_each(Waker::wake);
    }

    fn pending(&self) -> Pending<Basket> {
        let Gate(gate) = self.clone();
        Pending::new(std::future::poll_fn(move |context| {
            let mut given = gate.lock().unwrap();
            given.waker = Some(context.waker().clone());
            match given.basket.take() {
                None => Poll::Pending,
                Some(basket) => Poll::Ready(basket.expect("there is no basket")),
            }
        }))
    }
}

/// A waker with memory, which the plugin keeps for longer than its future.
struct Counted(AtomicU64);

impl Wake for Counted {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A future that has begun, the number of its basket, and what it waits for.
struct Begun {
    number: u64,
    gate: Gate,
    pending: Pending<Vec<Basket>>,
}

/// What all threads have together.
struct Common {
    handle: Handle<Market>,
    /// The generation that is live, as the owner knows.
    live: AtomicU64,
    later: u64,
    shelves: Mutex<BTreeMap<u64, Vec<Basket>>>,
    begun: Mutex<VecDeque<Begun>>,
    is_over: AtomicBool,
    counts: [AtomicU64; COUNTED.len()],
}

/// What is counted, so that nothing is left out unseen.
const COUNTED: [&str; 8] = [
    "made and kept",
    "read and dropped long after",
    "renewed",
    "panics of the plugin",
    "panics of the host",
    "futures awaited",
    "futures that panicked",
    "futures dropped",
];

impl Common {
    fn counter(&self, what: &str) -> &AtomicU64 {
        &self.counts[COUNTED.iter().position(|it| *it == what).unwrap()]
    }

    fn count(&self, what: &str) {
        self.counter(what).fetch_add(1, Ordering::Relaxed);
    }

    fn counted(&self, what: &str) -> u64 {
        self.counter(what).load(Ordering::Relaxed)
    }

    /// Does everything by turns, on a thread of its own, until all is over.
    fn work(&self, thread: u64) {
        let mut caller = self.handle.caller();
        let mut turn = 0;
        while !self.is_over.load(Ordering::Relaxed) {
            let number = thread + 1000 * turn;
            turn += 1;
            let market = caller.live();
            self.keep(market.make(number).unwrap());
            self.renew(market, number);
            self.panic(market, number);
            self.ask(market, number);
            self.begin(market, number);
            self.end(number);
            assert!(market.remember(format!("{thread} at {turn}")).unwrap() <= 16);
            if let Some(basket) = self.old() {
                self.drop_old(caller.live(), basket);
            }
        }
    }

    fn keep(&self, basket: Basket) {
        assert!(basket.is_whole());
        let live = self.live.load(Ordering::Acquire);
        let mut shelves = self.shelves.lock().unwrap();
        let shelf = shelves.entry(live).or_default();
        if shelf.len() < MOST {
            shelf.push(basket);
            self.count("made and kept");
        }
    }

    /// A basket that is old enough.
    fn old(&self) -> Option<Basket> {
        let live = self.live.load(Ordering::Acquire);
        let mut shelves = self.shelves.lock().unwrap();
        let mut oldest = shelves.first_entry()?;
        if oldest.key() + self.later > live {
            return None;
        }
        let basket = oldest.get_mut().pop();
        if oldest.get().is_empty() {
            oldest.remove();
        }
        basket
    }

    /// The generation of now, or the host, lets go of it.
    fn drop_old(&self, market: &Market, mut basket: Basket) {
        assert_eq!(market.look(&basket), Ok(Ok(basket.number)));
        match basket.number % 3 {
            0 => drop(market.renew(&mut basket).unwrap()),
            1 => basket.renew(),
            _ => {}
        }
        let copy = basket.clone();
        let baskets = match basket.number % 2 {
            0 => vec![basket],
            _ => vec![copy, basket],
        };
        let count = baskets.len();
        assert_eq!(market.take(baskets).unwrap().0, count);
        self.count("read and dropped long after");
    }

    fn renew(&self, market: &Market, number: u64) {
        let mut baskets = vec![Basket::of(number + 1), market.make(number).unwrap()];
        let mut numbers = vec![0; 50];
        market.sort(&mut baskets, &mut numbers).unwrap();
        numbers.reserve(100);
        assert_eq!(numbers, [number, number + 1]);
        for basket in &mut baskets {
            drop(market.renew(basket).unwrap());
            basket.renew();
            assert!(basket.is_whole());
        }
        self.count("renewed");
    }

    fn panic(&self, market: &Market, number: u64) {
        let mut done = vec!["begun".to_owned()];
        let failed = market.fail(Basket::of(number), &mut done).unwrap_err();
        let expected = CallError::Panicked(format!("no room for {number}"));
        assert_eq!(failed, expected);
        done.extend_from_within(..);
        assert_eq!(done.len(), 4);
        self.count("panics of the plugin");
    }

    fn ask(&self, market: &Market, number: u64) {
        let mut clerk = Stamps::default();
        let asked = market.ask(&mut clerk, &Stamps(5), Basket::of(number));
        match (number % 7, number % 5) {
            (0, _) => {
                let expected = CallError::HostPanicked(format!("no stamp for {number}"));
                assert_eq!(asked.unwrap_err(), expected);
                self.count("panics of the host");
            }
            (_, 0) => assert_eq!(asked.unwrap().unwrap_err(), CLOSED),
            _ => assert!(asked.unwrap().unwrap().is_whole()),
        }
    }

    /// Begins a future, which another thread ends later.
    fn begin(&self, market: &Market, number: u64) {
        if self.begun.lock().unwrap().len() >= MOST {
            return;
        }
        let gate = Gate::default();
        let mut pending = market.later(gate.pending(), Basket::of(number));
        let waker = Waker::from(Arc::new(Counted(AtomicU64::new(0))));
        for _ in 0..number / 1000 % 4 {
            let polled = Pin::new(&mut pending).poll(&mut Context::from_waker(&waker));
            assert!(polled.is_pending());
        }
        self.begun.lock().unwrap().push_back(Begun {
            number,
            gate,
            pending,
        });
    }

    /// Ends the future that has waited for longest, in one of all ways.
    fn end(&self, way: u64) {
        let mut begun = self.begun.lock().unwrap();
        if begun.len() < MOST / 2 {
            return;
        }
        let Begun {
            number,
            gate,
            pending,
        } = begun.pop_front().unwrap();
        drop(begun);
        if (way / 1000).is_multiple_of(4) {
            drop(pending);
            return self.count("futures dropped");
        }
        let is_unlucky = number.is_multiple_of(8);
        let is_missing = number.is_multiple_of(9);
        gate.open((!is_missing).then(|| Basket::of(number)));
        match pending.wait() {
            Ok(baskets) => {
                assert!(!is_missing && !is_unlucky);
                assert_eq!(baskets.len(), 2);
                assert!(baskets.iter().all(|it| it.number == number));
                baskets.into_iter().for_each(|it| self.keep(it));
                self.count("futures awaited");
            }
            Err(CallError::Panicked(message)) => {
                let is_the_hosts = message.contains("there is no basket");
                assert_eq!(is_the_hosts, is_missing, "{message}");
                assert!(is_the_hosts || is_unlucky, "{message}");
                self.count("futures that panicked");
            }
            Err(other) => panic!("{other}"),
        }
    }
}

/// Puts the build of this number in place, and waits until it is live.
fn load(host: &mut Host<Market>, artifact: &Artifact, number: u64) {
    artifact.link(&specimen("market", number.try_into().unwrap()));
    let deadline = Instant::now() + 10 * DEADLINE;
    while let Some(left) = deadline.checked_duration_since(Instant::now()) {
        match host.wait(left) {
            Some(Outcome::Loaded(loaded)) => {
                return assert_eq!(loaded.generation, number);
            }
            Some(Outcome::Kept(kept)) => panic!("kept out: {}", chain(&kept.error)),
            _ => {}
        }
    }
    panic!("it was not loaded in time");
}

/// `REPLUG_RELOADS` and `REPLUG_CALLERS` say how often and how many.
#[test]
fn what_crosses_is_whole_under_calls_from_eight_threads_while_generations_come_and_go() {
    let reloads = number("REPLUG_RELOADS", 50);
    let callers = number("REPLUG_CALLERS", 8);
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    let mut host = Host::<Market>::watch(scratch.options()).unwrap();
    load(&mut host, &artifact, 1);
    let common = Arc::new(Common {
        handle: host.handle(),
        live: AtomicU64::new(1),
        later: LATER.min(reloads / 2),
        shelves: Mutex::default(),
        begun: Mutex::default(),
        is_over: AtomicBool::new(false),
        counts: Default::default(),
    });
    let caller = |thread| {
        let common = Arc::clone(&common);
        thread::spawn(move || common.work(thread))
    };
    let callers: Vec<_> = (1..=callers).map(caller).collect();
    let mut ropes = VecDeque::new();
    for generation in 2..=reloads {
        let told = host.told(&format!("before {generation}")).unwrap();
        // The state goes over from one to the next.
        assert_eq!(told.len() as u64, generation - 1);
        let rope = Rc::new(format!("of {generation}"));
        ropes.push_back((Rc::clone(&rope), host.knot(&rope).unwrap()));
        load(&mut host, &artifact, generation);
        common.live.store(generation, Ordering::Release);
        let before = common.counted("renewed");
        wait_until("call", || {
            // A thread that has failed says why when it is joined.
            common.counted("renewed") > before || callers.iter().any(|it| it.is_finished())
        });
        if ropes.len() as u64 > common.later {
            let (rope, ends) = ropes.pop_front().unwrap();
            assert_eq!(Rc::strong_count(&rope), 1 + ends.len());
            // By the generation of now.
            drop(host.knot(&ends[0]).unwrap());
            drop(ends);
            assert_eq!(Rc::strong_count(&rope), 1);
        }
    }
    common.is_over.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.join().unwrap();
    }
    drop(host);
    // What is left is read and dropped when there is no host any more.
    let common = Arc::into_inner(common).unwrap();
    let left = common.shelves.into_inner().unwrap();
    assert!(left.values().flatten().all(Basket::is_whole));
    for begun in common.begun.into_inner().unwrap() {
        match begun.number % 2 {
            0 => drop(begun.pending),
            _ => {
                begun.gate.open(Some(Basket::of(1)));
                assert_eq!(begun.pending.wait().unwrap().len(), 2);
            }
        }
    }
    for (what, count) in COUNTED.iter().zip(common.counts) {
        let count = count.into_inner();
        println!("{what}: {count}");
        assert!(count > 0, "{what}");
    }
}
