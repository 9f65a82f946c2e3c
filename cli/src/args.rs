//! The options of the command line, and which of their values make sense.

mod admitting;
mod doctor;
mod fleet;
mod help;
mod keeping;
mod library;
mod new;
mod serving;
mod trying;

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _, Parser, Subcommand};
use replug::shown::shown;
use replug::watch::{Files as _, Kind, OsFiles, Watcher};

pub(crate) use self::doctor::Doctor;
#[cfg(feature = "fleet")]
pub(crate) use self::fleet::Action;
pub(crate) use self::fleet::{Mirror, Rollout};
pub(crate) use self::help::{Completions, Man};
pub(crate) use self::keeping::{Asking, Back, History, Release};
pub(crate) use self::library::{Inspect, Publish};
pub(crate) use self::new::{HostKind, New};
pub(crate) use self::serving::Serving;

use crate::publish::is_line;

/// The longest time an option takes, a day: whoever asks for more has made a mistake.
const LONGEST_MS: u64 = 24 * 60 * 60 * 1000;

/// Swap a running program's native plugin for a newly built one, on any filesystem.
#[derive(Debug, Parser)]
#[command(name = "replug", version, args_override_self = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Load a plugin, call it, and reload it whenever a new build is there
    Run(Box<Run>),
    /// Build packages, watch their sources, build again, and load and call what was built, or run a host beside it
    Dev(Box<Dev>),
    /// Say what a library is, and whether it would be loaded, without running any of it
    Inspect(Inspect),
    /// Put a library into its place, so that nobody ever sees half of it
    Publish(Publish),
    /// Go back to the build before the live one, or to another one, out of a host's store
    Back(Back),
    /// Let a build be loaded again that was left, or has ended its host
    Release(Release),
    /// Say what became of each build in a host's store
    History(History),
    /// Take the builds that a fleet's manifest has for this host from object storage into a directory that hosts watch
    Mirror(Box<Mirror>),
    /// Steer which build is for which part of a fleet's hosts, in waves
    Rollout(Box<Rollout>),
    /// Say what would make replug late, wrong or unsafe here, and what to do about it
    Doctor(Doctor),
    /// Make a workspace of a declaration, a plugin and a host, which builds, runs and tests as it is
    New(New),
    /// Write what completes the options in a shell
    Completions(Completions),
    /// Write a manual page, or all of them
    Man(Man),
}

/// A wrong use of a subcommand, with that subcommand's own usage.
pub(crate) fn misuse(subcommand: &str, kind: ErrorKind, words: impl fmt::Display) -> clap::Error {
    let mut program = Cli::command();
    program.build();
    match program.find_subcommand_mut(subcommand) {
        Some(command) => command.error(kind, words),
        None => program.error(kind, words),
    }
}

/// How `replug run` was called.
#[derive(Debug, Args)]
#[command(
    override_usage = "replug run [OPTIONS] <PATH>\n       replug run [OPTIONS] -p <PACKAGE>",
    after_help = "Exit status: 0 after Ctrl-C, SIGTERM or --count; 1 after a run-time error, --timeout-s or --exit-on-kept; 2 \
        for bad usage."
)]
pub(crate) struct Run {
    /// A library, or a directory of libraries; it need not exist yet
    #[arg(required_unless_present = "package", conflicts_with = "package")]
    path: Option<PathBuf>,

    /// Build this cargo package first, and watch the library it makes
    #[arg(short, long, value_name = "PACKAGE", value_parser = clap::builder::NonEmptyStringValueParser::new(), help_heading = "Building")]
    pub(crate) package: Option<String>,

    /// Run this command by the shell after each load, with REPLUG_PLUGIN, REPLUG_PATH, REPLUG_GENERATION and REPLUG_DIGEST
    #[arg(long, value_name = "CMD", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) on_load: Option<String>,

    /// End with status 1 if nothing is live after this time, in seconds
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=LONGEST_MS / 1000))]
    timeout_s: Option<u64>,

    /// End with status 1 after the first build that is kept out
    #[arg(long)]
    pub(crate) exit_on_kept: bool,

    #[command(flatten)]
    pub(crate) serving: Serving,

    #[command(flatten)]
    pub(crate) build: Build,
}

/// How `replug dev` was called.
#[derive(Debug, Args)]
#[command(
    override_usage = "replug dev [OPTIONS] -p <PACKAGE>.. [-- <COMMAND>..]",
    after_help = "Keys on a terminal: r build, h hold or apply, b back, s start the command again, c clear, q quit, ? help.\n\
                  Exit status: 0 after q, Ctrl-C, SIGTERM or --count; 1 after a run-time error; 2 for bad usage."
)]
pub(crate) struct Dev {
    /// Build this cargo package, and watch its sources; can be given several times
    #[arg(short, long = "package", value_name = "PACKAGE", required = true, value_parser = clap::builder::NonEmptyStringValueParser::new(), help_heading = "Building")]
    pub(crate) packages: Vec<String>,

    #[command(flatten)]
    pub(crate) serving: Serving,

    #[command(flatten)]
    pub(crate) build: Build,

    /// A host of your own, to be run beside the builds in place of loading what was built
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

/// What is passed on to `cargo build`.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Building")]
pub(crate) struct Build {
    /// Build with the release profile
    #[arg(long, conflicts_with = "profile")]
    pub(crate) release: bool,

    /// Build with this profile
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,

    /// Build with these features, separated by commas
    #[arg(short = 'F', long, value_name = "FEATURES")]
    pub(crate) features: Vec<String>,

    /// Build without the default features
    #[arg(long)]
    pub(crate) no_default_features: bool,

    /// Build into this directory
    #[arg(long, value_name = "DIR")]
    pub(crate) target_dir: Option<PathBuf>,

    /// Build the package of this Cargo.toml's workspace
    #[arg(long, value_name = "PATH")]
    pub(crate) manifest_path: Option<PathBuf>,
}

impl Build {
    fn has_options(&self) -> bool {
        self.release
            || self.profile.is_some()
            || !self.features.is_empty()
            || self.no_default_features
            || self.target_dir.is_some()
            || self.manifest_path.is_some()
    }
}

impl Run {
    /// A check that clap waives: that an option requires another which the path already excludes.
    pub(crate) fn check(&self) -> Result<(), clap::Error> {
        if self.path.is_none() || !self.build.has_options() {
            return Ok(());
        }
        Err(misuse(
            "run",
            ErrorKind::MissingRequiredArgument,
            "options for building go with `--package`, and there is none",
        ))
    }

    /// A check that only the watch can make, for a filesystem that hangs would take the program along: whether what is at
    /// the path is something that can ever be watched. A path that cannot be looked at now may be there later.
    pub(crate) fn check_kind(path: &Path, watcher: &Watcher) -> Result<(), clap::Error> {
        let kind = match watcher.place().is_remote() {
            true => watcher.kind(),
            // A local filesystem does not hang, however long the worker of a busy machine takes to say what is there.
            false => watcher
                .kind()
                .or_else(|| Some(OsFiles.look(path).ok()?.kind)),
        };
        match kind {
            None | Some(Kind::File | Kind::Directory) => Ok(()),
            Some(kind) => Err(misuse(
                "run",
                ErrorKind::ValueValidation,
                format!(
                    "cannot watch `{}`: it is {kind}, neither a library nor a directory",
                    shown(path)
                ),
            )),
        }
    }

    /// How long something may take to be live.
    pub(crate) fn timeout(&self) -> Option<Duration> {
        self.timeout_s.map(Duration::from_secs)
    }

    /// The path to watch, unless a package names it.
    pub(crate) fn path(&self) -> Option<PathBuf> {
        self.path.clone()
    }
}

impl Dev {
    /// The call with the gate switched off, unless the user chose: that our own build has ended is known.
    pub(crate) fn without_gate(mut self) -> Dev {
        self.serving.switch_gate_off();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
