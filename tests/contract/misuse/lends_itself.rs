//! What a host offers takes itself.

replug::interface! {
    /// Does something.
    pub interface Something, plugin trait Do, version 1 {
        /// A number.
        fn number(engine: &mut dyn Engine) -> u32;
    }
    /// What the host offers.
    host trait Engine {
        /// Takes another one over.
        fn join(&mut self, other: &mut dyn Engine);
    }
}

fn main() {}
