//! Crates of one's own in the place of `replug-plugin`, for a derive that says what a type consists of.

mod my {
    pub use replug::wire;
}

#[derive(replug_derive::Shared)]
#[shared(crate = crate::my)]
pub struct Path {
    pub call: fn(),
}

#[derive(replug_derive::Shared)]
#[shared(crate = changing)]
pub struct Other {
    pub call: fn(),
}

#[derive(replug_derive::Shared)]
#[shared(crate = self)]
pub struct Itself {
    pub call: fn(),
}

fn main() {}
