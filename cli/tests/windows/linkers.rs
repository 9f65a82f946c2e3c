//! Linkers, which want a file for themselves.

use std::fs;
use std::io::Write;
use std::thread;
use std::time::Duration;

use crate::program::{Program, Scratch, build, link_into, open_for_oneself, until};

const OFTEN: [&str; 4] = ["--interval-ms", "5", "--every-ms", "20"];

#[test]
fn who_wants_an_idle_library_for_himself_is_never_refused() {
    const TRIES: usize = 1_000;
    let scratch = Scratch::new();
    let library = scratch.join("plugin01.dll");
    fs::write(&library, build(1)).unwrap();
    let options = [&OFTEN[..], &["--audit", "off"]].concat();
    let mut program = Program::run(&scratch, &options, &library);
    program.wait_for_build(1);
    let tries = (0..TRIES).map(|_| {
        thread::sleep(Duration::from_millis(1));
        open_for_oneself(&library)
    });
    let refused: Vec<_> = tries.filter_map(Result::err).collect();
    assert!(
        refused.is_empty(),
        "{} of {TRIES}: {refused:?}",
        refused.len()
    );
}

#[test]
fn a_linker_that_comes_after_a_reload_is_never_refused() {
    const LINKERS: u32 = 200;
    let scratch = Scratch::new();
    let library = scratch.join("plugin01.dll");
    fs::write(&library, build(0)).unwrap();
    let options = [&OFTEN[..], &["--settle-ms", "50"]].concat();
    let mut program = Program::run(&scratch, &options, &library);
    program.wait_for_build(0);
    for number in 1..=LINKERS {
        // At another moment after the reload each time.
        thread::sleep(Duration::from_millis(u64::from(number * 7 % 53)));
        if let Err(error) = link_into(&library, &build(number)) {
            panic!("linker {number} was refused: {error}");
        }
        program.wait_for_build(number);
    }
    assert!(!program.has_said("degraded"), "{:#?}", program.said);
}

/// A reading lasts as long as it takes to open, read and close a file, and whoever comes just then is refused: without an
/// oplock nobody can be asked to wait instead. So who tries all the time, while a build is read, is refused now and then,
/// and let in the next time.
#[test]
fn who_tries_all_the_time_while_builds_are_read_is_let_in_again() {
    const RELOADS: u32 = 20;
    let scratch = Scratch::new();
    let library = scratch.join("plugin01.dll");
    fs::write(&library, build(0)).unwrap();
    let options = [&OFTEN[..], &["--settle-ms", "50"]].concat();
    let mut program = Program::run(&scratch, &options, &library);
    program.wait_for_build(0);
    let (mut tries, mut refused) = (0, 0);
    for number in 1..=RELOADS {
        until("the linker is let in", || {
            link_into(&library, &build(number)).ok()
        });
        for _ in 0..100 {
            thread::sleep(Duration::from_millis(2));
            tries += 1;
            if open_for_oneself(&library).is_err() {
                refused += 1;
                until("the next try is let in", || open_for_oneself(&library).ok());
            }
        }
        program.wait_for_build(number);
    }
    println!("{refused} of {tries} around {RELOADS} reloads were refused once");
    assert!(!program.has_said("degraded"), "{:#?}", program.said);
}

#[test]
fn a_linker_that_holds_its_library_is_waited_for() {
    let scratch = Scratch::new();
    let library = scratch.join("plugin01.dll");
    fs::write(&library, build(1)).unwrap();
    let mut program = Program::run(&scratch, &OFTEN, &library);
    program.wait_for_build(1);
    let bytes = build(2);
    let (first, rest) = bytes.split_at(bytes.len() / 2);
    let mut linker = open_for_oneself(&library).unwrap();
    linker.set_len(0).unwrap();
    linker.write_all(first).unwrap();
    let waiting = program.wait_for("waiting: written", |line| {
        line["event"] == "waiting" && line["reason"] == "written"
    });
    assert_eq!(waiting["plugin"], "plugin01");
    // Longer than a failure may last without being said.
    thread::sleep(Duration::from_secs(2));
    linker.write_all(rest).unwrap();
    drop(linker);
    program.wait_for_build(2);
    assert!(!program.has_said("degraded"), "{:#?}", program.said);
    assert!(!program.has_said("kept"), "{:#?}", program.said);
}
