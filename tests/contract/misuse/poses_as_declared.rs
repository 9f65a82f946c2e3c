//! A type that claims to be a number, so that an attribute could put it in the number's place.

pub struct Hidden(pub Option<Box<String>>);

impl replug_plugin::__private::SameAs<u64> for Hidden {}

fn main() {}
