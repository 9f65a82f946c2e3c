//! A look at a file: the single system call of the limits that poll.

use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, StatxFlags};

/// The one system call that it takes to see a change.
pub fn look(path: &Path) {
    look_from(CWD, path);
}

/// A look at a name in a directory that is open.
// Part of the loop of its caller: a call for each file would be counted.
#[inline]
pub fn look_from(directory: impl AsFd, path: &Path) {
    let flags = AtFlags::STATX_FORCE_SYNC;
    let wanted = StatxFlags::BASIC_STATS | StatxFlags::BTIME;
    let seen = rustix::fs::statx(directory, path, flags, wanted).expect("it is there");
    std::hint::black_box(seen);
}
