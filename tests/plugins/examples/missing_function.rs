//! A plugin that lacks the function `greet`.

fixtures::stranger! {
    interface Fixture, version 1 {
        fn add(one: u64, other: u64) -> u64 {
            one + other
        }
        fn step(_world: &mut fixtures::World, _seconds: f64) {}
        fn act(number: u64) -> u64 {
            number
        }
    }
}
