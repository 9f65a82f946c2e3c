//! Warnings: what a person should know although nothing has failed. Each is said once for an artifact, for as long as
//! its cause stays.

use std::fmt;
use std::io;
use std::path::PathBuf;

use replug_plugin::shown::shown;

use crate::decide::trust::Distrust;
use crate::look::digest::Digest;

/// Something that a person should know about an artifact, although replug goes on with it.
///
/// Its `Display` is a clause without the artifact's path: what was found, what follows from that, what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Warning {
    /// The library uses initial-exec thread-locals, for which a process has little room.
    #[error(
        "it uses initial-exec thread-locals; a process has room for only a few copies of it, so later reloads may fail; \
         build it without `-ftls-model=initial-exec`"
    )]
    StaticTls,
    /// The library has C++ objects of which a process has one each, so that the next build would run on those of this
    /// one.
    #[error(
        "it defines `{}`, a C++ object of which a process has only one: the next build would run on the objects of \
         this one, and will be kept out; build it with `-fno-gnu-unique`",
        shown(.0)
    )]
    Unique(String),
    /// The library asks for stacks from which code can be run.
    #[error(
        "it asks for stacks from which code can be run, which some loaders refuse and others grant to all threads of \
         the host; assemble it with a section `.note.GNU-stack`, or link it with `-z noexecstack`"
    )]
    ExecutableStack,
    /// The loader has to write to the library's code.
    #[error(
        "it has relocations in its code, so that each load writes to the code, which hardened systems refuse; compile \
         it with `-fPIC`"
    )]
    TextRelocations,
    /// A library beside the artifact is needed and cannot be staged with it.
    #[error(
        "it needs `{name}` beside it, which has not that soname and so is loaded from where it is: a change of it is not \
         seen, and the first build of it stays in use; link it with `-Wl,-soname,{name}`",
        name = shown(.0)
    )]
    Unstaged(String),
    /// A warning of a library that the artifact brings along.
    #[error("of `{}`, which it brings along: {warning}", shown(library))]
    Beside {
        /// The name by which the library is needed.
        library: String,
        /// What is to be known about the library.
        warning: Box<Warning>,
    },
    /// A directory below the watched one, and so many others, cannot be listed.
    #[error(
        "cannot list `{}`{}: {reason}; what is known there stays as it is, and nothing new is seen there; let this user \
         read it, or search less deep",
        shown(directory), Others(*others)
    )]
    Unlisted {
        /// The first such directory.
        directory: PathBuf,
        /// How many others there are.
        others: usize,
        /// What the system said of the first one.
        reason: io::ErrorKind,
    },
    /// The watched directory holds more libraries than are followed.
    #[error(
        "it holds more libraries than the {followed} that are followed; {left_out} are left out, the last by name, from \
         `{}` on; watch a directory that holds only plugins, and in which nobody else can make files",
        shown(first)
    )]
    TooMany {
        /// How many libraries are followed.
        followed: usize,
        /// How many libraries are not.
        left_out: usize,
        /// The first of these by name.
        first: PathBuf,
    },
    /// No file in the watched directory is named as a library is, and some nearly are.
    #[error(
        "there is no file in it that is named `{}*{}`, only {}; give the library such a name, or watch its own path",
        std::env::consts::DLL_PREFIX,
        std::env::consts::DLL_SUFFIX,
        list(seen)
    )]
    Names {
        /// A few of the names that are nearly those of libraries.
        seen: Vec<String>,
    },
    /// The file has no name any more, so no new build can come to it.
    #[error(
        "its file has no name any more, so a new build of that name is another file: a bind mount of one file goes on \
         showing the old one; mount its directory instead"
    )]
    NoName,
    /// The system refuses the call by which files are looked at.
    #[error(
        "this system or its container refuses `statx`, so files are looked at by an older call, which cannot ask a \
         server anew; on remote filesystems each library is opened at each poll; allow `statx` in the seccomp profile"
    )]
    PlainLooks,
    /// This process was forked from the one that watches.
    #[error(
        "this process was forked from the one that watches, and the worker stayed there: what is loaded goes on, and \
         nothing is reloaded here; make a new host in this process"
    )]
    Forked,
    /// The store cannot be used, or not written to.
    #[error(
        "{0}; what is loaded goes on, new builds are loaded, and what could not be kept cannot be gone back to"
    )]
    Store(String),
    /// A build was on probation when its process ended, or has failed its probation.
    #[error("of its build {}: {}", digest.short(), shown(reason))]
    Died {
        /// The digest of the build.
        digest: Digest,
        /// What is known, and what is not.
        reason: String,
    },
    /// Others than this user and root can change the library.
    #[error("{0} (with trust `strict` it is kept out; with `off` nothing is said)")]
    Trust(Distrust),
}

/// The number of other directories, for people; nothing if there are none.
struct Others(usize);

impl fmt::Display for Others {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            others => write!(f, " and {others} more directories"),
        }
    }
}

/// The names in a warning.
fn list(names: &[String]) -> String {
    let quoted: Vec<_> = names
        .iter()
        .map(|name| format!("`{}`", shown(name)))
        .collect();
    quoted.join(", ")
}

impl Warning {
    /// The subjects that a directory warns of.
    pub(crate) const UNLISTED: &str = "unlisted";
    pub(crate) const NAMES: &str = "names";
    pub(crate) const TOO_MANY: &str = "too-many";

    /// Whether another warning says nothing that this one has not said. Numbers that grow are no news.
    pub(crate) fn covers(&self, other: &Warning) -> bool {
        let are_counts = matches!(
            (self, other),
            (Warning::TooMany { .. }, Warning::TooMany { .. })
        );
        are_counts || self == other
    }

    /// The library that the warning is about, if that is one which the artifact brings along.
    pub(crate) fn library(&self) -> Option<&str> {
        match self {
            Warning::Beside { library, .. } => Some(library),
            _ => None,
        }
    }

    /// Whether of this warning and another only the later holds.
    pub(crate) fn has_subject_of(&self, other: &Warning) -> bool {
        (self.about(), self.library()) == (other.about(), other.library())
    }

    /// The warning's subject in one word, the same for all warnings of a kind: for programs.
    pub fn about(&self) -> &'static str {
        match self {
            Warning::StaticTls => "static-tls",
            Warning::Unique(_) => "unique",
            Warning::ExecutableStack => "executable-stack",
            Warning::TextRelocations => "text-relocations",
            Warning::Unstaged(_) => "unstaged",
            Warning::Beside { warning, .. } => warning.about(),
            Warning::Unlisted { .. } => Warning::UNLISTED,
            Warning::TooMany { .. } => Warning::TOO_MANY,
            Warning::NoName => "no-name",
            Warning::Names { .. } => Warning::NAMES,
            Warning::PlainLooks => "plain-looks",
            Warning::Forked => "forked",
            Warning::Trust(_) => "trust",
            Warning::Store(_) => "store",
            Warning::Died { .. } => "died",
        }
    }
}
