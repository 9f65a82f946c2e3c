//! A plugin with another layout of the state that the host owns.

replug_plugin::shared! {
    /// State that the host owns.
    struct World {
        seconds: f64,
        frames: u64,
        paused: bool,
    }
}

fixtures::stranger! {
    interface Fixture, version 1 {
        fn add(one: u64, other: u64) -> u64 {
            one + other
        }
        fn greet(_name: &str, _greeting: replug_plugin::Sink<'_>) {}
        fn step(_world: &mut World, _seconds: f64) {}
        fn act(number: u64) -> u64 {
            number
        }
    }
}
