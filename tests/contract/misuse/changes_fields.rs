//! Structs that cross, each with an attribute that changes a field after it was written down.

replug::shared! {
    /// A number becomes a reference.
    #[changing::referring]
    pub struct Refers { number: u64 }
}

replug::shared! {
    /// A number becomes larger.
    #[changing::widening]
    pub struct Widens { number: u64 }
}

replug::shared! {
    /// A field is added.
    #[changing::lengthening]
    pub struct Lengthens { first: u64, last: u8 }
}

fn main() {}
