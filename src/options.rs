//! The choices of a person about a watch: [`Options`], and the policies that they consist of.

use std::ffi::CString;
use std::path::PathBuf;
use std::time::Duration;

pub use crate::handshake::Expected;

use replug_plugin::HookError;

#[cfg(feature = "signatures")]
use crate::admission::NoKey;
use crate::admission::{Applicant, Checks};
#[cfg(feature = "trial")]
use crate::trials::Trial;

/// The longest duration of an option, so that no sum of two can overflow a clock.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The shortest time between two polls.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(1);

/// The options of a watch: what to watch, and how.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use replug::Options;
///
/// let options = Options::new("plugins")
///     .interval(Duration::from_millis(50))
///     .exports([c"plugin_function", c"plugin_free"]);
/// ```
#[derive(Debug, Clone)]
pub struct Options {
    pub(crate) path: PathBuf,
    pub(crate) interval: Duration,
    pub(crate) settle: Duration,
    pub(crate) gate: GatePolicy,
    pub(crate) gate_max: Duration,
    pub(crate) fs: FsPolicy,
    pub(crate) audit: Audit,
    pub(crate) steady: bool,
    pub(crate) seed: Option<u64>,
    pub(crate) depth: usize,
    pub(crate) max_size: u64,
    pub(crate) stage_dir: Option<PathBuf>,
    pub(crate) exports: Vec<CString>,
    pub(crate) exports_data: Vec<CString>,
    pub(crate) or_declared: bool,
    pub(crate) allow_unique: bool,
    pub(crate) expected: Option<Expected>,
    pub(crate) trust: Trust,
    pub(crate) checks: Checks,
    pub(crate) store: Option<PathBuf>,
    pub(crate) store_copies: usize,
    pub(crate) probation: Duration,
    pub(crate) probation_failures: Option<u32>,
    #[cfg(feature = "trial")]
    pub(crate) trial: Option<Trial>,
}

impl Options {
    /// Time between polls unless told otherwise: a person hardly notices the time, and an idle poll is two system
    /// calls. While somebody works, polls of a local filesystem come sooner, unless the pace is
    /// [steady](Options::steady).
    pub const INTERVAL: Duration = Duration::from_millis(250);

    /// How long a file must hold still unless told otherwise: longer than the pauses of a copy or a linker,
    /// short enough to wait for.
    pub const SETTLE: Duration = Duration::from_millis(200);

    /// How long a shut gate holds an artifact back unless told otherwise: longer than most builds. Where nobody can
    /// tell a check from a build, an editor's `cargo check` shuts the gate of cargo up to 1.95 as well.
    pub const GATE_MAX: Duration = Duration::from_secs(60);

    /// The largest file, in bytes, that is taken for a library unless told otherwise: whole browsers and frameworks for
    /// machine learning, with all debug information, are smaller.
    pub const MAX_SIZE: u64 = 4 * 1024 * 1024 * 1024;

    /// How many copies of each plugin a store keeps unless told otherwise: enough to go back past a few bad builds of a day, and
    /// with plugins of 20 MB less than a cargo build leaves behind.
    pub const STORE_COPIES: usize = 8;

    /// How long a new generation is on probation unless told otherwise: code that crashes mostly does so in its first calls, and
    /// a supervisor that starts a host again does so within seconds.
    pub const PROBATION: Duration = Duration::from_secs(60);

    /// The options to watch `path`: a library file or a directory of libraries, whether the path exists yet or not.
    ///
    /// # Trust
    ///
    /// This is where a host says whom it trusts: whoever can write a library at `path` runs code in this process, from
    /// the moment in which the library is mapped. Vet and the handshake keep out what is damaged or does not fit, and
    /// nobody who means harm. `docs/contract.md` has the rest of what only a person can promise.
    pub fn new(path: impl Into<PathBuf>) -> Options {
        Options {
            path: path.into(),
            interval: Options::INTERVAL,
            settle: Options::SETTLE,
            gate: GatePolicy::default(),
            gate_max: Options::GATE_MAX,
            fs: FsPolicy::default(),
            audit: Audit::default(),
            steady: false,
            seed: None,
            depth: 1,
            max_size: Options::MAX_SIZE,
            stage_dir: None,
            exports: Vec::new(),
            exports_data: Vec::new(),
            or_declared: false,
            allow_unique: false,
            expected: None,
            trust: Trust::default(),
            checks: Checks::default(),
            store: None,
            store_copies: Options::STORE_COPIES,
            probation: Options::PROBATION,
            probation_failures: None,
            #[cfg(feature = "trial")]
            trial: None,
        }
    }

    /// Time between polls; at least a millisecond. On a local filesystem it is the longest time: for five minutes after a
    /// change, and while a build holds a library back, polls are 25 ms apart unless the interval is shorter.
    pub fn interval(mut self, interval: Duration) -> Options {
        self.interval = interval.clamp(SHORTEST_INTERVAL, LONGEST);
        self
    }

    /// How long a file must hold still if it was not linked or renamed into place.
    pub fn settle(mut self, settle: Duration) -> Options {
        self.settle = settle.min(LONGEST);
        self
    }

    /// Whether to wait while a cargo build holds its lock.
    pub fn gate(mut self, gate: GatePolicy) -> Options {
        self.gate = gate;
        self
    }

    /// How long to wait for a build at most. After that the artifact is read although the gate is shut, under
    /// stricter settling.
    pub fn gate_max(mut self, gate_max: Duration) -> Options {
        self.gate_max = gate_max.min(LONGEST);
        self
    }

    /// Whether to believe the system about which filesystem the path is on.
    pub fn fs(mut self, fs: FsPolicy) -> Options {
        self.fs = fs;
        self
    }

    /// Whether, and how often, to digest a file that seems unchanged.
    pub fn audit(mut self, audit: Audit) -> Options {
        self.audit = audit;
        self
    }

    /// Keeps the interval always: on local filesystems also while somebody works, and on remote ones however long nothing
    /// has changed.
    pub fn steady(mut self, steady: bool) -> Options {
        self.steady = steady;
        self
    }

    /// The seed of the jitter on remote filesystems. Hosts with equal seeds poll in step; unless a seed is given,
    /// each process has its own.
    pub fn seed(mut self, seed: u64) -> Options {
        self.seed = Some(seed);
        self
    }

    /// Whom to trust to write what is loaded. A process with more rights than the user who started it is always
    /// [strict](Trust::Strict).
    pub fn trust(mut self, trust: Trust) -> Options {
        self.trust = trust;
        self
    }

    /// Lets only builds run whose SHA-256 stands in the file `list`, which is read anew for each build that asks. A line
    /// begins with a digest, as `sha256sum` writes it; lines that begin with `#` say nothing. Any other build is kept out at the
    /// step `trust`, until its bytes change or its digest is added to the list. What is live stays live when its digest is
    /// taken from the list. A library that a plugin brings along needs to be in the list, too.
    ///
    /// Whoever can write the list decides what runs: nobody judges its rights.
    pub fn allow(mut self, list: impl Into<PathBuf>) -> Options {
        self.checks.add_list(list.into());
        self
    }

    /// Lets only builds run that are signed with this key of minisign's, or with another one that was required before: so keys
    /// can be changed. `key` is the line that begins with `RW`, or the file that has it.
    ///
    /// The signature of `libx.so` is the file `libx.so.minisig` beside it. What is signed is the SHA-256 of the library as
    /// `sha256sum` writes it: 64 digits and the end of the line. `replug publish --sign` makes such a signature. Any other build
    /// is kept out at the step `trust`, and asked about again, until its bytes change or its signature is there. A library
    /// that a plugin brings along needs a signature, too.
    ///
    /// # Errors
    ///
    /// If the text is no key.
    #[cfg(feature = "signatures")]
    pub fn require_signature(mut self, key: &str) -> Result<Options, NoKey> {
        self.checks.add_key(key)?;
        Ok(self)
    }

    /// Lets builds take the place of newer ones. Without this, if a signature is [required](Options::require_signature) and that of the
    /// live build says a name and a version (`rules 1.4.2`, [semantic](https://semver.org)), only a build runs whose signature says the same name and no lower
    /// version; any other one is kept out at the step `trust`, until its signature says so or something else is live. With a
    /// [store](Options::store) that holds from one run to the next. What somebody goes [back](crate::Host::back) to is asked for, and
    /// comes back whatever its version.
    #[cfg(feature = "signatures")]
    pub fn allow_downgrade(mut self, allow: bool) -> Options {
        self.checks.allow_downgrade(allow);
        self
    }

    /// Lets only builds run that this check allows, beside what else is asked of them. What it refuses is kept out at the step
    /// `trust`, with the error that it gives as the reason, and is asked about again, every two seconds at least, until it is allowed or
    /// its bytes change.
    ///
    /// The check runs on the thread that watches, once the build is known to be whole, to be a library for this host, and to fit
    /// its interface; it holds up that thread and nothing else. A check that panics refuses.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::collections::HashSet;
    /// use replug::{Digest, Options};
    ///
    /// # let signed = || HashSet::<Digest>::new();
    /// let known = signed();
    /// let options = Options::new("plugins").admit(move |applicant| {
    ///     match known.contains(&applicant.digest()) {
    ///         true => Ok(()),
    ///         false => Err("nobody has signed this build".into()),
    ///     }
    /// });
    /// ```
    pub fn admit(
        mut self,
        check: impl Fn(&Applicant<'_>) -> Result<(), HookError> + Send + Sync + 'static,
    ) -> Options {
        self.checks.add(check);
        self
    }

    /// Tries each build in a helper process before it is handed over, once for its bytes. A build that dies, fails or hangs there is
    /// kept out at the step `trial`, and what is live goes on. The program must take part: its `main` begins with
    /// [`run_if_asked`](crate::trial::run_if_asked), or watching is an error.
    ///
    /// Trials hold up neither the owner's thread nor looks at other libraries. A build goes live as much later as its trial
    /// takes.
    #[cfg(feature = "trial")]
    pub fn trial(mut self, trial: Trial) -> Options {
        self.trial = Some(trial);
        self
    }

    /// How deep a watched directory is searched; 1, the default, is its own files only.
    pub fn depth(mut self, depth: usize) -> Options {
        self.depth = depth.max(1);
        self
    }

    /// The largest file, in bytes, that is taken for a library. A larger one is kept out before anything of it is read: a
    /// file can claim any size and take no room, and a copy of it would fill the disk.
    pub fn max_size(mut self, max_size: u64) -> Options {
        self.max_size = max_size;
        self
    }

    /// Where to make the directory for staged copies, instead of the system's temporary directory.
    pub fn stage_dir(mut self, stage_dir: impl Into<PathBuf>) -> Options {
        self.stage_dir = Some(stage_dir.into());
        self
    }

    /// Keeps the last builds in the directory `store`, with what became of each, so that the host can go
    /// [back](crate::Host::back), by itself too when a new build has ended it. The directory is made for this user alone, and is
    /// that of one host: another host that names it goes on without, and says so.
    pub fn store(mut self, store: impl Into<PathBuf>) -> Options {
        self.store = Some(store.into());
        self
    }

    /// How many copies of each plugin a store keeps; 2 at least: the live one, and one to go back to.
    pub fn store_copies(mut self, copies: usize) -> Options {
        self.store_copies = copies.max(2);
        self
    }

    /// How long a new generation is on probation, for a host with a store. If the process dies meanwhile by what the build did,
    /// the next start loads the last good build, and says why; a build that did so twice is not loaded again until its bytes
    /// differ or it is [released](crate::Host::release).
    ///
    /// So that this can be told from a death from outside, a handler of the signals by which code crashes (`SIGSEGV`, `SIGABRT` and
    /// their like) takes note, and passes each on to the handler that was there before. Zero is no probation, and no handler.
    pub fn probation(mut self, probation: Duration) -> Options {
        self.probation = probation.min(LONGEST);
        self
    }

    /// Goes back when more than `most` calls of a generation fail while it is on probation. The host says which calls have failed,
    /// by [`Host::call_failed`](crate::Host::call_failed).
    pub fn probation_failures(mut self, most: u32) -> Options {
        self.probation_failures = Some(most);
        self
    }

    /// Functions that an artifact must export to pass vet: data under such a name does not pass. They take the place
    /// of functions given before.
    pub fn exports<S: Into<CString>>(mut self, exports: impl IntoIterator<Item = S>) -> Options {
        self.exports = exports.into_iter().map(Into::into).collect();
        self
    }

    /// Lets a library pass that carries the declaration of an interface and lacks the [functions](Options::exports) asked
    /// for. For hosts that load what they do not call, as [`AnyPlugin`](crate::AnyPlugin).
    pub fn or_declared(mut self, or_declared: bool) -> Options {
        self.or_declared = or_declared;
        self
    }

    /// Symbols that an artifact must export to pass vet, and that are not called: data. They take the place of data
    /// given before.
    pub fn exports_data<S: Into<CString>>(mut self, data: impl IntoIterator<Item = S>) -> Options {
        self.exports_data = data.into_iter().map(Into::into).collect();
        self
    }

    /// Loads builds whose C++ objects are those of an earlier build or of another plugin. A process has one of each
    /// object that C++ compilers make for a static of an inline function or of a template, unless they are told
    /// `-fno-gnu-unique`; so a build runs on the objects of the first one, and past their ends should they have
    /// grown. For those who know that these objects never change.
    pub fn allow_unique(mut self, allow: bool) -> Options {
        self.allow_unique = allow;
        self
    }

    /// The interface that an artifact must have been built from to pass the handshake. A host sets this by itself.
    pub fn expected(mut self, expected: Expected) -> Options {
        self.expected = Some(expected);
        self
    }
}

/// Whether to ask cargo's locks before reading a suspect artifact.
///
/// On filesystems where asking for a lock can hang (NFS, CIFS, 9p, Ceph) the gate is off whatever is chosen, as cargo
/// itself takes no locks on NFS; [`Place::gate`](crate::watch::Place::gate) tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GatePolicy {
    /// Ask; wait while a build runs. An absent lock holds nothing back, nor does one that is seen to be held by what
    /// builds no library, such as `cargo check` (on Linux).
    #[default]
    Auto,
    /// Never ask.
    Off,
    /// Wait until a lock exists and is open, whoever holds it.
    Require,
}

/// Whether to believe the system about which filesystem a path is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FsPolicy {
    /// Believe the system; a filesystem that the system does not know counts as remote.
    #[default]
    Auto,
    /// Take the filesystem for local: one look per artifact and poll, and no wait is longer than the interval.
    Local,
    /// Take the filesystem for remote: list, open and look on each poll, and audit.
    Remote,
}

/// What becomes of a library that others than this user and root may change.
///
/// Judged are the file as it was opened, each directory and each symbolic link on the way to it. Each must belong to this
/// user or to root; the file and the directories must not be writable for their group or for others. A directory in
/// which others can write may be sticky. The group's right counts for nothing if the owner is the group's only member.
/// On Windows nothing is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Trust {
    /// Keep it out, until the rights are mended.
    Strict,
    /// Say each cause once, and load it.
    #[default]
    Warn,
    /// Ask nothing. Whoever can write the file, or one of the directories, runs code in this process.
    Off,
}

/// Whether, and how often, to digest a file that seems unchanged. A write through a shared mapping changes nothing
/// that a look can see, and a remote filesystem can keep showing an old state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Audit {
    /// Where the artifact arrived with weak evidence of being complete, or the filesystem is remote: 2 s, 10 s and 60
    /// s after a digest, then every 5 minutes. Elsewhere once, after 2 s.
    #[default]
    Auto,
    /// Never.
    Off,
    /// Always this long after the last digest.
    Every(Duration),
}
