//! Declarations by which a plugin could keep what it is lent, each with `'static` behind an alias.

use replug::Sink;

type Name = &'static str;
type Numbers = &'static mut [u64];
type Number = &'static u64;
type Place = Sink<'static>;

replug::interface! {
    /// Remembers things.
    pub interface Memory, plugin trait Remember, version 1 {
        /// Text, for good.
        fn keep(name: Name);
        /// Numbers, for good.
        fn keep_all(numbers: Numbers);
        /// A number, for good.
        fn keep_one(number: Number);
        /// A place to write to, for good.
        fn keep_place(place: Place);
    }
}

fn main() {}
