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
    /// The library has C++ objects of which a process has one each, so that the next build would run on those of this
    /// one.
    #[error(
        "it defines `{0}`, a C++ object of which a process has only one: the next build would run on the objects of \
         this one, and will be kept out; build it with `-fno-gnu-unique`"
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
        "it needs `{0}` beside it, which has not that soname and so is loaded from where it is: a change of it is not \
         seen, and the first build of it stays in use; link it with `-Wl,-soname,{0}`"
    )]
    Unstaged(String),
}

impl Warning {
    /// The warning's subject in one word, the same for all warnings of a kind: for programs.
    pub fn about(&self) -> &'static str {
        match self {
            Warning::StaticTls => "static-tls",
            Warning::Unique(_) => "unique",
            Warning::ExecutableStack => "executable-stack",
            Warning::TextRelocations => "text-relocations",
            Warning::Unstaged(_) => "unstaged",
        }
    }
}
