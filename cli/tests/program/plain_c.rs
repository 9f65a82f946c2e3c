//! A plugin in C, behind the plain surface of `replug run --call`.

use vocabulary::{Program, Scratch, c_example, c_library};

#[test]
fn a_plain_plugin_in_c_is_called_and_reloaded() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    let source = c_example("shout.c");
    artifact.link(&c_library(&source, &scratch));
    let mut program = Program::watch(&scratch, artifact.path(), &["--call", "shout"]);
    program.wait_for("a shout", |line| line.0["value"] == "WORLD!");
    artifact.link(&c_library(&source.replace("\"!\"", "\"?\""), &scratch));
    program.wait_for("another shout", |line| line.0["value"] == "WORLD?");
}
