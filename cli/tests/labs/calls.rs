//! A lab for the cost of a call, in instructions.

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
