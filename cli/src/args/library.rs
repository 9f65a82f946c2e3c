//! The options of the subcommands about one library.

use std::ffi::CString;
use std::path::PathBuf;

use clap::Args;
use replug::{Options, Text};

use super::admitting::Admitting;
use super::serving::{TrustArg, size, symbol};
use crate::publish::is_line;

/// How `replug inspect` was called.
#[derive(Debug, Args)]
#[command(
    override_usage = "replug inspect [OPTIONS] <FILE>",
    after_help = "Exit status: 0 if it would be loaded; 1 if it would be kept out, or differs from what it is compared with; 2 for \
        bad usage."
)]
pub(crate) struct Inspect {
    /// The library
    pub(crate) file: PathBuf,

    /// Compare its declaration with that of another library, as a host would that was built from that one
    #[arg(long, value_name = "FILE", conflicts_with = "against_package")]
    pub(crate) against: Option<PathBuf>,

    /// Compare its declaration with that of the library of a cargo package, which is built first
    #[arg(long, value_name = "PACKAGE", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) against_package: Option<String>,

    /// A function that a host calls, which the library must export as `replug run --call` has it
    #[arg(long, value_name = "SYMBOL", value_parser = symbol)]
    call: Option<CString>,

    /// The largest file that is taken for a library, in bytes, or with K, M or G behind the number
    #[arg(long, value_name = "SIZE", default_value = "4G", value_parser = size)]
    max_size: u64,

    /// What becomes of a library that others than this user and root may change
    #[arg(long, value_name = "HOW", default_value = "warn")]
    trust: TrustArg,

    #[command(flatten)]
    admitting: Admitting,

    /// Write one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// How `replug publish` was called.
#[derive(Debug, Args)]
#[command(
    override_usage = "replug publish [OPTIONS] <FILE> <DEST>",
    after_help = "Exit status: 0 if the library is in its place; 1 if it is not, and then the one before is untouched; 2 for bad \
        usage."
)]
pub(crate) struct Publish {
    /// The library
    pub(crate) file: PathBuf,

    /// The place: a file, or a directory for a file of the library's own name
    pub(crate) dest: PathBuf,

    /// Leave the library that was there before beside the new one, as NAME.before
    #[arg(long)]
    pub(crate) keep: bool,

    /// Sign the library with this secret key of minisign's; the signature is NAME.minisig beside it
    #[arg(long, value_name = "KEYFILE")]
    pub(crate) sign: Option<PathBuf>,

    /// What the signature says of the library [default: its name]
    #[arg(long, value_name = "TEXT", requires = "sign", value_parser = is_line)]
    pub(crate) comment: Option<String>,

    /// Write one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

impl Inspect {
    /// The library's options for looking at `path`.
    pub(crate) fn options(&self, path: PathBuf) -> Options {
        let options = Options::new(path)
            .max_size(self.max_size)
            .trust(self.trust.into());
        let options = self.admitting.of(options);
        match &self.call {
            Some(call) => options.exports([call.as_c_str(), Text::FREE]),
            None => options,
        }
    }
}
