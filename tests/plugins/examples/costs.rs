//! A plugin that does as little as it can, of what the rust level has.

use std::hint::black_box;

use fixtures::{Cost, Costs, Oracle, World};

struct This;

impl Cost for This {
    fn plain(world: &mut World) {
        world.frames += 1;
    }

    fn ordinary(pair: &mut (u64, String)) {
        pair.0 += 1;
    }

    fn number() -> u64 {
        1
    }

    fn text() -> String {
        "x".to_owned()
    }

    fn ask(oracle: &mut dyn Oracle, times: u64) -> u64 {
        (0..times).fold(0, |before, _| oracle.say(before))
    }

    fn allocate(times: u64) {
        for number in 0..times {
            drop(black_box(Box::new(number)));
        }
    }
}

replug_plugin::export!(This: Costs);
