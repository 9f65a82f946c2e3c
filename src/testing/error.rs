//! What can fail for a copied plugin: one variant per step. A test shows an error by its `Debug`, so that is the sentence
//! with all causes, as for people.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

use replug_plugin::shown::shown;

use crate::error::chain;

/// A failed step on the way to a changed plugin that is live.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Cargo could not be started.
    #[error("cannot start `{}`", shown(cargo))]
    Start {
        /// The cargo that runs the test, or else the one on the path.
        cargo: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Cargo did not say which packages there are.
    #[error("cannot ask cargo for the package `{}`: {}", shown(package), said.trim_end())]
    Ask {
        /// The package that was asked for.
        package: String,
        /// What cargo said instead.
        said: String,
    },
    /// There is no such package.
    #[error(
        "cannot find the package `{}`: the workspace has {}; a package of another one is found by its directory, \
         `Source::at`",
        shown(package),
        list(there)
    )]
    NoPackage {
        /// The package that was asked for.
        package: String,
        /// The packages of the workspace.
        there: Vec<String>,
    },
    /// The package could not be copied, or its copy not be changed.
    #[error("cannot copy `{}`", shown(path))]
    Copy {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A text that was to be replaced is nowhere.
    #[error(
        "cannot replace `{}`: no source file of `{}` has it",
        shown(text),
        shown(package)
    )]
    NoText {
        /// The package that was copied.
        package: String,
        /// The text that was looked for.
        text: String,
    },
    /// The copy does not compile.
    #[error(
        "cannot build the copy of `{}`: cargo ended with {status}:\n{said}",
        shown(package)
    )]
    Build {
        /// The package that was copied.
        package: String,
        /// How cargo ended.
        status: ExitStatus,
        /// What cargo and the compiler said.
        said: String,
    },
    /// The package makes nothing that a host could load.
    #[error(
        "cannot load `{}`: it makes no library that can be loaded; its Cargo.toml needs `crate-type = [\"cdylib\"]` in \
         `[lib]`",
        shown(package)
    )]
    NoLibrary {
        /// The package that was copied.
        package: String,
    },
    /// The host watches another path than that of the copy.
    #[error(
        "cannot bring `{}` live: the host watches `{}`; make it of `Source::options`",
        shown(library),
        shown(watched)
    )]
    Elsewhere {
        /// The library of the copy.
        library: PathBuf,
        /// What the host watches.
        watched: PathBuf,
    },
    /// The build was kept out; the generation that was live still is.
    #[error("cannot bring `{}` live: it was kept out", shown(package))]
    KeptOut {
        /// The package that was copied.
        package: String,
        /// The step that failed, and the cause.
        source: Box<crate::error::Error>,
    },
    /// The build did not go live in time.
    #[error(
        "cannot bring `{}` live within {seconds} s{}",
        shown(package),
        Meanwhile(told)
    )]
    NotLive {
        /// The package that was copied.
        package: String,
        /// How long it was waited for.
        seconds: u64,
        /// The outcomes of that time, in words.
        told: Vec<String>,
        /// Why another build was kept out meanwhile, if one was.
        source: Option<Box<crate::error::Error>>,
    },
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_chain(f)
    }
}

impl Error {
    /// The sentence with all causes. What a compiler says has lines, which stay lines.
    fn fmt_chain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)?;
        match self.source() {
            Some(cause) => write!(f, ": {}", chain(cause)),
            None => Ok(()),
        }
    }
}

/// The names of packages, for people.
fn list(names: &[String]) -> String {
    let quoted = names.iter().map(|name| format!("`{}`", shown(name)));
    quoted.collect::<Vec<_>>().join(", ")
}

/// What a host told while it was waited for.
struct Meanwhile<'a>(&'a [String]);

impl fmt::Display for Meanwhile<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => f.write_str("; the host told nothing meanwhile"),
            told => write!(f, "; the host told meanwhile: {}", told.join("; ")),
        }
    }
}
