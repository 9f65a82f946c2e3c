//! A declaration by which a plugin may keep text that it is lent.

replug::interface! {
    /// Remembers things.
    pub interface Memory, plugin trait Remember, version 1 {
        /// For good.
        fn keep(text: &'static str);
    }
}

fn main() {}
