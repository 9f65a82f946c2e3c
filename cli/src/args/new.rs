//! The options of `replug new`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// How `replug new` was called.
#[derive(Debug, Args)]
#[command(
    override_usage = "replug new [OPTIONS] <NAME>",
    after_help = "Exit status: 0 if the workspace is made; 1 if it is not, and then nothing is left of it; 2 for bad usage."
)]
pub(crate) struct New {
    /// What the workspace and its program are called: letters, digits, - and _
    #[arg(value_parser = crate::new::name)]
    pub(crate) name: String,

    /// What the host is
    #[arg(long, value_name = "WHAT", default_value = "loop")]
    pub(crate) host: HostKind,

    /// The directory to make, in place of NAME in the working directory; it must not exist
    #[arg(long, value_name = "DIR")]
    pub(crate) path: Option<PathBuf>,

    /// Take replug's crates from this checkout [default: the checkout that this program was built in, if it is still there,
    /// or else the published crates]
    #[arg(long, value_name = "DIR")]
    pub(crate) replug: Option<PathBuf>,
}

/// The kinds of hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum HostKind {
    /// A loop that calls its plugin step by step, as a game does
    Loop,
    /// A small web server whose threads call their plugin through handles
    Server,
}
