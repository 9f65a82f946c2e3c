//! The declaration that the fixtures are built from, and the functions that all of them share.

pub mod diary;
pub mod market;

use replug_plugin::{Pending, Sink};

replug_plugin::shared! {
    /// State that the host owns.
    #[derive(Debug, Default, PartialEq)]
    pub struct World {
        /// How often the world was stepped.
        pub frames: u64,
        /// The sum of all steps.
        pub seconds: f64,
    }
}

replug_plugin::interface! {
    /// The functions that each fixture offers.
    pub interface Fixture, plugin trait Behave, version 1 {
        /// The sum, and nothing else: the shortest way there and back.
        fn add(one: u64, other: u64) -> u64;
        /// Writes a greeting for `name`.
        fn greet(name: &str, greeting: Sink<'_>);
        /// Steps the world once.
        fn step(world: &mut World, seconds: f64);
        /// The function that a fixture is about.
        fn act(number: u64) -> u64;
    }
}

replug_plugin::interface! {
    /// A plugin that calls its host in the middle of a call.
    pub interface Visitor, plugin trait Visit, version 1 {
        /// Rings the bell while a thread-local is borrowed, and says how many thread-locals were dropped meanwhile.
        fn visit(bell: &mut dyn Bell) -> u64;
        /// Hands something to the host that panics when it is touched.
        fn hand(bell: &mut dyn Bell);
    }
    /// What the host offers.
    host trait Bell {
        /// Does what a test is about.
        fn ring(&mut self);
        /// Touches what the plugin hands over.
        fn touch(&mut self, thing: &dyn Thing);
    }
    /// What the plugin hands over.
    host trait Thing {
        /// Is touched.
        fn touched(&self);
    }
}

replug_plugin::interface! {
    /// A plugin that waits, without holding up its host.
    pub interface Sleeper, plugin trait Sleep, version 1 {
        /// Waits by the host's timer.
        async fn by_the_host(pause: Pending<u32>) -> u32;
        /// Waits by a timer of whatever executor the plugin is polled by.
        async fn by_who_polls() -> u32;
        /// Waits by a runtime that the plugin keeps.
        async fn by_itself() -> u32;
    }
}

replug_plugin::interface! {
    /// What crosses at the rust level, to be counted.
    pub interface Costs, plugin trait Cost, version 1 {
        /// Steps the world once.
        fn plain(world: &mut World);
        /// Counts in a pair.
        fn ordinary(pair: &mut (u64, String));
        /// A number.
        fn number() -> u64;
        /// Text of one letter.
        fn text() -> String;
        /// Asks the host so often.
        fn ask(oracle: &mut dyn Oracle, times: u64) -> u64;
        /// Allocates a block, and releases it, so often.
        fn allocate(times: u64);
    }
    /// What is asked.
    host trait Oracle {
        /// A number that depends on the one before.
        fn say(&mut self, before: u64) -> u64;
    }
}

/// Makes a fixture: a plugin with the functions that all fixtures share, and an `act` of its own.
#[macro_export]
macro_rules! fixture {
    ($act:expr) => {
        $crate::fixture!(@ $act);
        replug_plugin::export!(This: Fixture);
    };
    ($act:expr, Hooks) => {
        $crate::fixture!(@ $act);
        replug_plugin::export!(This: Fixture + Hooks);
    };
    ($act:expr, own_allocator) => {
        $crate::fixture!(@ $act);
        replug_plugin::export!(This: Fixture, own_allocator);
    };
    ($act:expr, Hooks, $($state:tt)+) => {
        $crate::fixture!(@ $act);
        replug_plugin::export!(This: Fixture + Hooks, $($state)+);
    };
    ($act:expr, $($state:tt)+) => {
        $crate::fixture!(@ $act);
        replug_plugin::export!(This: Fixture, $($state)+);
    };
    (@ $act:expr) => {
        /// This fixture.
        struct This;

        impl $crate::Behave for This {
            fn add(one: u64, other: u64) -> u64 {
                one.wrapping_add(other)
            }

            fn greet(name: &str, mut greeting: replug_plugin::Sink<'_>) {
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
    };
}

/// Makes a plugin of another declaration. The plugin notes that code of it ran.
#[macro_export]
macro_rules! stranger {
    (
        interface $Table:ident, version $version:literal {
            $( fn $name:ident($($arg:ident: $takes:ty),*) $(-> $returns:ty)? $does:block )+
        }
    ) => {
        replug_plugin::interface! {
            /// A declaration that hosts do not call by.
            interface $Table, plugin trait Behave, version $version {
                $(
                    /// A function of a stranger, as it is called.
                    fn $name($($arg: $takes),*) $(-> $returns)?;
                )+
            }
        }

        /// This fixture.
        struct This;

        impl Behave for This {
            $( fn $name($($arg: $takes),*) $(-> $returns)? $does )+
        }

        replug_plugin::export!(This: $Table);
        $crate::constructor!();
    };
}

/// Notes that code of the library ran, at the first moment: while the loader is still loading the library.
#[macro_export]
macro_rules! constructor {
    () => {
        #[used]
        // SAFETY: this section holds functions that the loader calls.
        #[allow(unsafe_code)]
        #[cfg_attr(unix, unsafe(link_section = ".init_array"))]
        #[cfg_attr(windows, unsafe(link_section = ".CRT$XCU"))]
        static CONSTRUCTOR: extern "C" fn() = {
            extern "C" fn construct() {
                $crate::diary::note("code of it ran");
            }
            construct
        };
    };
}

/// State that no other takes over. A [`diarist`] that is given this number saves it.
pub const INDIGESTIBLE: u64 = u64::MAX;

/// Makes a diarist: a plugin that notes its hooks and knows its number. The diarist rings the bell that it was given:
/// the address of a function of the host's, which is carried over to the next generation.
#[macro_export]
macro_rules! diarist {
    ($number:literal) => {
        use std::sync::atomic::{AtomicU64, Ordering};

        use $crate::{Fixture, INDIGESTIBLE, World, diary::note};

        static BELL: AtomicU64 = AtomicU64::new(0);

        /// This fixture.
        struct This;

        impl $crate::Behave for This {
            fn add(one: u64, other: u64) -> u64 {
                one + other
            }

            fn greet(_: &str, mut greeting: replug_plugin::Sink<'_>) {
                greeting.write(stringify!($number).as_bytes());
            }

            fn step(_: &mut World, _: f64) {}

            fn act(bell: u64) -> u64 {
                if bell != 0 {
                    BELL.store(bell, Ordering::Relaxed);
                }
                $number
            }
        }

        impl replug_plugin::Hooks for This {
            const STATE: Option<u32> = Some(1);

            fn init() -> Result<(), replug_plugin::HookError> {
                note(concat!($number, ": init"));
                Ok(())
            }

            fn stop() -> Result<(), replug_plugin::HookError> {
                note(concat!($number, ": stop"));
                ring();
                Ok(())
            }

            fn save(state: &mut Vec<u8>) -> Result<(), replug_plugin::HookError> {
                note(concat!($number, ": save"));
                ring();
                state.extend(BELL.load(Ordering::Relaxed).to_le_bytes());
                Ok(())
            }

            fn restore(_: u32, state: &[u8]) -> Result<(), replug_plugin::HookError> {
                note(concat!($number, ": restore"));
                let bell = u64::from_le_bytes(state.try_into()?);
                if bell == INDIGESTIBLE {
                    return Err("nobody could take that over".into());
                }
                BELL.store(bell, Ordering::Relaxed);
                ring();
                Ok(())
            }
        }

        fn ring() {
            let bell = BELL.load(Ordering::Relaxed);
            if bell != 0 && bell != INDIGESTIBLE {
                let bell = bell as usize as *const ();
                // SAFETY: the test that gave the address made it of such a function, in this process.
                #[allow(unsafe_code)]
                let bell = unsafe { std::mem::transmute::<*const (), extern "C" fn()>(bell) };
                bell();
            }
        }

        replug_plugin::export!(This: Fixture + Hooks);
    };
}
