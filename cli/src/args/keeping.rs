//! The options about stores: of a host that keeps one, and of those who ask.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use replug::Options;

use super::LONGEST_MS;

/// The store that a host keeps.
#[derive(Debug, Args)]
pub(super) struct Keeping {
    /// Keep the last builds in this directory, with what became of each, for `replug back` and after a crash
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,

    /// How many copies of each plugin the store keeps
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(2..=1024), requires = "store")]
    store_copies: u16,

    /// How long a new generation is on probation, in seconds; 0 is no probation
    #[arg(long, value_name = "N", default_value_t = Options::PROBATION.as_secs(), value_parser = clap::value_parser!(u64).range(0..=LONGEST_MS / 1000), requires = "store")]
    probation_s: u64,

    /// Go back when more than this many calls of a generation fail while it is on probation
    #[arg(long, value_name = "N", requires = "store")]
    probation_failures: Option<u32>,
}

impl Keeping {
    /// These options, with the store.
    pub(super) fn of(&self, options: Options) -> Options {
        let Some(store) = &self.store else {
            return options;
        };
        let options = options
            .store(store)
            .store_copies(self.store_copies.into())
            .probation(Duration::from_secs(self.probation_s));
        match self.probation_failures {
            Some(most) => options.probation_failures(most),
            None => options,
        }
    }

    /// Whether calls that fail are counted.
    pub(super) fn counts_failures(&self) -> bool {
        self.probation_failures.is_some()
    }
}

/// How `replug back` was called.
#[derive(Debug, Args)]
#[command(
    override_usage = "replug back [OPTIONS] --store <DIR> [DIGEST]",
    after_help = "Exit status: 0 if it is live, or will be at the next start; 1 if not; 2 for bad usage."
)]
pub(crate) struct Back {
    #[command(flatten)]
    pub(crate) asking: Asking,
}

/// How `replug release` was called.
#[derive(Debug, Args)]
#[command(
    override_usage = "replug release [OPTIONS] --store <DIR> [DIGEST]",
    after_help = "Exit status: 0 if it is released; 1 if not; 2 for bad usage."
)]
pub(crate) struct Release {
    #[command(flatten)]
    pub(crate) asking: Asking,
}

/// Whom is asked for what.
#[derive(Debug, Args)]
pub(crate) struct Asking {
    /// The beginning of the build's digest; without one, the build before the live one, or all that are not loaded any more
    #[arg(value_parser = digits)]
    pub(crate) digest: Option<String>,

    /// The store of the host
    #[arg(long, value_name = "DIR")]
    pub(crate) store: PathBuf,

    /// The plugin, if the store has builds of several
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) plugin: Option<String>,

    /// How long to wait for the host, in seconds
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(0..=LONGEST_MS / 1000))]
    pub(crate) timeout_s: u64,

    /// Write one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// How `replug history` was called.
#[derive(Debug, Args)]
#[command(
    override_usage = "replug history [OPTIONS] --store <DIR>",
    after_help = "Exit status: 0 if the store could be read; 1 if not; 2 for bad usage."
)]
pub(crate) struct History {
    /// The store of the host
    #[arg(long, value_name = "DIR")]
    pub(crate) store: PathBuf,

    /// This plugin only
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) plugin: Option<String>,

    /// Write one JSON object per build
    #[arg(long)]
    pub(crate) json: bool,
}

fn digits(value: &str) -> Result<String, &'static str> {
    /// The fewest digits: as many as are printed for people.
    const FEWEST: usize = 8;
    let is_digits = value.bytes().all(|byte| byte.is_ascii_hexdigit());
    match is_digits && (FEWEST..=64).contains(&value.len()) {
        true => Ok(value.to_ascii_lowercase()),
        false => Err("it is 8 to 64 hexadecimal digits"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_a_digest_is_eight_digits_at_least() {
        assert_eq!(digits("0123ABCD"), Ok("0123abcd".to_owned()));
        assert!(digits(&"a".repeat(64)).is_ok());
        for wrong in ["", "0123abc", "0123abcg", &"a".repeat(65)] {
            assert!(digits(wrong).is_err(), "{wrong:?}");
        }
    }
}
