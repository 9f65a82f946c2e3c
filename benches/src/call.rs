//! The cost of one call: a loop of calls, and its instructions, which callgrind counts from outside.

use std::fs;
use std::time::Duration;

use crate::row::Figures;
use crate::trial;

/// Calls that are counted, and calls that are made before, so that all else is counted out.
const CALLS: u64 = 200_000;

/// The instructions of one call in a trial that is given `way` and how often it is to call.
pub fn instructions(figures: &mut Figures, row: &str, tool: &str, way: &str) -> Option<f64> {
    let mut count = |times: u64| {
        let log =
            tempfile::NamedTempFile::new().expect("the temporary directory can be written to");
        let log_file = format!("--log-file={}", log.path().display());
        let tracer = [
            "valgrind",
            "--tool=callgrind",
            "--callgrind-out-file=/dev/null",
            &log_file,
        ];
        let arguments = [way.to_owned(), times.to_string()];
        let ended = trial::run_under(&tracer, row, tool, &arguments, Duration::from_secs(300));
        ended.or_crashed(figures)?;
        let said = fs::read_to_string(log.path()).expect("it was told to write there");
        let collected = said.split("Collected : ").nth(1)?;
        collected.split_whitespace().next()?.parse::<f64>().ok()
    };
    let (once, twice) = (count(CALLS)?, count(2 * CALLS)?);
    let each = (twice - once) / CALLS as f64;
    // What other threads do meanwhile is in the digits behind that.
    Some((each * 10.0).round() / 10.0)
}

/// Calls so often. Each call needs the result of the one before.
pub fn repeat(times: u64, mut sum: impl FnMut(u64, u64) -> u64) -> u64 {
    let mut last = 0;
    for number in 0..times {
        last = sum(number, last);
    }
    last
}
