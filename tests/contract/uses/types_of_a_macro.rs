//! Types of one's own that a macro writes out of fragments: each is written down as if it stood there without the macro.

#![forbid(unsafe_code)]
#![deny(warnings)]

use replug_derive::Shared;

macro_rules! types {
    (
        $(#[$meta:meta])* $vis:vis struct $name:ident { $($field_vis:vis $field:ident: $of:ty),* }
        $tuple_vis:vis struct $tuple:ident($first_vis:vis $first:ty, $second:ty);
        $(#[$enum_meta:meta])* enum $enum:ident { $($variant:ident = $value:expr),* }
        union $word:literal
    ) => {
        $(#[$meta])*
        #[derive(Shared)]
        $vis struct $name { $($field_vis $field: $of),* }

        #[derive(Shared)]
        #[doc = $word]
        $tuple_vis struct $tuple($first_vis $first, pub $second);

        #[derive(Shared)]
        $(#[$enum_meta])*
        pub enum $enum { $($variant = $value),* }
    };
}

macro_rules! whole {
    ($item:item) => {
        #[derive(Shared)]
        $item
    };
}

types! {
    /// Fields.
    #[repr(C, align(16))]
    pub struct Named { pub(crate) one: Vec<(u8, String)>, other: u64 }
    pub struct Tuple(pub (u8, u8), (crate::Named, u8));
    #[repr(i8)]
    #[allow(dead_code)]
    enum Valued { One = -1 + 2 * 3, Other = !0 }
    union "docs"
}

whole! {
    #[repr(u16)]
    pub enum Whole { One(u8), Other }
}

#[derive(Shared)]
#[r#repr(r#u8)]
pub enum Raw {
    One(u8),
    Other,
}

#[derive(Shared, Default)]
#[must_use]
#[non_exhaustive]
#[shared(unsafe inert(cfg_of_another))]
pub enum Inert {
    /// Docs.
    #[default]
    One,
}

trait Two<A, B> {
    const C: isize;
}

impl Two<u8, u16> for u8 {
    const C: isize = 4;
}

const fn picked<const A: isize, const B: isize>() -> isize {
    A - B
}

#[derive(Shared)]
pub enum Calculated {
    As = <u8 as Two<u8, u16>>::C,
    Less = (1 < 2) as isize,
    Shifted = 1 << <u8 as Two<u8, u16>>::C,
    Called = picked::<9, { 2 + 1 }>(),
    Sum = 1 + <u8 as Two<u8, u16>>::C * 5,
    Not = !<u8 as Two<u8, u16>>::C,
    Right = 256 >> 2,
}

fn text<T: replug::Shared>() -> String {
    String::from_utf8(T::replug_line().text.to_vec()).unwrap()
}

fn numbers<T: replug::Shared>() -> Vec<i64> {
    let numbers = T::replug_line().numbers.iter();
    numbers.map(|it| it[0].cast_signed()).collect()
}

fn main() {
    assert_eq!(text::<Named>(), "struct Named\nrepr C,align(16)\nfield one\nfield other\n");
    assert_eq!(text::<Tuple>(), "struct Tuple\nfield 0\nfield 1\n");
    assert_eq!(text::<Valued>(), "enum Valued\nrepr i8\nvariant One =\nvariant Other =\n");
    assert_eq!(text::<Whole>(), "enum Whole\nrepr u16\nvariant One\nfield 0\nvariant Other\n");
    assert_eq!(text::<Raw>(), "enum Raw\nrepr u8\nvariant One\nfield 0\nvariant Other\n");
    assert_eq!(text::<Inert>(), "enum Inert\nvariant One\n");
    assert_eq!(numbers::<Valued>(), [5, -1]);
    assert_eq!(numbers::<Calculated>(), [4, 1, 16, 6, 21, -5, 64]);
}
