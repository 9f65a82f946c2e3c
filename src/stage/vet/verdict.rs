//! What vet says of a staged copy: what it learnt about a good one, or why it refuses one.

use std::env::consts::ARCH;
use std::ffi::{CStr, CString};
use std::io;

use object::elf::ELFMAG;
use replug_plugin::shown::{shown, shown_bytes};

use super::bounded::MOST_READ;
use crate::handshake::Lines;

use super::linkage::{Linkage, Sanitizer};

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
    /// Whether the library has all the functions that were asked for, and not only a declaration in their place.
    pub(crate) is_called: bool,
    /// Whether the library uses initial-exec thread-locals. Their room is fixed when the process starts, so only a few copies of the library can ever be loaded.
    pub(crate) static_tls: bool,
    /// The end of the part that a loader maps, in bytes; behind that part are sections for debuggers.
    pub(crate) mapped: u64,
    /// The library's handshake: its text about the declaration that the library was built from.
    pub(crate) handshake: Option<Vec<u8>>,
    /// The lines of the library's types; none if by its handshake only plain data crosses.
    pub(crate) lines: Lines,
    /// What the library has to do with other libraries of a process.
    pub(crate) linkage: Linkage,
}

impl Vetted {
    /// Refuses a library that this process would not survive, as far as `process_has` tells which symbols the process
    /// has.
    pub(crate) fn check_process(&self, process_has: impl Fn(&CStr) -> bool) -> Checked {
        match self.linkage.sanitizer {
            Some(sanitizer) if !process_has(sanitizer.symbol()) => {
                Err(Refusal::Sanitizer(sanitizer))
            }
            _ => Ok(()),
        }
    }
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
    /// Incomplete: the library has a code signature, and the page that begins at this byte is not the one that was signed.
    #[error("its page at byte {0} is not the one that its code signature was made for")]
    Page(u64),
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
    /// Wrong: the library has these symbols, but they are no functions, as the host needs.
    #[error("it exports {} as data, where the host needs a function", quote(.0))]
    Data(Vec<CString>),
    /// Wrong: the library forbids being loaded into a process that runs already (`DF_1_NOOPEN`).
    #[error("it was linked with `-z nodlopen`, which forbids loading it into a running process")]
    NoOpen,
    /// Wrong: the library is built for another C library, of which a process can have only one.
    #[error("it needs `{}`, another C library than this host's; build it for the host's target", shown(.0))]
    Libc(String),
    /// Wrong: the library needs the runtime of a sanitizer, which this process lacks and cannot load any more.
    #[error(
        "it is built with {}, whose runtime has to be in the host from the start, for libraries to see; build it without \
         `-fsanitize={}`, or the host with it, which in Rust takes `-Clink-arg=-rdynamic` beside", .0.name(), .0.flag()
    )]
    Sanitizer(Sanitizer),
    /// Wrong: the library brings along a library that has not the name by which it is needed, so that no private copy
    /// could stand in for it.
    #[error(
        "it needs `{name}`, and the library of that name beside it has no such soname, so the loader would not take a \
         private copy for it; link that library with `-Wl,-soname,{name}`, or link it in statically",
        name = shown(.0)
    )]
    Soname(String),
    /// Wrong: the library brings along more libraries than anybody builds.
    #[error("it brings more than {0} libraries along")]
    TooMany(usize),
    /// The staged copy could not be read, which says nothing about the artifact.
    #[error("its staged copy cannot be read")]
    Unreadable(#[source] io::Error),
}

/// What a check returns.
pub(super) type Checked<T = ()> = Result<T, Refusal>;

impl Refusal {
    /// Whether a writer may still be at work, so that a later look may find a good library.
    pub fn is_incomplete(&self) -> bool {
        matches!(
            self,
            Self::Empty | Self::Cut(..) | Self::Missing(_) | Self::Page(_)
        )
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
