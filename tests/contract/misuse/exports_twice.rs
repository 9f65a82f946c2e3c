//! A library of two plugins.

replug::interface! {
    /// Does something.
    pub interface Something, plugin trait Do, version 1 {
        /// A number.
        fn number() -> u32;
    }
}

struct One;

impl Do for One {
    fn number() -> u32 {
        1
    }
}

struct Other;

impl Do for Other {
    fn number() -> u32 {
        2
    }
}

replug::export!(One: Something);
replug::export!(Other: Something);

fn main() {}
