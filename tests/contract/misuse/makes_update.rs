//! An update made by hand: any copy as one that passed vet.

use std::time::Instant;

use replug::Digest;
use replug::watch::{Ready, Staged};

fn ready(staged: Staged) -> Ready {
    Ready {
        digest: Digest::of(b"whole"),
        staged,
        first_seen: Instant::now(),
    }
}

fn main() {}
