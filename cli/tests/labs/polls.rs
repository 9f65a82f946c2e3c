//! What an idle poll costs, in instructions. How many system calls it makes is seen in `idle`, and that it allocates
//! nothing in `tests/allocations.rs`.

use std::fs;

use vocabulary::{Scratch, library};

use crate::counted;

/// A poll of one library may take so many instructions outside the kernel: a sixth more than the 809 that were seen.
const OF_ONE: f64 = 940.0;

/// And each library of many so many: a sixth more than the 503 that were seen.
const OF_EACH: f64 = 585.0;

/// So many libraries show what each of them costs.
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
    let one = counted::instructions("poll_cost", &[one.to_str().unwrap(), "1"], 10_000);
    let all = [directory.to_str().unwrap(), &LIBRARIES.to_string()];
    let each = counted::instructions("poll_cost", &all, 100) / LIBRARIES as f64;
    println!("one library: {one:.1} instructions; of {LIBRARIES}: {each:.1} each");
    assert!(one < OF_ONE, "{one:.1} instructions");
    assert!(each < OF_EACH, "{each:.1} instructions");
}
