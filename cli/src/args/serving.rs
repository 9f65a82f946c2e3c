//! The options that say how libraries are watched, loaded and called.

use std::ffi::{CStr, CString};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use replug::{Audit, FsPolicy, GatePolicy, Options, Text, Trust};

use super::LONGEST_MS;
use super::admitting::Admitting;
use super::keeping::Keeping;
use super::trying::Trying;

/// The function that is called unless another one is named.
const FUNCTION: &CStr = c"plugin_function";

/// How libraries are watched, loaded and called.
#[derive(Debug, Args)]
pub(crate) struct Serving {
    /// Time between polls, in milliseconds; polls of local filesystems come sooner while something changes
    #[arg(long, value_name = "N", default_value_t = ms(Options::INTERVAL), value_parser = clap::value_parser!(u64).range(1..=LONGEST_MS))]
    pub(crate) interval_ms: u64,

    /// How long a file must hold still that was not linked or renamed into place, in milliseconds
    #[arg(long, value_name = "N", default_value_t = ms(Options::SETTLE), value_parser = clap::value_parser!(u64).range(0..=LONGEST_MS))]
    settle_ms: u64,

    /// Whether to wait while a cargo build holds its lock [default: auto; off for `dev`, whose own build has ended]
    #[arg(long, value_name = "WHEN")]
    gate: Option<GateArg>,

    /// How long the gate can hold a file back, in milliseconds
    #[arg(long, value_name = "N", default_value_t = ms(Options::GATE_MAX), value_parser = clap::value_parser!(u64).range(0..=LONGEST_MS))]
    gate_max_ms: u64,

    /// Whether to take the filesystem for what the system says it is
    #[arg(long, value_name = "WHAT", default_value = "auto")]
    fs: FsArg,

    /// Whether to digest now and then what seems unchanged: auto, off, or always after this many milliseconds
    #[arg(long, value_name = "auto|off|MS", default_value = "auto", value_parser = audit)]
    audit: Audit,

    /// Keep the interval, whether something has just changed or nothing has for long
    #[arg(long)]
    steady: bool,

    /// How deep a directory is searched for libraries
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    depth: u16,

    /// The largest file that is taken for a library, in bytes, or with K, M or G behind the number
    #[arg(long, value_name = "SIZE", default_value = "4G", value_parser = size)]
    max_size: u64,

    /// What becomes of a library that others than this user and root may change
    #[arg(long, value_name = "HOW", default_value = "warn")]
    trust: TrustArg,

    #[command(flatten)]
    admitting: Admitting,

    /// Load builds whose signature names a lower version than that of the live build, another name, or no version
    #[arg(long, requires = "require_signature")]
    allow_downgrade: bool,

    #[command(flatten)]
    keeping: Keeping,

    #[command(flatten)]
    trying: Trying,

    /// Where private copies live, instead of your runtime directory or the temporary one
    #[arg(long, value_name = "DIR")]
    stage_dir: Option<PathBuf>,

    /// Load builds that share C++ statics with earlier ones, as if they were built with -fno-gnu-unique
    #[arg(long)]
    allow_unique: bool,

    /// The function to call; a library that lacks it is kept out [default: plugin_function, or nothing of a plugin with an
    /// interface]
    #[arg(long, value_name = "SYMBOL", value_parser = symbol)]
    call: Option<CString>,

    /// The text to call it with
    #[arg(long, value_name = "TEXT", default_value = "world", value_parser = text)]
    pub(crate) arg: CString,

    /// Time between calls, in milliseconds
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(0..=LONGEST_MS))]
    every_ms: u64,

    /// Stop after this many calls
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,

    /// Write one JSON object per line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum GateArg {
    /// Wait while a build holds a lock that is there
    Auto,
    /// Never ask
    Off,
    /// Wait until there is a lock and no build holds it
    Require,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FsArg {
    /// Believe the system; what it does not know counts as remote
    Auto,
    /// All changes are made through this system
    Local,
    /// Others can change files there
    Remote,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum TrustArg {
    /// Keep it out until its rights are mended
    Strict,
    /// Say each cause once, and load it
    Warn,
    /// Ask nothing
    Off,
}

impl From<TrustArg> for Trust {
    fn from(trust: TrustArg) -> Trust {
        match trust {
            TrustArg::Strict => Trust::Strict,
            TrustArg::Warn => Trust::Warn,
            TrustArg::Off => Trust::Off,
        }
    }
}

impl Serving {
    /// Switches the gate off, unless the user chose.
    pub(super) fn switch_gate_off(&mut self) {
        self.gate.get_or_insert(GateArg::Off);
    }

    pub(crate) fn every(&self) -> Duration {
        Duration::from_millis(self.every_ms)
    }

    /// Whether calls that fail are counted.
    pub(crate) fn counts_failures(&self) -> bool {
        self.keeping.counts_failures()
    }

    /// The function that is called.
    pub(crate) fn called(&self) -> CString {
        self.call.clone().unwrap_or_else(|| FUNCTION.to_owned())
    }

    /// Whether builds are tried in helper processes, and whether the function is called there.
    pub(crate) fn tries(&self) -> Option<bool> {
        self.trying.is_wanted().then_some(self.trying.trial_call)
    }

    /// Whether to wait while a cargo build holds its lock.
    pub(crate) fn gate(&self) -> GatePolicy {
        match self.gate {
            None | Some(GateArg::Auto) => GatePolicy::Auto,
            Some(GateArg::Off) => GatePolicy::Off,
            Some(GateArg::Require) => GatePolicy::Require,
        }
    }

    /// The library's options for watching `path`.
    pub(crate) fn options(&self, path: PathBuf) -> Options {
        let fs = match self.fs {
            FsArg::Auto => FsPolicy::Auto,
            FsArg::Local => FsPolicy::Local,
            FsArg::Remote => FsPolicy::Remote,
        };
        let options = Options::new(path)
            .interval(Duration::from_millis(self.interval_ms))
            .settle(Duration::from_millis(self.settle_ms))
            .gate(self.gate())
            .gate_max(Duration::from_millis(self.gate_max_ms))
            .fs(fs)
            .audit(self.audit)
            .steady(self.steady)
            .depth(self.depth.into())
            .allow_downgrade(self.allow_downgrade)
            .allow_unique(self.allow_unique)
            .max_size(self.max_size)
            .trust(self.trust.into())
            // Whoever names a function wants that one.
            .or_declared(self.call.is_none());
        let options = self.keeping.of(self.admitting.of(options));
        let options = self.trying.of(options);
        match &self.stage_dir {
            Some(stage_dir) => options.stage_dir(stage_dir),
            None => options,
        }
    }
}

pub(super) fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(LONGEST_MS)
}

pub(super) fn symbol(value: &str) -> Result<CString, &'static str> {
    if value.is_empty() {
        return Err("a symbol has a name");
    }
    if value.as_bytes() == Text::FREE.to_bytes() {
        return Err("that function takes answers back, it makes none");
    }
    text(value)
}

fn audit(value: &str) -> Result<Audit, &'static str> {
    match value {
        "auto" => Ok(Audit::Auto),
        "off" => Ok(Audit::Off),
        milliseconds => match milliseconds.parse() {
            Ok(ms @ 1..=LONGEST_MS) => Ok(Audit::Every(Duration::from_millis(ms))),
            _ => Err("it is `auto`, `off`, or a number of milliseconds from 1 to 86400000"),
        },
    }
}

pub(super) fn size(value: &str) -> Result<u64, &'static str> {
    let (number, shift) = match value.as_bytes().last() {
        Some(b'K' | b'k') => (&value[..value.len() - 1], 10),
        Some(b'M' | b'm') => (&value[..value.len() - 1], 20),
        Some(b'G' | b'g') => (&value[..value.len() - 1], 30),
        _ => (value, 0),
    };
    let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
    let bytes = number.parse::<u64>().ok().filter(|_| is_number);
    bytes
        .and_then(|bytes| bytes.checked_mul(1 << shift))
        .filter(|bytes| *bytes > 0)
        .ok_or("it is a number of bytes, or of K, M or G of them (1024, 1024², 1024³)")
}

fn text(value: &str) -> Result<CString, &'static str> {
    CString::new(value).map_err(|_| "it holds a NUL, which ends text in C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audit_is_a_word_or_a_time() {
        assert_eq!(audit("auto"), Ok(Audit::Auto));
        assert_eq!(audit("off"), Ok(Audit::Off));
        let every = Audit::Every(Duration::from_millis(1500));
        assert_eq!(audit("1500"), Ok(every));
        for wrong in ["", "0", "on", "-1", "1s", "86400001"] {
            assert!(audit(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_size_is_a_number_with_or_without_a_letter() {
        let usual = Options::MAX_SIZE;
        for (text, bytes) in [("1", 1), ("64K", 1 << 16), ("3m", 3 << 20), ("4G", usual)] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for wrong in [
            "",
            "0",
            "0G",
            "K",
            "+1",
            "-1",
            "1.5G",
            "1T",
            "1GG",
            "99999999999G",
            "é",
        ] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_symbol_is_neither_empty_nor_cut_short_by_a_nul() {
        assert!(symbol("plugin_function").is_ok());
        assert!(symbol("").is_err());
        assert!(symbol("plugin_free").is_err());
        assert!(symbol("plugin\0function").is_err());
    }
}
