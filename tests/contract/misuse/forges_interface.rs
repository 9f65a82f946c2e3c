//! An interface whose declaration is made up, and whose functions come from anywhere.

use std::ffi::c_void;

use replug::Interface;

struct Forged;

impl Interface for Forged {
    const DECLARATION: &'static str = "interface Counter version 1\n";

    fn absent() -> Forged {
        Forged
    }

    unsafe fn copy(_: *const c_void) -> Forged {
        Forged
    }
}

fn main() {}
