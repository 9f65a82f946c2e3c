//! The program `replug`: `replug run` loads a plugin, calls it, and swaps it when a new build is there.
//!
//! It only connects: options to the library, what the library says to output, and signals to the end.

mod args;
mod build;
mod child;
mod output;
mod run;
mod stop;
mod stream;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::stream::Stream;

/// The exit status of a run-time error; that of bad usage is 2, which clap's own exit uses as well.
const FAILED: u8 = 1;

fn main() -> ExitCode {
    let args::Command::Run(args) = args::Cli::parse().command;
    if let Err(error) = args.check() {
        error.exit();
    }
    log_to_stderr();
    match run::run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let error = match error.downcast::<clap::Error>() {
                Ok(usage) => usage.exit(),
                Err(error) => error,
            };
            // If the message cannot be written, the exit status has to do.
            let words = format!("replug: {}\n", replug::chain(error.as_ref()));
            let _ = Stream::Err.write_all(words.as_bytes());
            ExitCode::from(FAILED)
        }
    }
}

/// Writes the log to stderr: warnings by default; `RUST_LOG` chooses otherwise.
fn log_to_stderr() {
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::WARN.into())
        .from_env_lossy();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| Stream::Err)
        .without_time()
        // The subscriber would print such errors on the very stream that failed.
        .log_internal_errors(false)
        .init();
}
