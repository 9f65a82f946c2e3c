//! Values that a host and a plugin make, grow and drop for each other.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use replug_derive::Shared;

/// A value that holds memory in many ways.
#[derive(Shared, Debug, Default, Clone, PartialEq)]
pub struct Load {
    pub text: String,
    pub numbers: Vec<u64>,
    pub lines: VecDeque<String>,
    pub names: HashMap<u32, String>,
    pub tree: BTreeMap<String, Vec<u8>>,
    pub shared: Option<Arc<str>>,
    pub blocks: Vec<Block>,
    pub within: Option<Box<Load>>,
}

/// What the system's allocator aligns by no chance.
#[derive(Shared, Debug, Clone, Copy, PartialEq)]
#[repr(align(256))]
pub struct Block(pub [u8; 256]);

impl Load {
    /// A load of memory, by way of each function of an allocator: some of it is zeroed, and some grows.
    pub fn of(number: u32) -> Load {
        let mut load = Load {
            text: "load".repeat(number as usize % 50),
            numbers: vec![0; number as usize % 1000],
            shared: Some(format!("number {number}").into()),
            blocks: vec![Block([number as u8; 256]); number as usize % 4],
            ..Load::default()
        };
        load.grow(number);
        load
    }

    /// Takes more memory, and gives some back.
    pub fn grow(&mut self, number: u32) {
        self.text += &number.to_string();
        self.numbers.extend([u64::from(number); 33]);
        self.lines.push_back(self.text.clone());
        self.names.insert(number, self.text.clone());
        self.tree
            .insert(number.to_string(), vec![1; number as usize % 300]);
        self.within = Some(Box::new(std::mem::take(self)));
        if number.is_multiple_of(7) {
            *self = Load::default();
        }
        self.numbers.shrink_to_fit();
        assert!(
            self.blocks
                .iter()
                .all(|it| (&raw const *it).addr().is_multiple_of(256))
        );
    }
}

replug_plugin::interface! {
    /// Takes and gives memory.
    pub interface Heap, plugin trait Carry, version 1 {
        /// One that the plugin has made.
        fn make(number: u32) -> Load;
        /// One that the plugin has grown.
        fn grow(load: Load, number: u32) -> Load;
        /// One that the plugin has grown in its place.
        fn grow_lent(load: &mut Load, number: u32);
        /// Drops one.
        fn drop_it(load: Load);
        /// Takes a block of memory and gives it back, so many times.
        fn allocate(times: u64);
    }
}
