//! Warnings: what a person should know although nothing has failed. Each is said once for an artifact, for as long as
//! its cause stays.

use crate::decide::trust::Distrust;

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
    /// Others than this user and root can change the library.
    #[error("{0} (with trust `strict` it is kept out; with `off` nothing is said)")]
    Trust(Distrust),
}

impl Warning {
    /// The warning's subject in one word, the same for all warnings of a kind: for programs.
    pub fn about(&self) -> &'static str {
        match self {
            Warning::StaticTls => "static-tls",
            Warning::Trust(_) => "trust",
        }
    }
}
