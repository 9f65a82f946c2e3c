//! Types that are macro calls. Such a macro may answer another type at each place where the type is used.

macro_rules! number {
    () => { u64 };
}

replug::shared! {
    /// A field by a macro's call.
    struct World {
        frames: number!(),
        positions: [u8; { const { assert!(true) }; 4 }],
    }
}

replug::interface! {
    /// An argument and an answer by a macro's call.
    interface Counter, plugin trait Count, version 1 {
        /// The next number.
        fn next(number: number!()) -> number!();
    }
}

type Number = number!();

replug::interface! {
    /// A type with a name is one type.
    interface Other, plugin trait CountOther, version 1 {
        /// The next number.
        fn next(number: Number) -> Number;
    }
}

fn main() {}
