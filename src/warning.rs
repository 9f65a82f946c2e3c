//! Warnings: what a person should know although nothing has failed. Each is said once for an artifact, for as long as
//! its cause stays.

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
    #[error(
        "its file has no name any more, so a new build of that name is another file: a bind mount of one file goes on \
         showing the old one; mount its directory instead"
    )]
    /// The file has no name any more, so no new build can come to it.
    NoName,
    #[error(
        "there is no file in it that is named `{}*{}`, only {}; give the library such a name, or watch its own path",
        std::env::consts::DLL_PREFIX,
        std::env::consts::DLL_SUFFIX,
        list(seen)
    )]
    /// No file in the watched directory is named as a library is, and some nearly are.
    Names {
        /// A few of the names that are nearly those of libraries.
        seen: Vec<String>,
    },
    #[error(
        "this system or its container refuses `statx`, so files are looked at by an older call, which cannot ask a \
         server anew; on remote filesystems each library is opened at each poll; allow `statx` in the seccomp profile"
    )]
    /// The system refuses the call by which files are looked at.
    PlainLooks,
    /// This process was forked from the one that watches.
    #[error(
        "this process was forked from the one that watches, and the worker stayed there: what is loaded goes on, and \
         nothing is reloaded here; make a new host in this process"
    )]
    Forked,
}

/// The names in a warning.
fn list(names: &[String]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

impl Warning {
    /// The warning's subject in one word, the same for all warnings of a kind: for programs.
    pub fn about(&self) -> &'static str {
        match self {
            Warning::StaticTls => "static-tls",
            Warning::NoName => "no-name",
            Warning::Names { .. } => "names",
            Warning::PlainLooks => "plain-looks",
            Warning::Forked => "forked",
        }
    }
}
