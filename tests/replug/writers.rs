//! Every way of writing a library is one reload, and never a half one.

use crate::vocabulary::{Program, Scratch, library, version};

#[test]
fn a_file_renamed_into_place_is_reloaded_once() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.replace_with(&library(1));
    let mut program = Program::watch(&scratch, artifact.path(), &[]);
    program.wait_for_answer(&version(1));
    artifact.replace_with(&library(2));
    program.wait_for_answer(&version(2));
    assert_eq!(program.said("loaded").len(), 2);
    assert!(program.stop().status.success());
    scratch.assert_nothing_staged();
}
