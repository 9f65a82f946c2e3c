//! A function that nobody could call: `host.poll()` is a method of the host.

replug::interface! {
    /// Asks people.
    pub interface Survey, plugin trait Ask, version 1 {
        /// How many say yes.
        fn poll(people: u32) -> u32;
    }
}

fn main() {}
