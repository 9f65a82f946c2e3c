//! A plugin in C, behind the plain surface of `replug run --call`.

use std::process::Command;

use vocabulary::{Program, Scratch, c_example, c_library, program};

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

#[test]
fn a_plugin_that_changes_the_working_directory_leads_nothing_elsewhere() {
    let source = |version: &str| {
        format!(
            "#include <stdlib.h>\n#include <string.h>\nint chdir(const char *);\n\
             char *plugin_function(const char *input);\nvoid plugin_free(char *answer);\n\
             char *plugin_function(const char *input) {{\n    (void)input;\n    if (chdir(\"/\") != 0) return 0;\n    \
             char *answer = malloc(8);\n    return answer ? strcpy(answer, \"{version}\") : 0;\n}}\n\
             void plugin_free(char *answer) {{ free(answer); }}\n"
        )
    };
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.link(&c_library(&source("one"), &scratch));
    let mut command = Command::new(program());
    command.args(["run", "--json", "--interval-ms", "20", "--every-ms", "20"]);
    command.args(["--stage-dir", "stage", "libplugin01.so"]);
    command.current_dir(scratch.path());
    let mut program = Program::start(command);
    let started = program.wait_for_event("started");
    assert_eq!(started.text("path"), artifact.path().to_str().unwrap());
    program.wait_for_answer("one");
    artifact.link(&c_library(&source("two"), &scratch));
    program.wait_for_answer("two");
    let ended = program.stop_cleanly(&scratch);
    assert_eq!(ended.said("missing").len(), 0);
}
