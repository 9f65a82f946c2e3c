//! Plugins in C: the examples of this repository, and builds of them.

use std::fs;
use std::process::Command;

use crate::{Scratch, workspace};

/// The source of an example in C.
pub fn c_example(name: &str) -> String {
    fs::read_to_string(workspace().join("examples/c_plugin").join(name)).unwrap()
}

/// The library that a C compiler makes of `source` when it is told to find fault with everything.
#[track_caller]
pub fn c_library(source: &str, scratch: &Scratch) -> Vec<u8> {
    let (input, output) = (scratch.join("plugin.c"), scratch.join("plugin.out"));
    fs::write(&input, source).unwrap();
    let compiled = Command::new("cc")
        .args(["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror"])
        .args(["-shared", "-fPIC", "-I", "docs", "-o"])
        .args([&output, &input])
        .current_dir(workspace())
        .status()
        .expect("cc can be started");
    assert!(compiled.success(), "the example does not compile");
    fs::read(output).unwrap()
}
