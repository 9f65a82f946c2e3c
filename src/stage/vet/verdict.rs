//! What vet says of a staged copy: what it learnt about a good one, or why it refuses one.

use std::env::consts::ARCH;
use std::ffi::CString;
use std::io;

use object::elf::ELFMAG;
use replug_plugin::shown::shown_bytes;

use super::bounded::MOST_READ;

/// The file format that this system's loader takes, and how such a file starts.
pub(super) const NATIVE: (&str, &[u8]) = match (cfg!(windows), cfg!(target_vendor = "apple")) {
    (true, _) if cfg!(target_pointer_width = "32") => ("32-bit PE", b"MZ"),
    (true, _) => ("64-bit PE", b"MZ"),
    (_, true) => ("64-bit Mach-O", b"\xcf\xfa\xed\xfe"),
    _ if cfg!(target_pointer_width = "32") => ("32-bit ELF", &ELFMAG),
    _ => ("64-bit ELF", &ELFMAG),
};

/// The facts that vet learnt about a good library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Vetted {
    /// Whether the library uses initial-exec thread-locals (`DF_STATIC_TLS`). Their room is fixed when the process
    /// starts, so only a few copies of the library can ever be loaded.
    pub(crate) static_tls: bool,
    /// The end of the part that a loader maps, in bytes; behind that part are sections for debuggers.
    pub(crate) mapped: u64,
    /// The library's handshake: its text about the declaration that the library was built from.
    pub(crate) handshake: Option<Vec<u8>>,
}

/// Why a staged copy is not handed to the loader; completes the sentence "cannot vet `PATH`: ".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Incomplete: nothing has been written.
    #[error("it is empty")]
    Empty,
    /// Incomplete: the file has as many bytes as the first number, and a part of it should end at the second.
    #[error("it ends at byte {0} of {1}")]
    Cut(u64, u64),
    /// Incomplete: a part that every finished library has is absent, damaged or still zeros.
    #[error("its {0} is missing")]
    Missing(&'static str),
    /// Wrong: the file starts like no native code of any system.
    #[error("it is not a shared library: it starts with `{}`", .0.escape_ascii())]
    Unknown(Vec<u8>),
    /// Wrong: the library is for another kind of system.
    #[error("it is a {0} file, this system loads {native}", native = NATIVE.0)]
    Format(&'static str),
    /// Wrong: the library is for another kind of processor.
    #[error("it is for {0}, this host is {ARCH}")]
    Foreign(&'static str),
    /// Wrong: the file holds native code, but not in the form of a library.
    #[error("it is {0}, not a shared library")]
    Kind(&'static str),
    /// Wrong: so much would have to be read of this part, and of others before it, as no library has.
    #[error("its {0} is too large; all tables of a library fit into {MOST_READ} bytes")]
    Oversized(&'static str),
    /// Wrong: the library lacks these symbols, which the host needs.
    #[error("it does not export {}", quote(.0))]
    Exports(Vec<CString>),
    /// The staged copy could not be read, which says nothing about the artifact.
    #[error("its staged copy cannot be read")]
    Unreadable(#[source] io::Error),
}

/// What a check returns.
pub(super) type Checked<T = ()> = Result<T, Refusal>;

impl Refusal {
    /// Whether a writer may still be at work, so that a later look may find a good library.
    pub fn is_incomplete(&self) -> bool {
        matches!(self, Self::Empty | Self::Cut(..) | Self::Missing(_))
    }
}

/// Refuses a library of which this part is absent, damaged or still zeros.
pub(super) fn missing<T>(part: &'static str) -> Checked<T> {
    Err(Refusal::Missing(part))
}

fn quote(names: &[CString]) -> String {
    let quoted = |name: &CString| format!("`{}`", shown_bytes(name.to_bytes()));
    names.iter().map(quoted).collect::<Vec<_>>().join(", ")
}
