//! The options that say whether a build is tried before it is loaded.

use std::env;
use std::ffi::OsString;
use std::time::Duration;

use clap::Args;
use replug::{AnyPlugin, Options, Trial};

use super::LONGEST_MS;
use super::serving::{ms, size};

/// How builds are tried.
#[derive(Debug, Args)]
pub(super) struct Trying {
    /// Load each build in a helper process first, and keep out what dies, fails or hangs there
    #[arg(long)]
    trial: bool,

    /// How long a trial takes at most, in milliseconds
    #[arg(long, value_name = "N", default_value_t = ms(Trial::TIME), value_parser = clap::value_parser!(u64).range(1..=LONGEST_MS), requires = "trial")]
    trial_ms: u64,

    /// The address space of a helper, in bytes, or with K, M or G behind the number
    #[arg(long, value_name = "SIZE", default_value = "4G", value_parser = size, requires = "trial")]
    trial_memory: u64,

    /// A variable of the environment that a helper gets, which has no others; can be given for several
    #[arg(long, value_name = "NAME", requires = "trial")]
    trial_env: Vec<OsString>,

    /// Call the function once in each trial, and keep out what returns null
    #[arg(long, requires = "trial")]
    pub(super) trial_call: bool,
}

impl Trying {
    /// Whether builds are tried.
    pub(super) fn is_wanted(&self) -> bool {
        self.trial
    }

    /// These options, with trials.
    pub(super) fn of(&self, options: Options) -> Options {
        if !self.trial {
            return options;
        }
        // A helper reads the options to learn which function is called.
        let trial = Trial::of::<AnyPlugin>()
            .time(Duration::from_millis(self.trial_ms))
            .memory(self.trial_memory)
            .arguments(env::args_os().skip(1));
        let named = self.trial_env.iter();
        options.trial(named.fold(trial, |trial, name| trial.environment(name)))
    }
}
