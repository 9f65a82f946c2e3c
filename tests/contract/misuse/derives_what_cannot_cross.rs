//! Types of one's own with something in them that is only good on one side.

use replug_derive::Shared;

#[derive(Shared)]
pub struct Handler {
    pub name: String,
    pub call: fn(u64) -> u64,
}

#[derive(Shared)]
pub enum Reply {
    Text(&'static str),
    Error(Box<dyn std::error::Error>),
}

#[derive(Shared)]
pub struct Borrowed<'a> {
    pub name: &'a str,
}

#[derive(Shared)]
pub union Either {
    pub one: u32,
    pub other: f32,
}

macro_rules! number {
    () => { u32 };
}

#[derive(Shared)]
pub struct Written {
    pub by_a_macro: number!(),
}

macro_rules! one {
    () => { 1 };
}

#[derive(Shared)]
#[repr(u8)]
pub enum Valued {
    Plain = 1,
    ByAMacro = 1 + one!(),
}

fn main() {}
