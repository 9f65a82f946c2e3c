//! A lab for the cost of a call, and of what crosses in it, in instructions.

use crate::counted;

/// The number of calls that are counted.
const CALLS: u64 = 1_000_000;

fn instructions(way: &str) -> f64 {
    let library = counted::examples().join("libpure.so");
    counted::instructions("call_cost", &[library.to_str().unwrap(), way], CALLS)
}

#[test]
fn a_call_costs_a_few_instructions_more_than_one_through_a_pointer() {
    counted::build();
    let pointer = instructions("pointer");
    println!("pointer: {pointer:.1} instructions, with the loop");
    for (way, most) in [("symbol", 1.0), ("interface", 4.0), ("caller", 9.0)] {
        let more = instructions(way) - pointer;
        println!("{way}: {more:+.1}");
        assert!(more < most + 0.5, "{way}: {more:+.1} instructions");
    }
    println!("handle: {:+.1}", instructions("handle") - pointer);
}

/// The instructions of one repetition of something at the rust level.
fn ordinary(way: &str) -> f64 {
    let library = counted::examples().join("libcosts.so");
    counted::instructions("ordinary_cost", &[library.to_str().unwrap(), way], CALLS)
}

#[test]
fn ordinary_rust_costs_a_few_instructions_more_than_in_one_program() {
    counted::build();
    let block = ordinary("allocate");
    let costs = [
        (
            "a call with `&mut (u64, String)`",
            ordinary("ordinary") - ordinary("plain"),
            0.0,
        ),
        (
            "a `String` as an answer",
            ordinary("text") - ordinary("number") - block,
            15.0,
        ),
        (
            "a function of the host's",
            ordinary("ask") - ordinary("own_ask"),
            15.0,
        ),
        ("a block of memory", block - ordinary("own_allocate"), 10.0),
    ];
    for (what, more, _) in costs {
        println!("{what}: {more:+.1} instructions");
    }
    for (what, more, most) in costs {
        assert!(more < most + 0.5, "{what}: {more:+.1} instructions");
    }
}
