//! `replug run --trial`: builds that a helper process tries first.

use std::fs;
use std::process::Command;

use replug::Digest;
use vocabulary::{Program, Scratch, c_library, library, program, version};

/// A plugin that dies while it is loaded.
const DIES: &str = r#"
    char *plugin_function(const char *input);
    void plugin_free(char *answer);
    char *plugin_function(const char *input) { (void)input; return 0; }
    void plugin_free(char *answer) { (void)answer; }
    __attribute__((constructor)) static void construct(void) { *(volatile char *)0 = 1; }
"#;

/// A plugin that dies when it is called.
const DIES_IN_A_CALL: &str = r#"
    #include <stdio.h>
    #include <stdlib.h>
    char *plugin_function(const char *input);
    void plugin_free(char *answer);
    char *plugin_function(const char *input) { fprintf(stderr, "%s, \033[2Jfarewell\n", input); abort(); }
    void plugin_free(char *answer) { (void)answer; }
"#;

#[test]
fn a_build_that_crashes_is_kept_out_by_its_trial_and_the_good_one_after_it_is_live() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.replace_with(&library(1));
    let mut program = Program::watch(&scratch, artifact.path(), &["--trial"]);
    program.wait_for_answer(&version(1));
    artifact.replace_with(&c_library(DIES, &scratch));
    let bad = Digest::of(&c_library(DIES, &scratch)).to_string();
    // It is said to be tried, and then what came of that.
    program.wait_for("trial of the bad build", |line| {
        line.event() == "trying" && line.text("sha256") == bad
    });
    let line = program.wait_for_event("kept");
    assert_eq!((line.text("step"), line.number("generation")), ("trial", 1));
    assert_eq!(line.text("sha256"), bad);
    let reason = line.text("reason");
    assert!(
        reason.contains("died of signal 11 (SIGSEGV) while it was loaded"),
        "{reason}"
    );
    artifact.replace_with(&library(2));
    program.wait_for_answer(&version(2));
    let ended = program.stop_cleanly(&scratch);
    assert_eq!(ended.said("loaded").len(), 2);
    assert_eq!(ended.said("trying").len(), 3);
}

#[test]
fn the_function_is_called_in_a_trial_if_that_is_wanted_and_its_last_words_are_shown() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.replace_with(&library(1));
    let options = [
        "--trial",
        "--trial-call",
        "--arg",
        "you",
        "--trial-ms",
        "600000",
    ];
    let mut program = Program::watch(&scratch, artifact.path(), &options);
    program.wait_for_answer(&version(1));
    artifact.replace_with(&c_library(DIES_IN_A_CALL, &scratch));
    let line = program.wait_for_event("kept");
    let reason = line.text("reason");
    assert!(reason.contains("(SIGABRT) in its self-test"), "{reason}");
    assert!(
        reason.contains(r"its last words: `you, \x1b[2Jfarewell`"),
        "{reason}"
    );
    artifact.replace_with(&library(2));
    program.wait_for_answer(&version(2));
    program.stop_cleanly(&scratch);
}

#[test]
fn each_library_of_a_directory_is_tried() {
    let scratch = Scratch::new();
    let (directory, paths) = scratch.directory_of("plugins", 1..=6);
    fs::write(&paths[3], c_library(DIES, &scratch)).unwrap();
    let mut program = Program::watch(&scratch, &directory, &["--trial"]);
    for number in [1, 2, 3, 5, 6] {
        program.wait_for_answer(&version(number));
    }
    if program.said("kept").is_empty() {
        program.wait_for_event("kept");
    }
    let kept = program.said("kept");
    assert_eq!(kept.len(), 1);
    assert_eq!(
        (kept[0].text("plugin"), kept[0].text("step")),
        ("03", "trial")
    );
    program.stop_cleanly(&scratch);
}

#[test]
fn what_a_trial_keeps_out_is_in_the_history_and_is_no_way_back() {
    let scratch = Scratch::new();
    let (artifact, store) = (scratch.artifact(), scratch.join("store"));
    let store = store.to_str().unwrap();
    artifact.replace_with(&library(1));
    let options = ["--trial", "--store", store];
    let mut running = Program::watch(&scratch, artifact.path(), &options);
    running.wait_for_answer(&version(1));
    let bad = c_library(DIES, &scratch);
    artifact.replace_with(&bad);
    running.wait_for_event("kept");
    artifact.replace_with(&library(2));
    running.wait_for_answer(&version(2));
    let ask = |subcommand| {
        let mut command = Command::new(program());
        command.args([subcommand, "--json", "--store", store]);
        let ended = Program::start(command).end();
        ended.assert_quiet_success();
        ended
    };
    let history = ask("history");
    let bad = Digest::of(&bad).to_string();
    let known = history.said("build");
    let of_bad = known.iter().find(|line| line.text("sha256") == bad);
    let of_bad = of_bad.expect("the build that was kept out");
    assert!(of_bad.0.to_string().contains("trial"), "{of_bad:?}");
    // The build before the live one, and not what came in between.
    ask("back");
    running.wait_for_answer(&version(1));
    let ended = running.stop_cleanly(&scratch);
    let loaded: Vec<_> = ended.said("loaded");
    let loaded: Vec<_> = loaded.iter().map(|line| line.text("sha256")).collect();
    assert_eq!(loaded.len(), 3);
    assert_eq!(loaded[0], loaded[2]);
    assert!(!loaded.contains(&&*bad));
}
