//! A plugin with the same functions in another order.

fixtures::stranger! {
    interface Fixture, version 1 {
        fn greet(_name: &str, _greeting: replug_plugin::Sink<'_>) {}
        fn add(one: u64, other: u64) -> u64 {
            one + other
        }
        fn step(_world: &mut fixtures::World, _seconds: f64) {}
        fn act(number: u64) -> u64 {
            number
        }
    }
}
