//! Programs under a counter of their instructions, which a busy machine does not change. The kernel's instructions
//! are not counted.

use std::path::PathBuf;
use std::process::Command;

use vocabulary::{cargo_build, target_tmp, workspace};

use crate::assert_installed;

/// Builds the examples that are counted, optimised, in one codegen unit. With many units, the spread of code over
/// them depends on where it is built, and inlining depends on that: by a fifth of all that is counted.
pub fn build() {
    let plugins = ["-p", "fixtures", "--example", "pure", "--example", "costs"];
    for examples in [&plugins[..], &["-p", "costs", "--examples"]] {
        let built = cargo_build()
            .args(["--quiet", "--locked", "--release"])
            .args(examples)
            .arg("--target-dir")
            .arg(target_tmp().join("plugins"))
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1")
            .current_dir(workspace())
            .status()
            .unwrap();
        assert!(built.success(), "{examples:?} do not compile");
    }
}

/// The place where the examples are.
pub fn examples() -> PathBuf {
    target_tmp().join("plugins/release/examples")
}

/// The instructions of one repetition in an example, which is told by its last argument how often to repeat. Work
/// that is not repeated is not counted.
#[track_caller]
pub fn instructions(example: &str, arguments: &[&str], times: u64) -> f64 {
    assert_installed("valgrind");
    let once = run(example, arguments, times, &[]);
    let twice = run(example, arguments, 2 * times, &[]);
    (twice - once) as f64 / times as f64
}

/// The instructions of one repetition in an example that repeats in `function` and nowhere else. What the example does
/// before, which can differ from one run to the next, is not counted.
#[track_caller]
pub fn instructions_in(function: &str, example: &str, arguments: &[&str], times: u64) -> f64 {
    assert_installed("valgrind");
    let only = [
        "--collect-atstart=no",
        &format!("--toggle-collect=*{function}*"),
    ];
    let counted = run(example, arguments, times, &only);
    assert!(counted > times, "{example} has no function {function}");
    counted as f64 / times as f64
}

#[track_caller]
fn run(example: &str, arguments: &[&str], times: u64, only: &[&str]) -> u64 {
    let counted = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args(only)
        .arg(examples().join(example))
        .args(arguments)
        .arg(times.to_string())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&counted.stderr);
    assert!(counted.status.success(), "{said}");
    let collected = said.split("Collected : ").nth(1);
    let number = collected.and_then(|rest| rest.split_whitespace().next());
    number.unwrap().parse().unwrap()
}
