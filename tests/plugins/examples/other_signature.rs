//! A plugin whose `add` takes other numbers.

fixtures::stranger! {
    interface Fixture, version 1 {
        fn add(one: u32, other: u32) -> u32 {
            one + other
        }
        fn greet(_name: &str, _greeting: replug_plugin::Sink<'_>) {}
        fn step(_world: &mut fixtures::World, _seconds: f64) {}
        fn act(number: u64) -> u64 {
            number
        }
    }
}
