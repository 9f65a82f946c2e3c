//! A type that is said to cross by hand, without `unsafe`.

pub struct Person;

impl replug::Shared for Person {}

fn main() {}
