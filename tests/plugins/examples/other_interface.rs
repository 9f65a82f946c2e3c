//! A plugin of an interface with another name and the same functions.

fixtures::stranger! {
    interface Greeter, version 1 {
        fn add(one: u64, other: u64) -> u64 {
            one + other
        }
        fn greet(_name: &str, _greeting: replug_plugin::Sink<'_>) {}
        fn step(_world: &mut fixtures::World, _seconds: f64) {}
        fn act(number: u64) -> u64 {
            number
        }
    }
}
