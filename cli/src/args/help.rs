//! The options of the subcommands that write help in other forms.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

/// How `replug completions` was called.
#[derive(Debug, Args)]
#[command(override_usage = "replug completions <SHELL>")]
pub(crate) struct Completions {
    /// The shell that is to complete the options
    pub(crate) shell: Shell,
}

/// How `replug man` was called.
#[derive(Debug, Args)]
#[command(override_usage = "replug man [COMMAND]\n       replug man --dir <DIR>")]
pub(crate) struct Man {
    /// The subcommand whose page is to be written; without one, the page of the program
    #[arg(conflicts_with = "dir")]
    pub(crate) command: Option<String>,

    /// Write all pages into this directory, each as `replug-COMMAND.1`
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}
