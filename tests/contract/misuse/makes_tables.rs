//! Tables of functions, and an entry of a plugin, made by hand out of functions that nobody vouches for.

use replug_plugin::__private::{Answered, Entry, Slot};

replug::interface! {
    /// Counts.
    interface Counter, plugin trait Count, version 1 {
        /// The next number.
        fn count() -> u64;
    }
}

extern "C" fn count() -> Answered<u64> {
    Answered::absent()
}

fn table() -> Counter {
    let function: unsafe extern "C" fn() -> Answered<u64> = count;
    Counter {
        count: Slot::new(function),
    }
}

static NUMBER: u64 = 1;

fn entry() -> Entry {
    Entry::new(&NUMBER)
}

fn parts(entry: &Entry) {
    let _ = (entry.table(), entry.hooks(), entry.attach());
}

fn main() {}
