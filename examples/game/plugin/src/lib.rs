//! The rules of the game. Change something here while the game runs, and then `cargo build -p game_rules`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};

use game_interface::{Play, Rules, World};
use replug_plugin::{HookError, Hooks, Sink};

/// Width and height of the room, in metres.
const ROOM: [f32; 2] = [16.0, 9.0];

/// The pull on the ball, in metres per second, every second. Edit me.
const GRAVITY: f32 = -9.81;

/// How fast the ball is thrown when it has come to rest, in metres per second. Edit me.
const THROW: [f32; 2] = [7.0, 12.0];

/// The part of the ball's speed that is left after a wall. Edit me.
const BOUNCE: f32 = 0.8;

/// Below this speed the ball is thrown again, in metres per second.
const REST: f32 = 0.5;

struct Ball;

impl Play for Ball {
    fn step(world: &mut World, seconds: f32) {
        world.frames += 1;
        world.speed[1] += GRAVITY * seconds;
        for (axis, walls) in [["left", "right"], ["floor", "ceiling"]].iter().enumerate() {
            world.ball[axis] += world.speed[axis] * seconds;
            let inside = world.ball[axis].clamp(0.0, ROOM[axis]);
            if inside != world.ball[axis] {
                let wall = walls[usize::from(inside > 0.0)];
                *memory().bounces.entry(wall.to_owned()).or_default() += 1;
                world.ball[axis] = inside;
                world.speed[axis] *= -BOUNCE;
            }
        }
        if world.ball[1] == 0.0 && world.speed[1] < REST {
            world.speed = THROW;
        }
    }

    fn draw(world: &World, mut picture: Sink<'_>) {
        let [x, y] = world.ball;
        // Writing to a sink cannot fail.
        let _ = write!(
            picture,
            "frame {}: ball at {x:.1}, {y:.1}; bounces",
            world.frames
        );
        for (wall, bounces) in &memory().bounces {
            let _ = write!(picture, " {wall} {bounces}");
        }
    }
}

/// The memory of the rules. A map does not cross to a host, so the memory is the plugin's own, and [`Hooks`] carry it
/// over.
struct Memory {
    bounces: BTreeMap<String, u64>,
}

static MEMORY: Mutex<Memory> = Mutex::new(Memory {
    bounces: BTreeMap::new(),
});

fn memory() -> MutexGuard<'static, Memory> {
    // A panic of one frame does not end the game, and a count is right at any time.
    MEMORY.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hooks for Ball {
    /// A line that older rules do not know needs a new version, and so does another meaning of a line that they know.
    const STATE: Option<u32> = Some(1);

    /// Text, a line for each wall: `floor 17`. A crate such as serde_json does as well.
    fn save(state: &mut Vec<u8>) -> Result<(), HookError> {
        for (wall, bounces) in &memory().bounces {
            writeln!(Sink::new(state), "{wall} {bounces}")?;
        }
        Ok(())
    }

    fn restore(version: u32, state: &[u8]) -> Result<(), HookError> {
        if version != 1 {
            return Err(format!("these rules know no memory of version {version}").into());
        }
        let mut bounces = BTreeMap::new();
        for line in std::str::from_utf8(state)?.lines() {
            let (wall, count) = line.split_once(' ').ok_or("a wall has no count")?;
            bounces.insert(wall.to_owned(), count.parse()?);
        }
        memory().bounces = bounces;
        Ok(())
    }
}

replug_plugin::export!(Ball: Rules + Hooks);
