//! A market: the declaration of a plugin through which all sorts of ordinary Rust go, on many threads at once. What a basket
//! holds follows from its number, so that each side can check what the other has made.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use replug_derive::Shared;
use replug_plugin::Pending;

/// What can lie in a basket.
#[derive(Shared, Debug, Clone, PartialEq)]
pub enum Good {
    /// Without memory.
    Air,
    /// With some.
    Named(String),
    /// With something in it.
    Packed {
        /// In all directions.
        size: [u16; 3],
        /// Deeper.
        inner: Option<Box<Good>>,
    },
}

/// A value that has memory in many ways.
#[derive(Shared, Debug, Clone)]
pub struct Basket {
    /// Says what all else is.
    pub number: u64,
    /// Text.
    pub label: String,
    /// Things.
    pub goods: Vec<Good>,
    /// Bytes by text.
    pub prices: HashMap<String, Vec<u8>>,
    /// Things by number.
    pub order: BTreeMap<u64, Box<Good>>,
    /// A ring.
    pub ring: VecDeque<char>,
    /// A set.
    pub seen: HashSet<u64>,
    /// Nothing yet: what an empty map points to is a constant of whoever made it.
    pub empty: HashMap<u32, String>,
    /// What each copy of the basket leads to.
    pub notes: Arc<Mutex<Vec<String>>>,
    /// A path.
    pub place: PathBuf,
    /// A time, if any.
    pub time: Option<Duration>,
}

impl Basket {
    /// The basket of this number.
    pub fn of(number: u64) -> Basket {
        let few = 1 + number % 5;
        let text = |at: u64| format!("{number}, {at} of {few}");
        let good = |at: u64| match (number + at) % 3 {
            0 => Good::Air,
            1 => Good::Named(text(at)),
            _ => Good::Packed {
                size: [at as u16; 3],
                inner: Some(Box::new(Good::Named(text(at)))),
            },
        };
        Basket {
            number,
            label: "label ".repeat(few as usize) + &text(0),
            goods: (0..few).map(good).collect(),
            prices: (0..few).map(|at| (text(at), vec![at as u8; 20])).collect(),
            order: (0..few).map(|at| (at, Box::new(good(at)))).collect(),
            ring: text(few).chars().collect(),
            seen: (0..few).map(|at| number ^ at).collect(),
            empty: HashMap::new(),
            notes: Arc::new(Mutex::new(vec![text(7)])),
            place: PathBuf::from(text(8)),
            time: (few > 2).then(|| Duration::from_nanos(number)),
        }
    }

    /// Whether this is what the basket of its number should be.
    pub fn is_whole(&self) -> bool {
        let Basket {
            number,
            label,
            goods,
            prices,
            order,
            ring,
            seen,
            empty,
            notes,
            place,
            time,
        } = Basket::of(self.number);
        // By `get`: what one side has put into a map is found by the other.
        number == self.number
            && label == self.label
            && goods == self.goods
            && prices.len() == self.prices.len()
            && prices
                .iter()
                .all(|(key, it)| self.prices.get(key) == Some(it))
            && order == self.order
            && ring == self.ring
            && seen.len() == self.seen.len()
            && seen.iter().all(|it| self.seen.contains(it))
            && empty == self.empty
            && notes.lock().unwrap()[0] == self.notes.lock().unwrap()[0]
            && place == self.place
            && time == self.time
    }

    /// Takes all apart, and puts it together anew: blocks of before are given back, and others are asked for.
    pub fn renew(&mut self) {
        let renewed = Basket::of(self.number);
        self.label.clear();
        self.label.shrink_to_fit();
        self.label.push_str(&renewed.label);
        self.goods.reserve(100);
        self.goods.drain(..);
        self.goods.extend(renewed.goods);
        self.goods.shrink_to_fit();
        self.prices.retain(|_, it| it.is_empty());
        self.prices.extend(renewed.prices);
        self.order.clear();
        self.order.extend(renewed.order);
        self.ring.rotate_left(1);
        self.ring.push_front('x');
        self.ring = renewed.ring;
        self.seen.reserve(50);
        self.empty.insert(1, self.label.clone());
        self.empty = HashMap::new();
        let mut notes = self.notes.lock().unwrap();
        notes.push(self.label.clone());
        notes.truncate(4);
        notes.shrink_to_fit();
        drop(notes);
        self.place.push("deeper");
        self.place = renewed.place;
    }
}

replug_plugin::interface! {
    /// A market.
    pub interface Market, plugin trait Trade, version 1 {
        /// Makes a basket.
        fn make(number: u64) -> Basket;
        /// Looks at one: its number, or what is wrong.
        fn look(basket: &Basket) -> Result<u64, String>;
        /// Renews one, and says what was on top.
        fn renew(basket: &mut Basket) -> Option<Good>;
        /// Sorts them by their numbers, and writes the numbers down.
        fn sort(baskets: &mut [Basket], numbers: &mut Vec<u64>);
        /// Takes some, and keeps nothing.
        fn take(baskets: Vec<Basket>) -> (usize, String);
        /// Panics with a basket in its hands, and half of its work done.
        fn fail(basket: Basket, done: &mut Vec<String>) -> Basket;
        /// Has it stamped by the clerk, who may panic.
        fn ask(clerk: &mut dyn Clerk, other: &dyn Clerk, basket: Basket) -> Result<Basket, String>;
        /// Two baskets: one that is waited for, and one that waits.
        async fn later(pause: Pending<Basket>, basket: Basket) -> Vec<Basket>;
        /// Remembers the text, and says how many there are.
        fn remember(text: String) -> usize;
        /// All that the owner has told, after this.
        fn told(text: &str) -> Vec<String>;
        /// Many ends of one rope.
        fn knot(rope: &Rc<String>) -> Vec<Rc<String>>;
    }
    /// Who is asked.
    host trait Clerk {
        /// Stamps a basket, unless it is refused.
        fn stamp(&mut self, basket: Basket) -> Result<Basket, String>;
        /// How many were stamped.
        fn count(&self) -> u64;
        /// A basket that comes later.
        fn order(&self, number: u64) -> Pending<Basket>;
    }
}
