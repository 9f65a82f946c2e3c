//! A private copy that somebody else than a poller writes to.

use std::io::Write;

use replug::watch::{Pen, PrivateCopy, Staged};

fn write(staged: &mut Staged) {
    staged.write_all(b"half").unwrap();
    staged.append(b"half", &Pen(())).unwrap();
}

fn main() {}
