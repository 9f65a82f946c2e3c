use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, OnceLock};

use replug_derive::Shared;

#[derive(Shared, Debug, Default)]
pub struct Town {
    pub people: Vec<Person>,
    pub names: HashMap<u32, String>,
    #[shared(unsafe foreign)]
    pub founded: OnceLock<String>,
    pub told: Arc<Mutex<BTreeMap<String, u64>>>,
}

#[derive(Shared, Debug, Clone, PartialEq, Default)]
pub struct Person {
    pub age: u32,
    pub mood: Mood,
    pub friends: Vec<Person>,
    pub notes: VecDeque<char>,
}

#[derive(Shared, Debug, Clone, PartialEq, Default)]
pub enum Mood {
    #[default]
    Calm,
    Says(String),
    Moves {
        by: [f32; 2],
        until: Option<Box<Mood>>,
    },
}

#[derive(Shared, Debug, Clone, Copy, PartialEq)]
#[repr(u8)]
pub enum Colour {
    Red = 1,
    Green = 2,
}

#[derive(Shared, Debug, Clone, PartialEq)]
pub struct Grid<T, const WIDTH: usize>(pub Vec<[T; WIDTH]>);

replug_plugin::interface! {
    /// The rules of a town.
    pub interface Rules, plugin trait Rule, version 1 {
        /// One day.
        fn day(town: &mut Town, guests: &[Person], hours: f32) -> Result<Vec<Mood>, String>;
        /// Takes one apart, and puts it together.
        fn turn(person: Person, colour: Colour) -> (Person, Option<Colour>);
        /// All that is in it.
        fn spread(grid: Grid<u16, 3>) -> Vec<u16>;
        /// Asks those who know.
        fn consult(council: &mut dyn Council, elders: &dyn Council, question: &str) -> Vec<String>;
    }
    /// Those who know.
    host trait Council {
        /// What to do.
        fn decide(&mut self, question: &str, about: Person) -> Option<Vec<String>>;
        /// How many there are.
        fn count(&self) -> u32;
    }
}
