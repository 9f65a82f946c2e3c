//! The declaration that the fixtures are built from, and what all of them do alike.

use replug::Sink;

replug::shared! {
    /// State that the host owns.
    #[derive(Debug, Default, PartialEq)]
    pub struct World {
        /// How often it was stepped.
        pub frames: u64,
        /// The sum of all steps.
        pub seconds: f64,
    }
}

replug::interface! {
    /// What each fixture offers.
    pub interface Fixture, plugin trait Behave, version 1 {
        /// The sum, and nothing else: the shortest way there and back.
        fn add(one: u64, other: u64) -> u64;
        /// Writes a greeting for `name`.
        fn greet(name: &str, greeting: Sink<'_>);
        /// One step.
        fn step(world: &mut World, seconds: f64);
        /// What the fixture is about.
        fn act(number: u64) -> u64;
    }
}

/// Makes a plugin that does what all do alike, and `act`.
#[macro_export]
macro_rules! fixture {
    ($act:expr $(, $hooks:ident)?) => {
        /// This fixture.
        struct This;

        impl $crate::Behave for This {
            fn add(one: u64, other: u64) -> u64 {
                one.wrapping_add(other)
            }

            fn greet(name: &str, mut greeting: replug::Sink<'_>) {
                greeting.write(format!("hello, {name}").as_bytes());
            }

            fn step(world: &mut $crate::World, seconds: f64) {
                world.frames += 1;
                world.seconds += seconds;
            }

            fn act(number: u64) -> u64 {
                let act: fn(u64) -> u64 = $act;
                act(number)
            }
        }

        use $crate::Fixture;
        replug::export!(This: Fixture $(+ $hooks)?);
    };
}
