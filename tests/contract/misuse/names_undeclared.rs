//! An interface with types that nobody declared, in several functions.

pub struct Person {
    pub name: String,
}

replug::interface! {
    /// Does something.
    pub interface Something, plugin trait Do, version 1 {
        /// Lends one.
        fn lend(person: &mut Person, others: &[Person]) -> u64;
        /// Takes some.
        fn take(all: Vec<Person>);
        /// Returns some.
        fn all() -> Vec<Person>;
    }
}

fn main() {}
