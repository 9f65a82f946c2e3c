//! The `replug` program: `replug run` loads a plugin, calls it, and swaps it when a new build is there.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
