//! A crate that depends on `replug`, and not on `replug-plugin`, shares types of its own.

#[derive(Debug, Default, replug_derive::Shared)]
#[shared(crate = replug)]
pub struct World {
    gold: u64,
    heroes: Vec<Hero>,
}

#[derive(Debug, replug_derive::Shared)]
#[shared(crate = replug)]
pub enum Hero {
    Alive {
        name: String,
        #[shared(unsafe foreign)]
        on: std::thread::ThreadId,
    },
    Dead,
}

replug::interface! {
    /// Plays.
    pub interface Rules, plugin trait Play, version 1 {
        /// One step.
        fn update(world: &mut World) -> Result<Hero, String>;
    }
}

fn main() {
    let mut world = World::default();
    assert!(replug::Host::<Rules>::new().update(&mut world).is_err());
}
