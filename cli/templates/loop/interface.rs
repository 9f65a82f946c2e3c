//! What the host and its rules share. Both are built from this file, and replug compares them.

use replug_derive::Shared;

/// The state of the program. The host owns it, so it outlives every reload as it is.
#[derive(Debug, Default, Shared)]
pub struct World {
    /// Steps so far.
    pub steps: u64,
    /// The way so far, in metres.
    pub way: u64,
}

replug_plugin::interface! {
    /// The rules of the world.
    pub interface Rules, plugin trait Play, version 1 {
        /// Goes on by one step, and tells what is to be shown.
        fn step(world: &mut World) -> String;
    }
}
