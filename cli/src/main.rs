//! The program `replug`: `replug run` loads a plugin, calls it, and swaps it when a new build is there; `dev` makes the
//! builds, too; `inspect` says what a library is, `publish` puts one into its place, and `doctor` says what is to be
//! mended. `back`, `release` and `history` are for a host that keeps a store; `mirror` and `rollout` bring builds to many hosts.
//! `new` makes a workspace to begin with; `completions` and `man` are the help in other forms.
//!
//! It only connects: options to the library, what the library says to output, and signals to the end.

mod args;
mod build;
mod child;
mod dev;
mod doctor;
// What decides about a fleet is tested in any build.
#[cfg(any(feature = "fleet", test))]
#[cfg_attr(not(feature = "fleet"), allow(dead_code))]
mod fleet;
mod help;
mod inspect;
mod new;
mod on_load;
mod output;
mod publish;
mod run;
mod stop;
mod store;
mod stream;
#[cfg(windows)]
mod windows;

use std::env;
use std::fmt;
use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use replug::shown::shown;
use replug::store::Verb;
use tracing::field::Field;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::{Writer, debug_fn};

use crate::stream::Stream;

/// The exit status of a run-time error; that of bad usage is 2, which clap's own exit uses as well.
const FAILED: u8 = 1;

fn main() -> ExitCode {
    let command = args::Cli::parse().command;
    if let args::Command::Run(args) = &command
        && let Err(error) = args.check()
    {
        error.exit();
    }
    let serving = match &command {
        args::Command::Run(args) => Some(&args.serving),
        args::Command::Dev(args) => Some(&args.serving),
        _ => None,
    };
    // In a process that was started to try a build, this does not return.
    serving.iter().for_each(|serving| run::take_part(serving));
    log_to_stderr();
    let ended = match command {
        args::Command::Run(args) => run::run(&args).map(|()| ExitCode::SUCCESS),
        args::Command::Dev(args) => dev::dev(&args.without_gate()).map(|()| ExitCode::SUCCESS),
        args::Command::Inspect(args) => inspect::run(&args),
        args::Command::Publish(args) => publish::run(&args),
        args::Command::Back(args) => store::ask(Verb::Back, &args.asking),
        args::Command::Release(args) => store::ask(Verb::Release, &args.asking),
        args::Command::History(args) => store::history(&args),
        args::Command::Mirror(args) => mirror(&args),
        args::Command::Rollout(args) => rollout(&args),
        args::Command::Doctor(args) => doctor::run(&args),
        args::Command::New(args) => new::run(&args).map(|()| ExitCode::SUCCESS),
        args::Command::Completions(args) => help::completions(&args).map(|()| ExitCode::SUCCESS),
        args::Command::Man(args) => help::man(&args).map(|()| ExitCode::SUCCESS),
    };
    ended.unwrap_or_else(|error| {
        let error = match error.downcast::<clap::Error>() {
            Ok(usage) => usage.exit(),
            Err(error) => error,
        };
        // If the message cannot be written, the exit status has to do.
        let words = format!("replug: {}\n", replug::chain(error.as_ref()));
        let _ = Stream::Err.write_all(words.as_bytes());
        ExitCode::from(FAILED)
    })
}

#[cfg(feature = "fleet")]
use fleet::{mirror, rollout};

/// What this program was built without, and what to do about that.
#[cfg(not(feature = "fleet"))]
const NO_FLEET: &str = "this program was built without the feature `fleet`; `cargo install replug-cli --features fleet` \
    installs one that has it";

#[cfg(not(feature = "fleet"))]
fn mirror(_: &args::Mirror) -> Result<ExitCode, Box<dyn std::error::Error>> {
    Err(NO_FLEET.into())
}

#[cfg(not(feature = "fleet"))]
fn rollout(_: &args::Rollout) -> Result<ExitCode, Box<dyn std::error::Error>> {
    Err(NO_FLEET.into())
}

/// Writes one field of a log line. Whoever wrote the line may have quoted a name, or the words of a plugin.
fn write_field(writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    let value = format!("{value:?}");
    match field.name() {
        "message" => write!(writer, "{}", shown(&value)),
        name => write!(writer, "{name}={}", shown(&value)),
    }
}

/// Writes the log to stderr: warnings by default; `RUST_LOG` chooses otherwise.
fn log_to_stderr() {
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::WARN.into())
        .from_env_lossy();
    // Whoever keeps a log in a file has no use for colours.
    let is_refused = env::var_os("NO_COLOR").is_some_and(|it| !it.is_empty());
    let is_coloured = Stream::Err.is_terminal() && !is_refused;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| Stream::Err)
        .with_ansi(is_coloured)
        .fmt_fields(debug_fn(write_field).delimited(" "))
        .without_time()
        // The subscriber would print such errors on the very stream that failed.
        .log_internal_errors(false)
        .init();
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read as _, Seek as _};
    use std::sync::Arc;

    use super::*;

    #[test]
    fn what_a_log_line_quotes_moves_nothing() {
        let mut written = tempfile::tempfile().unwrap();
        let log: Arc<File> = Arc::new(written.try_clone().unwrap());
        let subscriber = tracing_subscriber::fmt()
            .with_writer(log)
            .with_ansi(false)
            .fmt_fields(debug_fn(write_field).delimited(" "))
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(path = %"a\n\u{1b}[2J", "not\u{202e} {}", "\u{9b}é");
        });
        let mut text = String::new();
        written.rewind().unwrap();
        written.read_to_string(&mut text).unwrap();
        let line = r"not\u{202e} \u{9b}é path=a\n\x1b[2J";
        assert!(text.ends_with(&format!("{line}\n")), "{text:?}");
        assert_eq!(text.lines().count(), 1);
    }
}
