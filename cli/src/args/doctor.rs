//! The options of `replug doctor`.

use std::path::PathBuf;

use clap::Args;

/// How `replug doctor` was called.
#[derive(Debug, Args)]
#[command(
    override_usage = "replug doctor [OPTIONS] [PATH]",
    after_help = "Exit status: 0 if all is well, whatever is only worth knowing; 1 if something is to be mended, or \
                  the program was stopped; 2 for bad usage."
)]
pub(crate) struct Doctor {
    /// A library or a directory, which need not exist yet [default: where cargo builds, or else the working directory]
    pub(crate) path: Option<PathBuf>,

    /// Write one JSON object per line
    #[arg(long)]
    pub(crate) json: bool,
}
