//! A struct that crosses, with an attribute that makes a union of it after it was written down.

#[derive(Clone, Copy, replug_derive::Shared)]
#[changing::uniting]
pub struct United {
    number: u64,
}

#[derive(Clone, Copy, replug_derive::Shared)]
#[changing::uniting]
#[repr(packed)]
pub struct Packed {
    number: u64,
}

fn main() {}
