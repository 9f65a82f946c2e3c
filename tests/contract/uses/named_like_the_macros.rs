//! A plugin, its state and its interface under names that the macros use, or have used.

#![deny(warnings)]
#![forbid(unsafe_code)]

use replug::{HookError, Hooks};

replug::interface! {
    /// Does something.
    pub interface Keeps, plugin trait Keep, version 1 {
        /// A number.
        fn number() -> u32;
    }
}

struct ReplugKeeper;

#[derive(Default)]
struct Keeper(u32);

impl Keep for ReplugKeeper {
    fn number() -> u32 {
        ReplugKeeper::state().0
    }
}

impl Hooks for ReplugKeeper {
    fn init() -> Result<(), HookError> {
        ReplugKeeper::state().0 = 7;
        Ok(())
    }
}

mod form {
    use super::Keeper;

    pub fn to_vec(state: &Keeper) -> Result<Vec<u8>, String> {
        Ok(vec![state.0 as u8])
    }

    pub fn from_slice(bytes: &[u8]) -> Result<Keeper, String> {
        let number = bytes.first().ok_or("nothing")?;
        Ok(Keeper(u32::from(*number)))
    }
}

replug::export!(ReplugKeeper: Keeps + Hooks, state: Keeper as form);

fn main() {
    <ReplugKeeper as Hooks>::init().unwrap();
    assert_eq!(ReplugKeeper::number(), 7);
}
