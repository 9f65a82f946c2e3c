//! Types of every form that Rust has for them, all of which can cross.

#![forbid(unsafe_code)]
#![deny(warnings)]

use std::collections::{BTreeMap, HashMap};
use std::marker::PhantomData;
use std::rc::Rc;

use replug_derive::Shared;

mod other {
    /// A type of one name with another.
    #[derive(replug_derive::Shared, Clone, Debug, PartialEq)]
    pub struct World {
        pub(crate) nothing: (),
    }
}

#[derive(Shared, Debug, Default)]
pub struct World {
    pub names: HashMap<u32, String>,
    worlds: Vec<World>,
    r#type: Option<Box<Event>>,
    pub(crate) elsewhere: Vec<other::World>,
    #[cfg(any())]
    never: *const u8,
}

#[derive(Shared, Debug)]
#[repr(u8)]
pub enum Event {
    Nothing,
    Spawned(u32, (u8, String)) = 4 + 3,
    Said {
        who: u32,
        text: String,
        at: Box<World>,
    },
}

#[derive(Shared)]
pub struct Unit;

#[derive(Shared)]
pub struct Pair(pub u8, pub(crate) (u8, u8));

#[derive(Shared)]
pub enum Never {}

#[derive(Shared, Clone)]
pub struct Grid<T: Clone + PartialOrd<u8> = u8, const WIDTH: usize = 3>
where
    T: Copy,
{
    pub cells: Vec<[T; WIDTH]>,
    pub kind: PhantomData<T>,
}

#[derive(Shared)]
pub struct Tuple<T>(Vec<T>, Rc<T>)
where
    T: Clone;

#[derive(Shared)]
pub struct Node<T> {
    pub value: T,
    pub children: BTreeMap<String, Self>,
}

#[derive(Shared, Clone, Copy)]
#[repr(C, packed(2))]
pub struct Packed {
    one: u8,
    other: u64,
}

replug::shared! {
    /// Plain data within ordinary Rust.
    #[derive(Debug)]
    pub struct Plain {
        /// A number.
        pub number: u64,
    }
}

replug::interface! {
    /// All of them.
    pub interface Everything, plugin trait Do, version 1 {
        /// Lent.
        fn lend(world: &mut World, events: &[Event], names: &mut [String], node: &Node<Plain>) -> Option<Never>;
        /// Taken.
        fn take(unit: Unit, pair: Pair, grid: Grid<u8, 3>, tuple: Tuple<String>, array: [f32; 3], packed: Packed);
        /// Returned.
        fn give(text: &str) -> Result<Vec<Event>, String>;
    }
}

struct Mine;

impl Do for Mine {
    fn lend(_: &mut World, _: &[Event], _: &mut [String], _: &Node<Plain>) -> Option<Never> {
        None
    }

    fn take(_: Unit, _: Pair, _: Grid<u8, 3>, _: Tuple<String>, _: [f32; 3], _: Packed) {}

    fn give(text: &str) -> Result<Vec<Event>, String> {
        Err(text.to_owned())
    }
}

replug::export!(Mine: Everything);

fn main() {
    let declared = <Everything as replug::Interface>::DECLARATION;
    let lines: Vec<_> = declared.lines().collect();
    assert_eq!(lines[1], "level rust");
    assert_eq!(
        lines[2],
        "fn lend(&mut World, &[Event], &mut [String], &Node<struct Plain>) -> Option<Never>"
    );
}
