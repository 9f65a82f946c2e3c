//! Logs that are kept in a file.

use std::fs;

use crate::program::{Program, Scratch, build};

#[test]
fn a_log_that_is_redirected_has_no_escape_codes() {
    let scratch = Scratch::new();
    let library = scratch.join("plugin01.dll");
    fs::write(&library, build(1)).unwrap();
    let mut command = Program::command(&scratch);
    command.env("RUST_LOG", "debug").env_remove("NO_COLOR");
    command.args(["--count", "1"]).arg(&library);
    let mut program = Program::start(command);
    program.wait_for_event("stopped");
    let log = program.end();
    assert!(log.contains("DEBUG"), "{log}");
    assert!(!log.contains('\u{1b}'), "{log}");
}
