//! Builds that come in the ways of Windows, and what they leave behind.

use std::fs;

use crate::program::{Program, Scratch, build, link_into, rename_into};

const OFTEN: [&str; 4] = ["--interval-ms", "5", "--every-ms", "20"];

#[test]
fn a_build_is_live_however_it_comes_into_place() {
    let scratch = Scratch::new();
    let library = scratch.join("plugin01.dll");
    fs::write(&library, build(1)).unwrap();
    let mut program = Program::run(&scratch, &OFTEN, &library);
    let started = program.wait_for_event("started");
    assert_eq!(started["locality"], "local", "{started}");
    program.wait_for_build(1);
    rename_into(&library, &build(2));
    program.wait_for_build(2);
    fs::write(&library, build(3)).unwrap();
    program.wait_for_build(3);
    link_into(&library, &build(4)).unwrap();
    program.wait_for_build(4);
    let aside = scratch.join("copied from");
    fs::write(&aside, build(5)).unwrap();
    // CopyFile, which sets the time of the last write to that of the original.
    fs::copy(&aside, &library).unwrap();
    program.wait_for_build(5);
    fs::rename(&library, scratch.join("away")).unwrap();
    program.wait_for_event("missing");
    fs::rename(&aside, &library).unwrap();
    program.wait_for_event("returned");
    rename_into(&library, &build(6));
    program.wait_for_build(6);
    assert!(!program.has_said("degraded"), "{:#?}", program.said);
}

#[test]
fn a_library_whose_extension_is_in_capitals_is_one() {
    let scratch = Scratch::new();
    let plugins = scratch.join("plugins");
    fs::create_dir(&plugins).unwrap();
    fs::write(plugins.join("B.DLL"), build(1)).unwrap();
    let mut program = Program::run(&scratch, &OFTEN, &plugins);
    let loaded = program.wait_for_event("loaded");
    assert_eq!(loaded["plugin"], "B");
}

#[test]
fn a_path_can_be_spelled_as_the_system_itself_spells_it() {
    let scratch = Scratch::new();
    let library = scratch.join("plugin01.dll");
    fs::write(&library, build(1)).unwrap();
    let spelled = fs::canonicalize(&library).unwrap();
    assert!(spelled.to_str().unwrap().starts_with(r"\\?\"));
    let mut program = Program::run(&scratch, &OFTEN, &spelled);
    program.wait_for_build(1);
    rename_into(&library, &build(2));
    program.wait_for_build(2);
}

/// Windows keeps the files of loaded libraries.
#[test]
fn a_thousand_reloads_leave_nothing_after_the_next_start() {
    const RELOADS: u32 = 1_000;
    let scratch = Scratch::new();
    let library = scratch.join("plugin01.dll");
    fs::write(&library, build(0)).unwrap();
    let count = (RELOADS + 1).to_string();
    // Each load is called once, and nothing else is.
    let options = [
        "--interval-ms",
        "5",
        "--every-ms",
        "3600000",
        "--count",
        &count,
    ];
    let mut program = Program::run(&scratch, &options, &library);
    program.wait_for_build(0);
    for number in 1..=RELOADS {
        rename_into(&library, &build(number));
        program.wait_for_build(number);
    }
    let stopped = program.wait_for_event("stopped");
    assert_eq!(stopped["reloads"], RELOADS);
    assert_eq!(
        program.end(),
        "",
        "what waits for the next start is no warning"
    );

    let options = ["--every-ms", "3600000", "--count", "1"];
    let mut next = Program::run(&scratch, &options, &library);
    next.wait_for_event("loaded");
    next.wait_for_event("stopped");
    assert_eq!(next.end(), "");
    let left = scratch.staged();
    // Its own directory, its owner's file, and the one copy that is loaded.
    assert!(left.len() <= 3, "{left:#?}");

    // A start that loads nothing takes even that away.
    let nothing = scratch.join("nothing.dll");
    let options = ["--timeout-s", "1"];
    let mut last = Program::run(&scratch, &options, &nothing);
    last.wait_for_event("stopped");
    let status = last.child.wait().unwrap();
    assert_eq!(status.code(), Some(1), "nothing is live in time");
    assert_eq!(scratch.staged(), Vec::<std::path::PathBuf>::new());
}
