//! The interface between the game and its rules. Both are built from this file, and replug compares them.

use replug_plugin::Sink;

replug_plugin::shared! {
    /// The state of the game. The host owns it and lends it to the rules, so it survives every reload by itself.
    #[derive(Debug, Default)]
    pub struct World {
        /// Frames so far.
        pub frames: u64,
        /// Where the ball is, in metres from the lower left corner of the room.
        pub ball: [f32; 2],
        /// How fast the ball is, in metres per second.
        pub speed: [f32; 2],
    }
}

replug_plugin::interface! {
    /// The rules of the game.
    pub interface Rules, plugin trait Play, version 1 {
        /// Moves everything that moves by one frame.
        fn step(world: &mut World, seconds: f32);
        /// Writes the picture that a player sees.
        fn draw(world: &World, picture: Sink<'_>);
    }
}
