//! A shared struct with a pointer in it, which may outlive what it points to.

replug::shared! {
    /// What both sides see.
    pub struct State {
        /// A number somewhere.
        pub number: *const u64,
    }
}

fn main() {}
