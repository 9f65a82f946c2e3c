//! Rows whose instructions are counted run in a guest that qemu emulates so that its clock goes on by a nanosecond
//! with each instruction. There, time is instructions, those of the kernel included, and the same in each run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::{Part, Results};
use crate::trial::this_program;

/// One processor, whose clock counts; it does not wait while the guest sleeps. Without fast strings, for a repeated
/// instruction is counted as often as it is repeated, and the kernel then takes those that move eight bytes at a time.
const PROCESSORS: &str = "-accel tcg -icount shift=0,sleep=off -smp 1 -cpu max,erms=off,fsrm=off";

/// Debian's kernel clears what it allocates, the page that each path is copied to included; most others do not.
const BOOT_OPTIONS: &str = "init_on_alloc=0";

/// How long it may take.
const MINUTES: &str = "120";

fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn work() -> PathBuf {
    package().join("target/guest")
}

/// Boots it, and runs the rows of these names in it by this very program.
pub fn run(rows: &[&str], part: &Part) -> Results {
    let out = work().join("out");
    let mut boot = Command::new(package().join("../cli/tests/labs/guest/boot.sh"));
    boot.arg(work())
        .arg(package().join("guest.sh"))
        .arg(this_program())
        .arg("rows")
        .args(part.rounds.map(|rounds| format!("--rounds={rounds}")))
        .args(part.tool.as_ref().map(|tool| format!("--tool={tool}")))
        .args(rows)
        .env("processors", PROCESSORS)
        .env("boot_options", BOOT_OPTIONS)
        .env("minutes", MINUTES);
    let status = boot.status().expect("bash can be started");
    let read = |name: &str| fs::read_to_string(out.join(name)).unwrap_or_default();
    assert!(
        status.success() && read("status").trim() == "0",
        "the guest failed: {}\nits console is {}",
        read("said"),
        work().join("console").display()
    );
    serde_json::from_str(&read("printed")).expect("it prints what it saw")
}

/// Its kernel.
pub fn kernel() -> Option<String> {
    let mut versions = fs::read_dir(work().join("kernel/lib/modules")).ok()?;
    versions.next()?.ok()?.file_name().into_string().ok()
}
