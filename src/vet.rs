//! Vet: is a staged copy a complete shared library for this machine, exporting what the host needs?
//!
//! Decided by parsing headers and tables, because to the dynamic loader a damaged library is no error but a fatal
//! signal. Nothing here runs, maps or waits. The poller asks between the digest and the update, and a refusal is
//! of one of two kinds: *incomplete*, a writer may still be at work, look again; or *wrong*, keep what is running.

mod elf;

use std::env::consts::ARCH;
use std::ffi::{CStr, CString};
use std::io::{self, Read, Seek};

use object::BinaryFormat;
use object::elf::ELFMAG;
use object::read::{Architecture, FileKind, Object, ObjectKind, ObjectSection, ObjectSegment};
use object::read::{ExportTarget, ReadCache, ReadRef};

use crate::handshake::{HANDSHAKE, LONGEST};

/// What this system's loader takes, and how such a file starts.
const NATIVE: (&str, &[u8]) = match (cfg!(windows), cfg!(target_vendor = "apple")) {
    (true, _) if cfg!(target_pointer_width = "32") => ("32-bit PE", b"MZ"),
    (true, _) => ("64-bit PE", b"MZ"),
    (_, true) => ("64-bit Mach-O", b"\xcf\xfa\xed\xfe"),
    _ if cfg!(target_pointer_width = "32") => ("32-bit ELF", &ELFMAG),
    _ => ("64-bit ELF", &ELFMAG),
};

/// How much of a foreign file's head a refusal quotes, in bytes: enough to know `#!/bin/sh` or `<html>`.
const QUOTED: u64 = 16;

/// What vet learnt about a good library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Vetted {
    /// It uses initial-exec thread-locals (`DF_STATIC_TLS`). Their room is fixed when the process starts, so only
    /// a few copies of it can ever be loaded.
    pub(crate) static_tls: bool,
    /// Where what a loader maps of it ends, in bytes; behind that are sections for debuggers.
    pub(crate) mapped: u64,
    /// What it says of the declaration that it was built from.
    pub(crate) handshake: Option<Vec<u8>>,
}

/// Why a staged copy is not handed to the loader; completes the sentence "cannot vet `PATH`: ".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Incomplete: nothing has been written.
    #[error("it is empty")]
    Empty,
    /// Incomplete: it has the first number of bytes, and a part of it should end at the second.
    #[error("it ends at byte {0} of {1}")]
    Cut(u64, u64),
    /// Incomplete: a part that every finished library has is absent, damaged or still zeros.
    #[error("its {0} is missing")]
    Missing(&'static str),
    /// Wrong: it starts like no native code of any system.
    #[error("it is not a shared library: it starts with `{}`", .0.escape_ascii())]
    Unknown(Vec<u8>),
    /// Wrong: it is for another kind of system.
    #[error("it is a {0} file, this system loads {native}", native = NATIVE.0)]
    Format(&'static str),
    /// Wrong: it is for another kind of processor.
    #[error("it is for {0}, this host is {ARCH}")]
    Foreign(&'static str),
    /// Wrong: it holds native code, but not in the form of a library.
    #[error("it is {0}, not a shared library")]
    Kind(&'static str),
    /// Wrong: it lacks these symbols, which the host needs.
    #[error("it does not export {}", quote(.0))]
    Exports(Vec<CString>),
    /// The staged copy could not be read, which says nothing about the artifact.
    #[error("its staged copy cannot be read")]
    Unreadable(#[source] io::Error),
}

type Checked<T = ()> = Result<T, Refusal>;

impl Refusal {
    /// Whether a writer may still be at work, so that a later look may find a good library.
    pub fn is_incomplete(&self) -> bool {
        matches!(self, Self::Empty | Self::Cut(..) | Self::Missing(_))
    }
}

/// Vets `staged`, which must hold still and define every symbol of `exports`.
///
/// A library as a linker leaves it, stripped or not, is told from itself cut short or with its tail still zeros at
/// any byte: an ELF file ends with its section table. Three things go unseen, and settling has to catch them: a
/// hole or a mixture of two builds in code or data; zeros at the end of a file whose section table is elsewhere
/// (patchelf) or gone (sstrip); and, in Mach-O and PE files, zeros in general.
///
/// # Errors
///
/// A [`Refusal`]. One that [is incomplete](Refusal::is_incomplete) is worth another look.
pub(crate) fn vet(mut staged: impl Read + Seek, exports: &[CString]) -> Checked<Vetted> {
    let verdict = judge(&ReadCache::new(&mut staged), exports);
    if verdict.as_ref().is_err_and(Refusal::is_incomplete) {
        // To `object` a read that fails is a part that is missing, so see whether all of it can be read.
        staged.rewind().map_err(Refusal::Unreadable)?;
        io::copy(&mut staged, &mut io::sink()).map_err(Refusal::Unreadable)?;
    }
    verdict
}

fn judge<'a, D: ReadRef<'a>>(data: D, exports: &[CString]) -> Checked<Vetted> {
    let len = data.len().unwrap_or(0);
    let head = data.read_bytes_at(0, len.min(QUOTED)).unwrap_or_default();
    // A preallocated file is zeros from where the writer is, at first from the start.
    let mut magic = head.iter().zip(NATIVE.1);
    let begun = magic.all(|(&byte, &magic)| byte == magic || byte == 0);
    match FileKind::parse(data) {
        _ if head.is_empty() => Err(Refusal::Empty),
        Ok(FileKind::Archive) => Err(Refusal::Kind("a static library")),
        Ok(kind) if format_of(kind) != NATIVE.0 => Err(Refusal::Format(format_of(kind))),
        Ok(FileKind::Elf32 | FileKind::Elf64) => elf::vet(data, exports),
        Ok(_) => vet_image(data, exports),
        Err(_) if begun => missing("header"),
        Err(_) => Err(Refusal::Unknown(head.to_vec())),
    }
}

/// Vets a Mach-O or PE file less closely than an ELF file: its parts must be inside it, its exports readable.
pub(crate) fn vet_image<'a, D: ReadRef<'a>>(data: D, exports: &[CString]) -> Checked<Vetted> {
    let file = object::File::parse(data).or(missing("header"))?;
    check_target(&file)?;
    let segments = file.segments().map(|it| it.file_range());
    let sections = file.sections().filter_map(|it| it.file_range());
    for (start, size) in segments.chain(sections) {
        check_inside(data, start, size)?;
    }
    let found: Result<Vec<_>, _> = file.exports().and_then(|all| all.collect());
    let found = found.or(missing("export table"))?;
    // macOS puts an underscore before every name of C.
    let underscore = usize::from(file.format() == BinaryFormat::MachO);
    let find = |name: &CStr| {
        let name = [&b"_"[..underscore], name.to_bytes()].concat();
        found.iter().find(|it| it.name().name() == Some(&name))
    };
    check_exports(exports, |name| find(name).is_some())?;
    let handshake = match find(HANDSHAKE).map(|it| it.target()) {
        Some(ExportTarget::Address { address }) => text_at(&file, address),
        _ => None,
    };
    Ok(Vetted {
        static_tls: false,
        // Only Linux lets go of a file that is mapped.
        mapped: u64::MAX,
        handshake,
    })
}

/// The text at an address of a Mach-O or PE file, up to its NUL.
fn text_at<'a>(file: &impl Object<'a>, address: u64) -> Option<Vec<u8>> {
    // At the very end of one section the next may begin.
    let section = file.sections().find(|it| {
        let end = it.address().saturating_add(it.size());
        (it.address()..end).contains(&address)
    })?;
    let skipped = usize::try_from(address - section.address()).ok()?;
    let bytes = section.data().ok()?.get(skipped..)?;
    let most = bytes.len().min(LONGEST as usize);
    until_nul(&bytes[..most]).map(<[u8]>::to_vec)
}

fn until_nul(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.iter().position(|&byte| byte == 0)?;
    Some(&bytes[..end])
}

fn check_target<'a>(file: &impl Object<'a>) -> Checked {
    let machine = name_of(file.architecture());
    if machine != ARCH {
        return Err(Refusal::Foreign(machine));
    }
    if file.is_little_endian() != cfg!(target_endian = "little") {
        return Err(Refusal::Kind("code of the other byte order"));
    }
    Err(Refusal::Kind(match file.kind() {
        ObjectKind::Dynamic => return Ok(()),
        ObjectKind::Executable => "an executable",
        ObjectKind::Relocatable => "an object file",
        ObjectKind::Core => "a core dump",
        _ => "something else",
    }))
}

fn check_inside<'a, D: ReadRef<'a>>(data: D, start: u64, size: u64) -> Checked {
    match (data.len().unwrap_or(0), start.saturating_add(size)) {
        (len, end) if end > len => Err(Refusal::Cut(len, end)),
        _ => Ok(()),
    }
}

fn check_exports(exports: &[CString], defined: impl Fn(&CStr) -> bool) -> Checked {
    let missing = exports.iter().filter(|name| !defined(name));
    match missing.cloned().collect::<Vec<_>>() {
        missing if missing.is_empty() => Ok(()),
        missing => Err(Refusal::Exports(missing)),
    }
}

fn missing<T>(part: &'static str) -> Checked<T> {
    Err(Refusal::Missing(part))
}

fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == 0)
}

fn format_of(kind: FileKind) -> &'static str {
    match kind {
        FileKind::Elf32 => "32-bit ELF",
        FileKind::Elf64 => "64-bit ELF",
        FileKind::MachO32 => "32-bit Mach-O",
        FileKind::MachO64 => "64-bit Mach-O",
        FileKind::MachOFat32 | FileKind::MachOFat64 => "universal Mach-O",
        FileKind::Pe32 => "32-bit PE",
        FileKind::Pe64 => "64-bit PE",
        _ => "COFF",
    }
}

/// A processor as Rust names it, of those that have a Rust with dynamic libraries.
fn name_of(found: Architecture) -> &'static str {
    match found {
        Architecture::Aarch64 => "aarch64",
        Architecture::Arm => "arm",
        Architecture::I386 => "x86",
        Architecture::LoongArch64 => "loongarch64",
        Architecture::Mips => "mips",
        Architecture::Mips64 => "mips64",
        Architecture::PowerPc => "powerpc",
        Architecture::PowerPc64 => "powerpc64",
        Architecture::Riscv64 => "riscv64",
        Architecture::S390x => "s390x",
        Architecture::Sparc64 => "sparc64",
        Architecture::X86_64 | Architecture::X86_64_X32 => "x86_64",
        _ => "another processor",
    }
}

fn quote(names: &[CString]) -> String {
    let quoted = |name: &CString| format!("`{}`", name.to_string_lossy());
    names.iter().map(quoted).collect::<Vec<_>>().join(", ")
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
