//! A damaged library is never handed to the dynamic loader, for which it is death and no error.
//!
//! Each damaged file is followed by a good one, which is loaded: so the program was alive, and has come back
//! from waiting for the rest of a file that will never be finished.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use replug::Digest;
use vocabulary::{Artifact, Build, Program, Scratch, library, plugin, version};

/// Options of a program that looks all the time, asks no gate, and reads at once: all that stands between a damaged
/// file and the loader is vet.
const HASTY: &[&str] = &["--interval-ms", "1", "--settle-ms", "0", "--gate", "off"];

#[test]
fn no_damage_to_a_debug_library_is_loaded_or_kills_the_host() {
    every_damage_is_survived(Build::Debug);
}

#[test]
fn no_damage_to_a_stripped_debug_library_is_loaded_or_kills_the_host() {
    every_damage_is_survived(Build::DebugStripped);
}

#[test]
fn no_damage_to_a_release_library_is_loaded_or_kills_the_host() {
    every_damage_is_survived(Build::Release);
}

#[test]
fn no_damage_to_a_stripped_release_library_is_loaded_or_kills_the_host() {
    every_damage_is_survived(Build::ReleaseStripped);
}

#[test]
fn a_library_without_a_section_table_is_loaded_whole_and_refused_when_it_is_cut() {
    let whole = without_sections(&library(0));
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.restore(&whole);
    let mut program = Program::watch(&scratch, artifact.path(), HASTY);
    program.wait_for_bytes(&whole);
    program.wait_for_answer(&version(0));
    program.stop_cleanly(&scratch);
    each_is_refused((0..100).map(|percent| {
        let damage = format!("no section table, cut at {percent} percent");
        (damage, cut(&whole, percent).to_vec())
    }));
}

#[test]
fn a_library_that_is_truncated_in_place_is_loaded_when_it_is_whole_again() {
    every_beginning_is_waited_out(|artifact, content, length| {
        artifact.overwrite(&content[..length]);
    });
}

#[test]
fn a_library_whose_room_is_reserved_first_is_loaded_when_it_is_whole() {
    every_beginning_is_waited_out(|artifact, content, length| {
        artifact.preallocate(content, length);
    });
}

#[test]
fn a_damaged_library_that_is_there_at_the_start_is_waited_out() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    let content = library(1);
    artifact.restore(cut(&content, 50));
    let mut program = Program::watch(&scratch, artifact.path(), HASTY);
    program.wait_for_waiting("incomplete");
    program.go_on_for(Duration::from_millis(300));
    assert_eq!(program.loaded(), [] as [&str; 0]);
    artifact.restore(&content);
    program.wait_for_bytes(&content);
    program.stop_cleanly(&scratch);
}

#[test]
fn a_library_that_was_incomplete_for_long_is_loaded_soon_after_it_is_completed() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    let content = library(1);
    let length = cut(&content, 50).len();
    artifact.overwrite(&content[..length]);
    let mut program = Program::watch(&scratch, artifact.path(), HASTY);
    program.wait_for_waiting("incomplete");
    // By now the file is read every few seconds only, and the next time is three seconds off.
    program.go_on_for(Duration::from_millis(3300));
    artifact.write_from(length, &content[length..]);
    let completed = Instant::now();
    program.wait_for_bytes(&content);
    let passed = completed.elapsed();
    assert!(passed < Duration::from_secs(2), "{passed:?}");
    program.stop_cleanly(&scratch);
}

/// Cuts a library, and overwrites its end with zeros, at every percent of its length.
fn every_damage_is_survived(build: Build) {
    let whole = plugin(build);
    each_is_refused((0..100).flat_map(|percent| {
        [
            (
                format!("{build:?}, cut at {percent} percent"),
                cut(&whole, percent).to_vec(),
            ),
            (
                format!("{build:?}, zeros from {percent} percent"),
                zeroed(&whole, percent),
            ),
        ]
    }));
}

/// Puts each damaged file in place, and a good file once the program has given its verdict.
fn each_is_refused(damaged: impl IntoIterator<Item = (String, Vec<u8>)>) {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    let mut program = Program::watch(&scratch, artifact.path(), HASTY);
    let mut good = HashSet::new();
    for (number, (damage, content)) in (1..).zip(damaged) {
        artifact.restore(&content);
        program.wait_for(&format!("verdict on {damage}"), |line| match line.event() {
            "waiting" => line.text("reason") == "incomplete",
            "kept" => line.text("step") == "vet",
            _ => false,
        });
        artifact.restore(&library(number));
        program.wait_for_bytes(&library(number));
        good.insert(Digest::of(&library(number)).to_string());
    }
    assert_only_these_were_loaded(&program, &good);
    program.stop_cleanly(&scratch);
}

/// Begins to write a library over the live one, as far as every fifth percent, and completes it once the program has
/// seen the beginning.
fn every_beginning_is_waited_out(begin: impl Fn(&Artifact, &[u8], usize)) {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.restore(&library(0));
    let mut program = Program::watch(&scratch, artifact.path(), HASTY);
    program.wait_for_bytes(&library(0));
    let mut good = HashSet::from([Digest::of(&library(0)).to_string()]);
    for (number, percent) in (1..).zip((0..100).step_by(5)) {
        let content = library(number);
        let length = cut(&content, percent).len();
        begin(&artifact, &content, length);
        program.wait_for_waiting("incomplete");
        // The loaded copy is not the watched file: nothing that happens to the artifact reaches it.
        program.wait_for_answer(&version(number - 1));
        artifact.write_from(length, &content[length..]);
        program.wait_for_bytes(&content);
        good.insert(Digest::of(&content).to_string());
    }
    assert_only_these_were_loaded(&program, &good);
    program.stop_cleanly(&scratch);
}

/// The first `percent` of a library.
fn cut(whole: &[u8], percent: usize) -> &[u8] {
    &whole[..whole.len() * percent / 100]
}

/// A library of which only the first `percent` have been written, in a file that has its full length.
fn zeroed(whole: &[u8], percent: usize) -> Vec<u8> {
    let mut content = cut(whole, percent).to_vec();
    content.resize(whole.len(), 0);
    assert_ne!(content, whole, "nothing was damaged");
    content
}

/// A library that ends with its last segment and has no section table, as `sstrip` makes one. For a 64-bit ELF
/// file.
fn without_sections(whole: &[u8]) -> Vec<u8> {
    const LOAD: u64 = 1;
    let field = |at: usize, size: usize| {
        let mut bytes = [0; 8];
        bytes[..size].copy_from_slice(&whole[at..at + size]);
        u64::from_le_bytes(bytes)
    };
    let (table, size, count) = (field(32, 8), field(54, 2), field(56, 2));
    let entries = (0..count).map(|entry| (table + entry * size) as usize);
    let end = entries
        .filter(|&at| field(at, 4) == LOAD)
        .map(|at| field(at + 8, 8) + field(at + 32, 8))
        .max()
        .unwrap();
    let mut content = whole[..end as usize].to_vec();
    // The place of the section table, the number of its entries, and the entry that holds the names.
    content[40..48].fill(0);
    content[60..64].fill(0);
    content
}

#[track_caller]
fn assert_only_these_were_loaded(program: &Program, good: &HashSet<String>) {
    let loaded = program.loaded();
    assert_eq!(loaded.len(), good.len(), "each good library is loaded once");
    for digest in loaded {
        assert!(good.contains(digest), "{digest} is not of a good library");
    }
}
