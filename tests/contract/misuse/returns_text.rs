//! A function that returns text which points into the plugin.

replug::interface! {
    /// Does something.
    interface Something, plugin trait Do, version 1 {
        /// Something.
        fn it() -> &'static str;
    }
}

fn main() {}
