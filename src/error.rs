//! Errors: what can fail, one variant per step, naming the file. Causes are only in `source()`, so that printing the
//! chain says each thing once; [`chain`] does that.

use std::error::Error as StdError;
use std::fmt::{self, Write as _};
use std::io;
use std::path::PathBuf;

use replug_plugin::shown::shown;
use replug_plugin::{CallError, HookError};

use crate::decide::trouble::Class;
use crate::look::built::is_package_name;
use crate::look::snapshot::Kind;
use crate::store::StoreError;

pub use crate::boundary::{LoadFailure, LoaderError};
pub use crate::decide::trust::{Distrust, Flaw};
pub use crate::handshake::{Difference, Mismatch, TypeDifference};
pub use crate::stage::room::StageError;
pub use crate::stage::vet::Refusal;
#[cfg(feature = "trial")]
pub use crate::trials::part::NoTrial;
#[cfg(feature = "trial")]
pub use crate::trials::verdict::{TrialEnd, TrialFailure, TrialPart};

/// A failed step, and the file it failed on. A live generation goes on running.
///
/// `Debug` is the line for people that [`chain`] makes, because a `main` that returns an error prints it by `Debug`.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Asking the filesystem about a file or directory failed.
    #[error("cannot look at `{}`", shown(path))]
    Look {
        /// The artifact or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Listing a directory of artifacts failed; a partial listing is never used.
    #[error("cannot list `{}`", shown(path))]
    List {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The filesystem that was watched is no longer there; that is not a removal.
    #[error(
        "the filesystem of `{}` is gone: another device is in its place",
        shown(path)
    )]
    MountLost {
        /// The artifact or directory.
        path: PathBuf,
    },
    /// A directory names an artifact that is not found: the system's memory of the one is newer than of the other.
    #[error("cannot find `{}`, though its directory lists it", shown(path))]
    NotFoundThoughListed {
        /// The artifact.
        path: PathBuf,
    },
    /// The path holds something that can never be a library.
    #[error("cannot read `{}`: it is {kind}, not a regular file", shown(path))]
    NotAFile {
        /// The artifact.
        path: PathBuf,
        /// The thing that is there instead.
        kind: Kind,
    },
    /// The file is larger than a library may be.
    #[error(
        "cannot stage `{}`: it has {size} bytes, and what has more than {limit} is not taken for a library; if it is \
         one, allow more (`--max-size`, `Options::max_size`)",
        shown(path)
    )]
    TooLarge {
        /// The artifact.
        path: PathBuf,
        /// Its size, in bytes.
        size: u64,
        /// The largest size, in bytes, that the options allow.
        limit: u64,
    },
    /// This process may not write a file as large as the private copy would be.
    #[error(
        "cannot stage `{}`: it has {size} bytes, and this process may write files of at most {limit}; raise that limit \
         (`ulimit -f`, RLIMIT_FSIZE)",
        shown(path)
    )]
    FileLimit {
        /// The artifact.
        path: PathBuf,
        /// Its size, in bytes.
        size: u64,
        /// The largest size, in bytes, that the system allows.
        limit: u64,
    },
    /// Others than this user and root can change the artifact, and trust is strict. The artifact is judged again until
    /// its rights are mended.
    #[error("cannot trust `{}`", shown(path))]
    Trust {
        /// The artifact.
        path: PathBuf,
        /// What is wrong with the rights.
        source: Distrust,
    },
    /// A person's check does not let the build run. The check is asked again until it does, or until the bytes change.
    #[error("cannot admit `{}`", shown(path))]
    Admission {
        /// The artifact, or the library that it brings along.
        path: PathBuf,
        /// The check's error.
        source: HookError,
    },
    /// Opening or reading the artifact failed.
    #[error("cannot read `{}`", shown(path))]
    Read {
        /// The artifact.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Writing the private copy failed.
    #[error("cannot stage `{}`", shown(path))]
    Stage {
        /// The artifact.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The staged copy is not a library this host can use.
    #[error("cannot vet `{}`", shown(path))]
    Vet {
        /// The artifact.
        path: PathBuf,
        /// What is wrong with the copy.
        source: Refusal,
    },
    /// The staged copy was built from another declaration than the host.
    #[error("cannot shake hands with `{}`", shown(path))]
    Handshake {
        /// The artifact.
        path: PathBuf,
        /// What differs between the declarations.
        source: Mismatch,
    },
    /// Builds are to be tried, and this process cannot have that done.
    #[cfg(feature = "trial")]
    #[error("cannot watch `{}` and try its builds", shown(path))]
    NoTrial {
        /// The artifact or directory.
        path: PathBuf,
        /// Why not.
        source: NoTrial,
    },
    /// The build could not be tried, for a reason that is not the build's. It is tried as soon as that is over.
    #[cfg(feature = "trial")]
    #[error("cannot try `{}` in a helper process", shown(path))]
    NotTried {
        /// The artifact.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The build did not pass its trial. It is not tried again until its bytes change.
    #[cfg(feature = "trial")]
    #[error("cannot hand over `{}`", shown(path))]
    Trial {
        /// The artifact.
        path: PathBuf,
        /// What became of the helper.
        source: TrialFailure,
    },
    /// The dynamic loader, or one of the checks around it, refused the staged copy.
    #[error("cannot load `{}`", shown(path))]
    Load {
        /// The artifact.
        path: PathBuf,
        /// Why the copy was refused.
        source: LoadFailure,
    },
    /// A hook failed on the way to a new generation.
    #[error("cannot {hook} `{}`", shown(path))]
    Hook {
        /// The artifact.
        path: PathBuf,
        /// The hook that failed.
        hook: Hook,
        /// The hook's error.
        source: CallError,
    },
    /// The host itself refused a new generation, in [`Host::handing_over`](crate::Host::handing_over).
    #[error("cannot hand over to `{}`", shown(path))]
    Handover {
        /// The artifact.
        path: PathBuf,
        /// The host's error.
        source: HookError,
    },
    /// The build was left, or has ended its host, and is not loaded again.
    #[error("will not load `{}`: {}", shown(path), shown(reason))]
    Left {
        /// The artifact.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A build cannot come back out of the store.
    #[error("cannot go back to a build of `{}`", shown(path))]
    Back {
        /// The artifact.
        path: PathBuf,
        /// What is in the way.
        source: StoreError,
    },
    /// The library of a cargo package is not where cargo would have left it.
    #[error("cannot find the library of `{}`: {}", shown(package), NotBuilt { package, tried, command })]
    Package {
        /// The name that was asked for.
        package: String,
        /// The paths that were tried; none if there was nothing to try.
        tried: Vec<PathBuf>,
        /// The command that builds the package for this program.
        command: String,
        /// Why cargo could not be asked for another place, if it was asked.
        source: Option<io::Error>,
    },
    /// No directory for staged copies could be made.
    #[error(transparent)]
    StageDirectory(#[from] StageError),
    /// The worker thread could not be started.
    #[error("cannot start the thread that watches `{}`", shown(path))]
    Spawn {
        /// The path that the thread was to watch.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The step at which an artifact was kept out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Step {
    /// Judging who can write the artifact, and whether it may run.
    Trust,
    /// Making the private copy.
    Stage,
    /// Checking the copy without running it.
    Vet,
    /// Comparing the plugin's declaration with the host's.
    Handshake,
    /// Trying the copy in a helper process.
    Trial,
    /// Handing the copy to the dynamic loader.
    Load,
    /// Letting the new generation get ready.
    Init,
    /// Letting the generation before write its state.
    Save,
    /// Letting the new generation take that state over.
    Restore,
    /// What the host itself does before the swap.
    Handover,
    /// What the store says of the build, and taking one out of the store.
    Store,
}

/// A hook of a plugin that can keep a new generation out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Hook {
    /// The `init` of the new generation.
    Init,
    /// The `save` of the generation before.
    Save,
    /// The `restore` of the new generation.
    Restore,
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Hook::Init => "initialise",
            Hook::Save => "save the live state for",
            Hook::Restore => "restore the live state in",
        })
    }
}

/// Where the library of a package was looked for, and what to do, for people.
struct NotBuilt<'a> {
    package: &'a str,
    tried: &'a [PathBuf],
    command: &'a str,
}

impl fmt::Display for NotBuilt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !is_package_name(self.package) {
            return f.write_str("no package can have that name; a path is for `Options::new`");
        }
        match self.tried {
            [] => f.write_str(
                "where this program was built is not known; give its path to `Options::new`",
            ),
            tried => {
                let quoted = tried.iter().map(|path| format!("`{}`", shown(path)));
                let files = quoted.collect::<Vec<_>>().join(" or ");
                write!(
                    f,
                    "there is no file {files}; build it first, `{}`, with `crate-type = [\"cdylib\"]` in its \
                     `[lib]`; a `[lib]` with a `name` of its own is found by that name",
                    self.command
                )
            }
        }
    }
}

impl Error {
    /// The step of the pipeline that failed. Everything before the copy exists counts as staging.
    pub fn step(&self) -> Step {
        match self {
            Error::Trust { .. } | Error::Admission { .. } => Step::Trust,
            Error::Vet { .. } => Step::Vet,
            Error::Handshake { .. } => Step::Handshake,
            #[cfg(feature = "trial")]
            Error::NoTrial { .. } | Error::NotTried { .. } | Error::Trial { .. } => Step::Trial,
            Error::Load { .. } => Step::Load,
            Error::Hook { hook, .. } => match hook {
                Hook::Init => Step::Init,
                Hook::Save => Step::Save,
                Hook::Restore => Step::Restore,
            },
            Error::Handover { .. } => Step::Handover,
            Error::Left { .. } | Error::Back { .. } => Step::Store,
            _ => Step::Stage,
        }
    }

    /// Advice: what a person can do about the failure, if there is anything general to say. The live generation goes
    /// on in any case.
    pub fn advice(&self) -> Option<&'static str> {
        match self {
            Error::Look { source, .. }
            | Error::List { source, .. }
            | Error::Read { source, .. } => Some(Class::of(source).advice()),
            Error::Stage { source, .. } => Some(Class::of(source))
                .filter(|class| *class == Class::FilesOpen)
                .map(Class::advice),
            #[cfg(feature = "trial")]
            Error::NotTried { .. } => Some(
                "it is tried as soon as a helper can be started; if this lasts, allow this user more processes (`ulimit -u`), \
                 or free memory",
            ),
            #[cfg(feature = "trial")]
            Error::Trial { .. } => {
                Some("mend the build; these bytes are not tried again, other ones are")
            }
            Error::MountLost { .. } => Some("mount it again"),
            Error::NotFoundThoughListed { .. } => Some(Class::Stale.advice()),
            Error::Left { .. } => Some("build something else, or release it (`replug release`)"),
            _ => None,
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&chain(self))
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Step::Trust => "trust",
            Step::Stage => "stage",
            Step::Vet => "vet",
            Step::Handshake => "handshake",
            Step::Trial => "trial",
            Step::Load => "load",
            Step::Init => "init",
            Step::Save => "save",
            Step::Restore => "restore",
            Step::Handover => "handover",
            Step::Store => "store",
        })
    }
}

/// An error and its causes in one line, each said once: `cannot read ..: permission denied`. Foreign text in it is
/// [`shown`].
pub fn chain(error: &dyn StdError) -> String {
    let mut line = shown(&error.to_string()).to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Its words may be those of a plugin, or of the system about a name.
        let _ = write!(line, ": {}", shown(&error.to_string()));
        cause = error.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_in_an_error_moves_nothing_and_its_end_is_the_end_of_the_line() {
        let error = Error::Read {
            path: "libx\nplugin01: \u{1b}[2J\u{202e}.so".into(),
            source: io::Error::other("a daemon's\r\nwords"),
        };
        let shown = r"cannot read `libx\nplugin01: \x1b[2J\u{202e}.so`";
        assert_eq!(error.to_string(), shown);
        let line = format!(r"{shown}: a daemon's\r\nwords");
        assert_eq!(chain(&error), line);
        assert_eq!(format!("{error:?}"), line, "what `main` prints");
    }
}
