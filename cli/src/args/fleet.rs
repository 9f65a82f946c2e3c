//! The options of the subcommands about a fleet. They are there in each build of the program, so that the help is one.
#![cfg_attr(
    not(feature = "fleet"),
    expect(dead_code, reason = "read with the feature")
)]

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser as NonEmpty;
use clap::{Args, ValueEnum};
use replug::shown::shown;

use super::admitting::key;
use super::serving::size;
use super::{LONGEST_MS, is_line};

/// How `replug mirror` was called.
#[derive(Debug, Args)]
#[command(
    override_usage = "replug mirror [OPTIONS] --require-signature <KEY> <URL> <DIR>",
    after_help = "URL is that of the manifest: s3://, gs://, az://, https://, http://, file://, or a path. What the storage asks for \
        is in the environment: AWS_ACCESS_KEY_ID, GOOGLE_SERVICE_ACCOUNT, AZURE_STORAGE_ACCOUNT_NAME and so on.\n\
        Exit status: 0 after Ctrl-C or SIGTERM, or if --once found all well; 1 after a run-time error, or if --once did not; \
        2 for bad usage."
)]
pub(crate) struct Mirror {
    /// The manifest of the fleet
    #[arg(value_name = "URL", value_parser = NonEmpty::new())]
    pub(crate) url: String,

    /// The directory that hosts watch; one mirror works in it
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,

    /// Follow only what is signed with this public key of minisign's: the key, or a file that has it; can be given for several
    /// keys, one of which is enough
    #[arg(long, value_name = "KEY", value_parser = key, required = true)]
    pub(crate) require_signature: Vec<String>,

    /// Follow manifests of this fleet only [default: the fleet of the first manifest that was followed]
    #[arg(long, value_name = "NAME")]
    pub(crate) fleet: Option<String>,

    /// The name of this host in the fleet [default: the machine's]
    #[arg(long, value_name = "NAME")]
    pub(crate) host: Option<String>,

    /// Read what the host makes of its builds from this file, to which `replug run --json` or a host's own lines go
    #[arg(long, value_name = "FILE")]
    pub(crate) host_events: Option<PathBuf>,

    /// Ask this command by the shell, while a new build bakes, whether the host is well; another exit status than 0 says no
    #[arg(long, value_name = "CMD", value_parser = NonEmpty::new())]
    pub(crate) check: Option<String>,

    /// Write no report of this host into the storage
    #[arg(long)]
    pub(crate) no_report: bool,

    /// The time between two looks at the manifest, in milliseconds
    #[arg(long, value_name = "N", default_value_t = 30_000, value_parser = clap::value_parser!(u64).range(1..=LONGEST_MS))]
    interval_ms: u64,

    /// The largest build that is taken, in bytes, or with K, M or G behind the number
    #[arg(long, value_name = "SIZE", default_value = "1G", value_parser = size)]
    pub(crate) max_size: u64,

    /// Look once, and end
    #[arg(long)]
    pub(crate) once: bool,

    /// Write one JSON object per line
    #[arg(long)]
    pub(crate) json: bool,
}

/// How `replug rollout` was called.
#[derive(Debug, Args)]
#[command(
    override_usage = "replug rollout [OPTIONS] <MANIFEST> add <FILE>\n       \
        replug rollout [OPTIONS] <MANIFEST> start <DIGEST>\n       \
        replug rollout [OPTIONS] <MANIFEST> status|drive|hold|promote|back\n       \
        replug rollout [OPTIONS] <MANIFEST> forget <HOST>",
    after_help = "Exit status: 0 if it is done; 1 if it is not, if another one was faster, or if `drive` or `status --watch` saw the \
        rollout go back; 2 for bad usage."
)]
pub(crate) struct Rollout {
    /// The manifest of the fleet, as `replug mirror` has it
    #[arg(value_name = "MANIFEST", value_parser = NonEmpty::new())]
    pub(crate) manifest: String,

    /// What to do
    #[arg(value_name = "ACTION")]
    pub(crate) action: Action,

    /// The library of `add`, the digest of `start`, the host of `forget`
    #[arg(value_name = "SUBJECT")]
    pub(crate) subject: Option<String>,

    /// Sign with this secret key of minisign's
    #[arg(long, value_name = "KEYFILE")]
    pub(crate) sign: Option<PathBuf>,

    /// Believe a manifest only if it is signed with this public key of minisign's; can be given for several keys, one of which is
    /// enough [default: the public half of the key of --sign]
    #[arg(long, value_name = "KEY", value_parser = key)]
    pub(crate) require_signature: Vec<String>,

    /// The name of the fleet; the first `start` needs one
    #[arg(long, value_name = "NAME")]
    pub(crate) fleet: Option<String>,

    /// The waves of `start`, separated by commas: numbers of hosts, or shares of them
    #[arg(
        long,
        value_name = "LIST",
        default_value = "1,10%,50%,100%",
        value_delimiter = ','
    )]
    pub(crate) waves: Vec<String>,

    /// How long the build of `start` must have been live on each host of a wave before the next one: 90s, 5m, 1h
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = bake)]
    pub(crate) bake: Duration,

    /// Who decides, for those who read it later [default: this user and machine]
    #[arg(long, value_name = "NAME", value_parser = is_line)]
    pub(crate) by: Option<String>,

    /// Go on with `status`, and go on with the rollout as `drive` does if there is a key to sign with
    #[arg(long)]
    pub(crate) watch: bool,

    /// The time between two looks at the reports, in milliseconds
    #[arg(long, value_name = "N", default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(1..=LONGEST_MS))]
    interval_ms: u64,

    /// Write one JSON object per line
    #[arg(long)]
    pub(crate) json: bool,
}

/// The things that are done with a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Action {
    /// Put a library into the storage, under its digest
    Add,
    /// Begin a rollout, with its first wave
    Start,
    /// Say how far it is, and how each host is
    Status,
    /// Go on whenever a wave is well, and back if it is not, until the rollout has come to its end
    Drive,
    /// Hold it, until somebody says `promote`
    Hold,
    /// Go on to the next wave now
    Promote,
    /// Go back to the stable build, or from that to the one before
    Back,
    /// Forget what a host has reported
    Forget,
}

impl Action {
    /// What a subject of the action is, if it has one.
    pub(crate) fn subject(self) -> Option<&'static str> {
        match self {
            Action::Add => Some("a library"),
            Action::Start => Some("the digest of a build"),
            Action::Forget => Some("the name of a host"),
            _ => None,
        }
    }
}

impl Mirror {
    pub(crate) fn interval(&self) -> Duration {
        Duration::from_millis(self.interval_ms)
    }
}

impl Rollout {
    pub(crate) fn interval(&self) -> Duration {
        Duration::from_millis(self.interval_ms)
    }
}

/// A time, as a number with `s`, `m` or `h` behind it.
fn bake(text: &str) -> Result<Duration, String> {
    let wrong = || {
        format!(
            "`{}` is no time: that is a number with `s`, `m` or `h` behind it, at most a week",
            shown(text)
        )
    };
    let units = [('s', 1), ('m', 60), ('h', 3600)];
    let (unit, length) = units
        .into_iter()
        .find(|(unit, _)| text.ends_with(*unit))
        .ok_or_else(wrong)?;
    let number = text.strip_suffix(unit).unwrap_or(text).parse::<u64>();
    let seconds = number.ok().and_then(|it| it.checked_mul(length));
    match seconds {
        Some(seconds @ ..=604_800) => Ok(Duration::from_secs(seconds)),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit() {
        for (text, seconds) in [("0s", 0), ("90s", 90), ("5m", 300), ("2h", 7200)] {
            assert_eq!(bake(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in [
            "",
            "5",
            "m",
            "-1s",
            "5mm",
            "1.5h",
            "200h",
            "99999999999999999999h",
        ] {
            assert!(bake(text).is_err(), "{text}");
        }
    }
}
