//! What the game and its rules share. Both are built from this file, and replug compares them.

use std::collections::BTreeMap;

use replug_derive::Shared;

/// The state of the game. The host owns it, so it outlives every reload as it is.
#[derive(Debug, Default, Shared)]
pub struct World {
    /// Frames so far.
    pub frames: u64,
    /// All that moves.
    pub balls: Vec<Ball>,
    /// How often each wall was hit.
    pub bounces: BTreeMap<String, u64>,
}

/// Something that moves.
#[derive(Debug, Clone, Shared)]
pub struct Ball {
    /// What it is called.
    pub name: String,
    /// Where it is, in metres from the lower left corner of the room.
    pub at: [f32; 2],
    /// How fast it is, in metres per second.
    pub speed: [f32; 2],
}

/// Something that happened in a frame.
#[derive(Debug, Clone, PartialEq, Shared)]
pub enum Event {
    /// A ball of this name was thrown.
    Thrown(String),
    /// A ball of this name came to this wall.
    Bounced(String, String),
}

replug_plugin::interface! {
    /// The rules of the game.
    pub interface Rules, plugin trait Play, version 1 {
        /// Moves everything by one frame, and tells what happened.
        fn update(world: &mut World, engine: &mut dyn Engine, seconds: f32) -> Result<Vec<Event>, String>;
    }
    /// What the game offers to its rules.
    host trait Engine {
        /// Shows a line.
        fn log(&mut self, line: &str);
        /// The content of an asset, if there is one.
        fn load(&self, name: &str) -> Option<String>;
    }
}
