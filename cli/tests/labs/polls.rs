//! A lab for the cost of an idle poll, in instructions. `idle` counts its system calls, and `tests/allocations.rs`
//! sees that it allocates nothing.

use std::fs;

use vocabulary::{Scratch, library};

use crate::counted;

/// The most instructions outside the kernel for a poll of one library: a sixth more than the 809 that were seen.
const OF_ONE: f64 = 940.0;

/// The most instructions for each of many libraries: a sixth more than the 503 that were seen.
const OF_EACH: f64 = 585.0;

/// As many libraries as it takes to see the cost of each of them.
const LIBRARIES: usize = 100;

#[test]
fn an_idle_poll_takes_a_few_hundred_instructions_and_each_library_takes_fewer() {
    counted::build();
    let scratch = Scratch::new();
    let directory = scratch.join("plugins");
    fs::create_dir(&directory).unwrap();
    let path = |number: usize| directory.join(format!("lib{number}.so"));
    (0..LIBRARIES).for_each(|number| fs::write(path(number), library(1)).unwrap());
    let one = path(0);
    let one = counted::instructions_in(
        "repeat_polls",
        "poll_cost",
        &[one.to_str().unwrap(), "1"],
        10_000,
    );
    let all = [directory.to_str().unwrap(), &LIBRARIES.to_string()];
    let each = counted::instructions_in("repeat_polls", "poll_cost", &all, 100) / LIBRARIES as f64;
    println!("one library: {one:.1} instructions; of {LIBRARIES}: {each:.1} each");
    assert!(one < OF_ONE, "{one:.1} instructions");
    assert!(each < OF_EACH, "{each:.1} instructions");
}
