//! Several programs that share an artifact and the place for staged copies, and one of them that dies.

use std::path::PathBuf;

use rustix::process::Signal;
use vocabulary::{Program, Scratch, library, version};

/// The stage directory of a program, which has the program's number in its name.
#[track_caller]
fn stage_of(scratch: &Scratch, program: &Program) -> PathBuf {
    let mine = format!("replug-{}-", program.id());
    let is_mine = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with(&mine)
    };
    let mut found = scratch.staged().into_iter().filter(is_mine);
    let stage = found
        .next()
        .expect("a running program has a stage directory");
    assert_eq!(found.next(), None);
    stage
}

#[track_caller]
fn assert_staged(scratch: &Scratch, wanted: &[&PathBuf]) {
    let mut staged = scratch.staged();
    let mut wanted: Vec<PathBuf> = wanted.iter().map(|&path| path.clone()).collect();
    staged.sort();
    wanted.sort();
    assert_eq!(staged, wanted);
}

#[test]
fn two_programs_on_one_artifact_and_one_stage_parent_both_reload() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.replace_with(&library(1));
    let start = || Program::watch(&scratch, artifact.path(), &[]);
    let mut programs = [start(), start()];
    for number in 2..=5 {
        artifact.replace_with(&library(number));
        for program in &mut programs {
            program.wait_for_answer(&version(number));
        }
    }
    for program in programs {
        program.stop().assert_quiet_success();
    }
    scratch.assert_nothing_staged();
}

#[test]
fn what_a_killed_program_left_goes_at_the_next_start_and_the_living_go_on() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.replace_with(&library(1));
    let start = || Program::watch(&scratch, artifact.path(), &[]);
    let (mut living, mut killed) = (start(), start());
    living.wait_for_answer(&version(1));
    killed.wait_for_answer(&version(1));
    let (stage_of_living, left) = (stage_of(&scratch, &living), stage_of(&scratch, &killed));
    killed.signal(Signal::KILL);
    let ended = killed.end();
    assert_eq!(ended.status.code(), None, "it was killed");
    assert_eq!(ended.said("stopped").len(), 0);
    assert_staged(&scratch, &[&stage_of_living, &left]);

    let mut next = start();
    next.wait_for_answer(&version(1));
    let stage_of_next = stage_of(&scratch, &next);
    assert_staged(&scratch, &[&stage_of_living, &stage_of_next]);
    artifact.replace_with(&library(2));
    for program in [&mut living, &mut next] {
        program.wait_for_answer(&version(2));
    }
    for program in [living, next] {
        program.stop().assert_quiet_success();
    }
    scratch.assert_nothing_staged();
}

#[test]
fn a_killed_program_whose_parent_never_asks_is_dead_all_the_same() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.replace_with(&library(1));
    let start = || Program::watch(&scratch, artifact.path(), &[]);
    let mut killed = start();
    killed.wait_for_answer(&version(1));
    let left = stage_of(&scratch, &killed);
    killed.signal(Signal::KILL);
    // Its entry in the process table stays until we ask how it ended.
    killed.wait_for_death();
    let mut next = start();
    next.wait_for_answer(&version(1));
    assert!(!left.exists(), "{} is still there", left.display());
    next.stop().assert_quiet_success();
}
