//! Trials: a helper process loads a build before the build is handed over, so that a build which crashes, hangs or fails
//! does so there. What a person chooses about them; nothing here starts a process.

use std::any::type_name;
use std::ffi::OsString;
use std::time::Duration;

use self::states::States;

// What the two processes say to each other, and what follows from it. Pure.
pub(crate) mod states;
pub(crate) mod verdict;
pub(crate) mod words;

// Which hosts of this program take part, and whether this process was started to try a build.
pub(crate) mod part;

// The two sides: the process that asks, and the one that was asked.
pub(crate) mod asked;
mod child;
pub(crate) mod helper;

/// The longest time of a trial, so that no sum of two can overflow a clock: a day.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// How builds are tried in a helper process before they are handed over, for [`Options::trial`](crate::Options::trial).
///
/// The helper is this program, started once more. It loads the private copy that would be loaded here, with its own limits and
/// nothing in its environment but what is [named](Trial::environment): constructors run, the handshake is checked, `init` runs,
/// on wish [`restore`](Trial::restoring), and the self-test that the program has given to
/// [`run_if_asked`](crate::trial::run_if_asked), and at last `stop`. A build that dies, fails or hangs there is kept out at the
/// step `trial`, and is not tried again until its bytes change.
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
/// use replug::{Host, Options, Trial, trial};
///
/// replug::interface! {
///     /// Adds.
///     pub interface Adder, plugin trait Add, version 1 {
///         /// The sum.
///         fn add(one: u32, other: u32) -> u32;
///     }
/// }
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     // Before anything else: in a helper this does not return.
///     trial::run_if_asked(Host::<Adder>::new(), |adder| match adder.add(1, 2)? {
///         3 => Ok(()),
///         sum => Err(format!("1 and 2 are {sum}").into()),
///     });
///     let trial = Trial::of::<Adder>().time(Duration::from_secs(2));
///     let mut host = Host::<Adder>::watch(Options::new("target/debug/libadder.so").trial(trial))?;
///     # let _ = host.poll();
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Trial {
    pub(crate) kind: &'static str,
    pub(crate) time: Duration,
    pub(crate) memory: u64,
    pub(crate) descriptors: u64,
    pub(crate) environment: Vec<OsString>,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) states: Option<States>,
}

impl Trial {
    /// How long a trial takes at most unless told otherwise: longer than plugins need to get ready, and short enough to wait
    /// for. A build is late by as much as its trial takes.
    pub const TIME: Duration = Duration::from_secs(10);

    /// The address space of a helper, in bytes, unless told otherwise: some times that of a large program with a large
    /// plugin, most of which is never touched.
    pub const MEMORY: u64 = 4 * 1024 * 1024 * 1024;

    /// How many files a helper can have open unless told otherwise: what Linux gives a process at first.
    pub const DESCRIPTORS: u64 = 1024;

    /// Trials by a helper with a host of `T`: the `T` of [`Host<T>`](crate::Host), for which the program calls
    /// [`run_if_asked`](crate::trial::run_if_asked) first. One host of each `T` takes part.
    pub fn of<T>() -> Trial {
        Trial {
            kind: type_name::<T>(),
            time: Trial::TIME,
            memory: Trial::MEMORY,
            descriptors: Trial::DESCRIPTORS,
            environment: Vec::new(),
            arguments: Vec::new(),
            states: None,
        }
    }

    /// How long a trial takes at most, from the helper's start. A helper that takes longer is killed, with all that it
    /// started in its process group.
    pub fn time(mut self, time: Duration) -> Trial {
        self.time = time.min(LONGEST);
        self
    }

    /// The largest address space of a helper, in bytes (`RLIMIT_AS`), what this program itself takes included. `u64::MAX` is
    /// no limit. On Windows there is none.
    pub fn memory(mut self, bytes: u64) -> Trial {
        self.memory = bytes;
        self
    }

    /// How many files a helper can have open (`RLIMIT_NOFILE`), some of its own included. On Windows any number.
    pub fn descriptors(mut self, descriptors: u64) -> Trial {
        self.descriptors = descriptors;
        self
    }

    /// A variable of the environment that a helper gets, with the value that it has here when a trial begins. A helper has no
    /// others: neither `PATH` nor `HOME`, nor `LD_LIBRARY_PATH` for a program that needs that to start.
    pub fn environment(mut self, name: impl Into<OsString>) -> Trial {
        self.environment.push(name.into());
        self
    }

    /// The arguments with which the program is started as a helper, in place of none: for a program that needs some to come
    /// as far as [`run_if_asked`](crate::trial::run_if_asked).
    pub fn arguments<S: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = S>) -> Trial {
        self.arguments = arguments.into_iter().map(Into::into).collect();
        self
    }

    /// Lets a build restore the state of the live generation in its trial: what that one took over when it went live, or what
    /// it began with if it was the first. The host keeps those bytes, and asks the first generation for its state on the
    /// owner's thread when that goes live. What a generation saves later is seen at the swap only.
    pub fn restoring(mut self) -> Trial {
        self.states.get_or_insert_with(States::default);
        self
    }
}
