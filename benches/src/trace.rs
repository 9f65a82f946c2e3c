//! Counts system calls, by strace: those of one thread, in a trial of some polls and in one of twice as many, so that
//! what a start costs is no part of the difference.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::trial::{self, Ended};

/// The calls of a thread in one trial, whose result says as `thread` which. Waits and wakes between threads are left
/// out.
pub fn calls(row: &str, tool: &str, arguments: &[String], timeout: Duration) -> Result<u64, Ended> {
    let directory = tempfile::tempdir().expect("a place for the trace");
    let log = directory.path().join("calls");
    let log = log
        .to_str()
        .expect("temporary directories have plain names");
    let strace = ["strace", "-qq", "-ff", "-e", "trace=!futex", "-o", log];
    let ended = trial::run_under(&strace, row, tool, arguments, timeout);
    let Ended::Well(Value::Object(result)) = &ended else {
        return Err(ended);
    };
    let thread = result["thread"].as_i64().expect("a thread's number");
    let log = format!("{log}.{thread}");
    let log = fs::read_to_string(Path::new(&log)).expect("strace writes a file for each thread");
    let is_call = |line: &&str| !line.starts_with("---") && !line.starts_with("+++");
    Ok(log.lines().filter(is_call).count() as u64)
}
