//! Makes, grows and drops loads of memory.

use std::hint::black_box;

#[path = "../../heap.rs"]
mod heap;

use heap::{Carry, Heap, Load};

struct Mine;

impl Carry for Mine {
    fn make(number: u32) -> Load {
        Load::of(number)
    }

    fn grow(mut load: Load, number: u32) -> Load {
        load.grow(number);
        load
    }

    fn grow_lent(load: &mut Load, number: u32) {
        load.grow(number);
    }

    fn drop_it(load: Load) {
        drop(load);
    }

    fn allocate(times: u64) {
        for number in 0..times {
            drop(black_box(Box::new(number)));
        }
    }
}

replug_plugin::export!(Mine: Heap);
