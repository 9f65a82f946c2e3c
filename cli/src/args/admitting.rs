//! The options that say which builds may run.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use replug::Options;

/// Which builds may run.
#[derive(Debug, Args)]
pub(super) struct Admitting {
    /// Load only what has its SHA-256 in this file, as sha256sum writes it
    #[arg(long, value_name = "FILE")]
    allow: Option<PathBuf>,

    /// Load only what is signed with this public key of minisign's: the key, or a file that has it; can be given for several keys,
    /// one of which is enough
    #[arg(long, value_name = "KEY", value_parser = key)]
    require_signature: Vec<String>,
}

impl Admitting {
    /// These options, with the checks.
    pub(super) fn of(&self, options: Options) -> Options {
        let options = match &self.allow {
            Some(list) => options.allow(list),
            None => options,
        };
        self.require_signature.iter().fold(options, |options, key| {
            let with_key = options.require_signature(key);
            with_key.expect("it was seen to be a key")
        })
    }
}

/// A key, or what is in a file.
pub(super) fn key(value: &str) -> Result<String, String> {
    let is_key = |text: &str| Options::new("").require_signature(text).map(drop);
    if is_key(value).is_ok() {
        return Ok(value.to_owned());
    }
    let unread =
        |error| format!("it is no public key, and no file of this name can be read: {error}");
    let text = fs::read_to_string(value).map_err(unread)?;
    match is_key(&text) {
        Ok(()) => Ok(text),
        Err(error) => Err(format!("there is no key in this file: {error}")),
    }
}
