//! An entry of another table than the handshake beside it says.

use replug::__private::{Entry, Implemented};

replug::interface! {
    /// What the handshake says.
    pub interface Said, plugin trait Say, version 1 {
        /// Takes a number.
        fn call(number: u64);
    }
}

replug::interface! {
    /// What is called.
    pub interface Done, plugin trait Do, version 1 {
        /// Takes a place.
        fn call(place: &u64);
    }
}

struct Mine;

impl Say for Mine {
    fn call(_: u64) {}
}

impl Do for Mine {
    fn call(_: &u64) {}
}

static TABLE: Done = <Done as Implemented<Mine>>::TABLE;

replug::export!(@ Mine, Said, Entry::new(&TABLE));

fn main() {}
