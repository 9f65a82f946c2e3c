//! A plugin that exchanges ordinary Rust, and has an allocator of its own.

replug::interface! {
    /// Does something.
    pub interface Something, plugin trait Do, version 1 {
        /// Owned text.
        fn text() -> String;
    }
}

struct Mine;

impl Do for Mine {
    fn text() -> String {
        String::new()
    }
}

replug::export!(Mine: Something, own_allocator);

fn main() {}
