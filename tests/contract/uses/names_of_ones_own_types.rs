//! Types of one's own between names as the macros and the derive have them: what is written down is what the user means.

#![forbid(unsafe_code)]
#![deny(warnings)]

use replug_derive::Shared;

const REPLUG_LEN: usize = 1;
const REPLUG_TEXT: usize = 2;

#[allow(non_camel_case_types)]
mod replug_crate {
    pub const FORMAT: isize = 9;

    #[derive(replug_derive::Shared)]
    pub struct u8(pub std::primitive::u8);
}

#[derive(Shared)]
pub enum Valued {
    Len = REPLUG_LEN as isize,
    Text = REPLUG_TEXT as isize,
    Format = replug_crate::FORMAT,
}

#[derive(Shared)]
pub struct Long<const REPLUG_LEN: usize> {
    pub cells: [u8; REPLUG_LEN],
}

#[derive(Shared)]
pub struct Held {
    pub small: replug_crate::u8,
    pub long: Long<REPLUG_LEN>,
    pub longer: Long<REPLUG_TEXT>,
    pub cells: [u8; REPLUG_TEXT],
}

replug::shared! {
    /// Plain data, by the same names.
    pub struct Flat {
        pub cells: [std::primitive::u8; REPLUG_LEN],
        pub more: [std::primitive::u8; REPLUG_TEXT],
    }
}

replug::interface! {
    /// All of them.
    pub interface All, plugin trait Do, version 1 {
        /// Taken.
        fn take(held: &Held, flat: &Flat, valued: Valued, engine: &mut dyn Engine);
    }
    /// The host's.
    host trait Engine {
        /// Taken.
        fn give(&mut self, long: &Long<REPLUG_LEN>, longer: &[Long<REPLUG_TEXT>]);
    }
}

/// The numbers of a type's line.
fn numbers<T: replug::Shared>() -> Vec<u64> {
    <T as replug::Shared>::replug_line().numbers.iter().map(|it| it[0]).collect()
}

fn main() {
    assert_eq!(numbers::<Valued>(), [1, 2, 9]);
    assert_eq!(numbers::<Long<7>>(), [7]);
    assert_eq!(size_of::<Flat>(), 3);
    let held = <Held as replug::Shared>::replug_line();
    let id = |it: usize| held.fields[it].id;
    assert_eq!(id(1), std::any::TypeId::of::<Long<1>>());
    assert_eq!(id(2), std::any::TypeId::of::<Long<2>>());
    assert_eq!(id(3), std::any::TypeId::of::<[u8; 2]>());
}
