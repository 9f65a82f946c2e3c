//! The rules of the world. Change something here while the host runs.

use interface::{Play, Rules, World};

/// The length of a step, in metres. Edit me.
const STRIDE: u64 = 1;

struct Mine;

impl Play for Mine {
    fn step(world: &mut World) -> String {
        world.steps += 1;
        world.way += STRIDE;
        format!("step {}: {} m so far", world.steps, world.way)
    }
}

replug_plugin::export!(Mine: Rules);
