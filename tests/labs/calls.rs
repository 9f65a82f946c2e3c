//! What a call costs, in instructions, which a busy machine does not change.

use std::path::Path;
use std::process::Command;

use crate::assert_installed;

/// Calls that are counted, and calls that are made before, so that all else is counted out.
const CALLS: u64 = 1_000_000;

/// Runs `examples/call_cost.rs` and returns the instructions of one call.
fn instructions(way: &str) -> f64 {
    let once = run(way, CALLS);
    let twice = run(way, 2 * CALLS);
    (twice - once) as f64 / CALLS as f64
}

fn run(way: &str, calls: u64) -> u64 {
    let target = target();
    let counted = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(target.join("call_cost"))
        .arg(target.join("libpure.so"))
        .args([way, &calls.to_string()])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&counted.stderr);
    assert!(counted.status.success(), "{said}");
    let collected = said.split("Collected : ").nth(1);
    let number = collected.and_then(|rest| rest.split_whitespace().next());
    number.unwrap().parse().unwrap()
}

fn target() -> std::path::PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugins/release/examples")
}

#[test]
fn a_call_costs_a_few_instructions_more_than_one_through_a_pointer() {
    assert_installed("valgrind");
    for package in ["fixtures", "replug"] {
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--locked", "--release", "--examples"])
            .args(["-p", package, "--target-dir"])
            .arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugins"))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .unwrap();
        assert!(built.success(), "{package} does not compile");
    }
    let pointer = instructions("pointer");
    println!("pointer: {pointer:.1} instructions, with the loop");
    for (way, most) in [("symbol", 1.0), ("interface", 4.0), ("caller", 9.0)] {
        let more = instructions(way) - pointer;
        println!("{way}: {more:+.1}");
        assert!(more < most + 0.5, "{way}: {more:+.1} instructions");
    }
    println!("handle: {:+.1}", instructions("handle") - pointer);
}
