//! Vet: is a staged copy a complete shared library for this machine, exporting what the host needs?
//!
//! Decided by parsing headers and tables, because a damaged library is no error to the dynamic loader: it is a
//! SIGBUS. Nothing here runs, maps or waits. The poller drives it between the digest and the update, and the
//! verdict falls in two: *incomplete*, a writer may still be at work, look again; or *wrong*, keep what runs.

use std::env::consts::ARCH;
use std::ffi::{CStr, CString};
use std::io::{self, Read, Seek, SeekFrom};

use object::elf::{self, GnuHashHeader, HashHeader};
use object::read::elf::{Dyn, FileHeader, NativeElfFile, ProgramHeader, SectionHeader, Sym};
use object::read::macho::MachHeader;
use object::read::{Architecture, FileKind, Object, ObjectKind, ReadCache, ReadRef};
use object::read::{ObjectSection, ObjectSegment};
use object::{BinaryFormat, NativeEndian as E, U32, macho, pod};

#[cfg(target_pointer_width = "32")]
type Header = elf::FileHeader32<E>;
#[cfg(target_pointer_width = "64")]
type Header = elf::FileHeader64<E>;
type Segment = <Header as FileHeader>::ProgramHeader;
type Entry = <Header as FileHeader>::Dyn;
type Symbol = <Header as FileHeader>::Sym;

/// The format this system's loader takes, and the bytes such a file starts with.
const NATIVE: (&str, &[u8]) = match (cfg!(windows), cfg!(target_vendor = "apple")) {
    (true, _) if WIDE => ("64-bit PE", b"MZ"),
    (true, _) => ("32-bit PE", b"MZ"),
    (_, true) => ("64-bit Mach-O", b"\xcf\xfa\xed\xfe"),
    _ if WIDE => ("64-bit ELF", b"\x7fELF"),
    _ => ("32-bit ELF", b"\x7fELF"),
};
const WIDE: bool = cfg!(target_pointer_width = "64");

/// This machine in `object`'s words. One that is missing here is not compared.
const HOST: Option<Architecture> = if cfg!(all(target_arch = "x86_64", target_pointer_width = "64"))
{
    Some(Architecture::X86_64)
} else if cfg!(all(target_arch = "aarch64", target_pointer_width = "64")) {
    Some(Architecture::Aarch64)
} else if cfg!(target_arch = "x86") {
    Some(Architecture::I386)
} else if cfg!(target_arch = "arm") {
    Some(Architecture::Arm)
} else if cfg!(target_arch = "riscv64") {
    Some(Architecture::Riscv64)
} else if cfg!(target_arch = "loongarch64") {
    Some(Architecture::LoongArch64)
} else if cfg!(target_arch = "powerpc64") {
    Some(Architecture::PowerPc64)
} else if cfg!(target_arch = "s390x") {
    Some(Architecture::S390x)
} else {
    None
};

/// What is missing, in a refusal's words.
const HEADER: &str = "header";
const SECTIONS: &str = "section table";
const SEGMENTS: &str = "program header table";
const DYNAMIC: &str = "dynamic section";

/// How much of a foreign file's head a refusal quotes, in bytes: enough to know `#!/bin/sh` or `<html>`.
const QUOTED: u64 = 16;

/// The longest chain of a GNU hash table that is followed. Linkers aim at a handful of symbols per bucket, so
/// a longer one is damage, and each step is a read.
const LONGEST_CHAIN: u64 = 4096;

/// What vet learnt about a good library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Vetted {
    /// It uses initial-exec thread-locals (`DF_STATIC_TLS`), whose room is fixed when the process starts: only a
    /// few copies of it can ever be loaded, so its host should be warned.
    pub static_tls: bool,
}

/// Why a staged copy is not handed to the loader. It completes the sentence "cannot vet `PATH`: ".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Nothing has been written yet. Incomplete.
    #[error("it is empty")]
    Empty,
    /// It is shorter than its own tables say. Incomplete.
    #[error("it ends at byte {at} of {of}")]
    Cut {
        /// Its length.
        at: u64,
        /// The end of the part that is missing.
        of: u64,
    },
    /// A part every finished library has is absent, or still zeros. Incomplete.
    #[error("its {0} is missing")]
    Unwritten(&'static str),
    /// It is no library of any kind.
    #[error("it is not a shared library: it starts with `{}`", .0.escape_ascii())]
    NotLibrary(Vec<u8>),
    /// It is for another kind of system.
    #[error("it is a {0} file, this system loads {native}", native = NATIVE.0)]
    Format(&'static str),
    /// It is for another kind of processor.
    #[error("it is for {}, this host is {ARCH}", format!("{:?}", .0).to_lowercase())]
    Foreign(Architecture),
    /// It holds native code, but not as a library that can be loaded.
    #[error("it is {0}, not a shared library")]
    Kind(&'static str),
    /// It is a library that lacks symbols the host needs.
    #[error("it does not export {}", quote(.0))]
    Exports(Vec<CString>),
    /// The staged copy cannot be read, which says nothing about the artifact.
    #[error("its staged copy cannot be read")]
    Unreadable(#[source] io::Error),
}

impl Refusal {
    /// Whether a writer may still be at work, so that a later look can find a good library.
    pub fn is_incomplete(&self) -> bool {
        matches!(self, Self::Empty | Self::Cut { .. } | Self::Unwritten(_))
    }
}

/// Vets `staged`, which must hold still, and must define every symbol of `exports`.
pub(crate) fn vet<R: Read + Seek>(staged: R, exports: &[CString]) -> Result<Vetted, Refusal> {
    let mut witness = Witness {
        staged,
        failure: None,
    };
    let verdict = judge(&ReadCache::new(&mut witness), exports);
    match witness.failure {
        Some(cause) => Err(Refusal::Unreadable(cause)),
        None => verdict,
    }
}

fn judge<'a, D: ReadRef<'a>>(data: D, exports: &[CString]) -> Result<Vetted, Refusal> {
    let kind = identify(data)?;
    match format_of(kind) {
        found if found != NATIVE.0 => Err(Refusal::Format(found)),
        _ if matches!(kind, FileKind::Elf32 | FileKind::Elf64) => vet_elf(data, exports),
        _ => vet_image(data, exports),
    }
}

/// Tells the format by the first bytes; those of a native library that has only begun count as unwritten.
fn identify<'a, D: ReadRef<'a>>(data: D) -> Result<FileKind, Refusal> {
    let len = length(data)?;
    let head = data
        .read_bytes_at(0, len.min(QUOTED))
        .map_err(|()| Refusal::Unwritten(HEADER))?;
    // A preallocated file is zeros from the end of what has been written.
    let written = head
        .iter()
        .rposition(|&byte| byte != 0)
        .map_or(0, |last| last + 1);
    match FileKind::parse(data) {
        _ if len == 0 => Err(Refusal::Empty),
        _ if NATIVE.1.starts_with(&head[..written]) => Err(Refusal::Unwritten(HEADER)),
        Ok(FileKind::Archive) => Err(Refusal::Kind("a static library")),
        Ok(kind) => Ok(kind),
        Err(_) if head.starts_with(NATIVE.1) => Err(Refusal::Unwritten(HEADER)),
        Err(_) => Err(Refusal::NotLibrary(head.to_vec())),
    }
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

fn vet_elf<'a, D: ReadRef<'a>>(data: D, exports: &[CString]) -> Result<Vetted, Refusal> {
    let header = Header::parse(data).map_err(|_| Refusal::Unwritten(HEADER))?;
    check_header(header)?;
    check_sections(header, data)?;
    let segments = check_segments(header, data)?;
    let dynamic = Dynamic::read(segments, data)?;
    if dynamic.value(elf::DT_FLAGS_1).unwrap_or(0) & elf::DF_1_PIE.0 != 0 {
        return Err(Refusal::Kind("an executable"));
    }
    let (symbols, strings) = dynamic.symbols(data)?;
    all_exported(exports, |name| {
        symbols.iter().any(|symbol| {
            let named = strings.get(symbol.st_name(E) as usize..);
            symbol.st_shndx(E) != elf::SHN_UNDEF
                && symbol.st_bind() != elf::STB_LOCAL
                && named.is_some_and(|rest| rest.starts_with(name.to_bytes_with_nul()))
        })
    })?;
    let flags = dynamic.value(elf::DT_FLAGS).unwrap_or(0);
    let static_tls = flags & elf::DF_STATIC_TLS.0 != 0;
    Ok(Vetted { static_tls })
}

/// Judges machine and kind by the header alone: it is written first, so a foreign file is called foreign at once
/// instead of being waited for.
fn check_header(header: &Header) -> Result<(), Refusal> {
    if header.is_big_endian() != cfg!(target_endian = "big") {
        let big = header.is_big_endian();
        let found = if big {
            "big-endian ELF"
        } else {
            "little-endian ELF"
        };
        return Err(Refusal::Format(found));
    }
    if header.e_type(E) == elf::ET_NONE || header.e_machine(E) == elf::EM_NONE {
        return Err(Refusal::Unwritten(HEADER));
    }
    // `object` would follow these to tables that may not be there yet.
    let mut alone = *header;
    alone.e_phoff = Default::default();
    alone.e_shoff = Default::default();
    let alone = NativeElfFile::parse(pod::bytes_of(&alone));
    let alone = alone.map_err(|_| Refusal::Unwritten(HEADER))?;
    check_machine(alone.architecture())?;
    check_kind(alone.kind())
}

/// Checks the table that linkers write last, at the end of the file: the sentinel of a finished write. A library
/// that was stripped of it goes without.
fn check_sections<'a, D: ReadRef<'a>>(header: &Header, data: D) -> Result<(), Refusal> {
    let (offset, count) = (header.e_shoff(E).into(), u64::from(header.e_shnum(E)));
    check_inside(data, offset, count * u64::from(header.e_shentsize(E)))?;
    let sections = header
        .section_headers(E, data)
        .or(Err(Refusal::Unwritten(SECTIONS)))?;
    if offset == 0 && count == 0 {
        return Ok(());
    }
    for section in sections.iter().skip(1) {
        if is_blank(pod::bytes_of(section)) {
            return Err(Refusal::Unwritten(SECTIONS));
        }
        if let Some((offset, size)) = section.file_range(E) {
            check_inside(data, offset, size)?;
        }
    }
    let names = header.section_strings_index(E, data).ok();
    let names = names.and_then(|index| sections.get(index.0)?.data(E, data).ok());
    if names.is_none_or(is_blank) {
        return Err(Refusal::Unwritten("section names"));
    }
    // The alignment is the last field of the last entry that is not zero anyway.
    match sections.last() {
        Some(last) if last.sh_addralign(E) != 0 => Ok(()),
        _ => Err(Refusal::Unwritten(SECTIONS)),
    }
}

/// Checks that everything the loader would map is there.
fn check_segments<'a, D: ReadRef<'a>>(header: &Header, data: D) -> Result<&'a [Segment], Refusal> {
    let (offset, count) = (header.e_phoff(E).into(), u64::from(header.e_phnum(E)));
    check_inside(data, offset, count * u64::from(header.e_phentsize(E)))?;
    let segments = header
        .program_headers(E, data)
        .or(Err(Refusal::Unwritten(SEGMENTS)))?;
    let mut loaded = segments
        .iter()
        .filter(|it| it.p_type(E) == elf::PT_LOAD)
        .peekable();
    if loaded.peek().is_none() {
        return Err(Refusal::Unwritten(SEGMENTS));
    }
    for segment in loaded {
        let (offset, size) = segment.file_range(E);
        check_inside(data, offset, size)?;
    }
    Ok(segments)
}

/// The loader's own view of a library, which needs no section: its segments and its dynamic section.
struct Dynamic<'a> {
    segments: &'a [Segment],
    entries: &'a [Entry],
}

impl<'a> Dynamic<'a> {
    fn read<D: ReadRef<'a>>(segments: &'a [Segment], data: D) -> Result<Self, Refusal> {
        let mut found = segments.iter().filter_map(|it| it.dynamic(E, data).ok()?);
        let entries = found.next().ok_or(Refusal::Unwritten(DYNAMIC))?;
        let end = entries
            .iter()
            .position(|entry| entry.d_tag(E) == elf::DT_NULL);
        let entries = &entries[..end.ok_or(Refusal::Unwritten(DYNAMIC))?];
        Ok(Self { segments, entries })
    }

    fn value(&self, tag: elf::DynamicTag) -> Option<u64> {
        let entry = self.entries.iter().find(|entry| entry.d_tag(E) == tag)?;
        Some(entry.d_val(E).into())
    }

    /// Where in the file the table is whose address in memory `tag` holds.
    fn offset(&self, tag: elf::DynamicTag) -> Option<u64> {
        let address = self.value(tag)?;
        let mut loaded = self
            .segments
            .iter()
            .filter(|it| it.p_type(E) == elf::PT_LOAD);
        loaded.find_map(|segment| {
            let (offset, size) = segment.file_range(E);
            let within = address.checked_sub(segment.p_vaddr(E).into())?;
            (within < size).then(|| offset.checked_add(within))?
        })
    }

    /// Reads the symbols the loader would search, and the strings that name them.
    fn symbols<D: ReadRef<'a>>(&self, data: D) -> Result<(&'a [Symbol], &'a [u8]), Refusal> {
        let strings = self.offset(elf::DT_STRTAB).zip(self.value(elf::DT_STRSZ));
        let strings = strings.and_then(|(offset, size)| data.read_bytes_at(offset, size).ok());
        let strings = strings.filter(|strings| strings.len() == 1 || !is_blank(strings));
        let count = self
            .symbol_count(data)
            .and_then(|it| usize::try_from(it).ok());
        let symbols = self.offset(elf::DT_SYMTAB).zip(count);
        let symbols = symbols.and_then(|(offset, count)| data.read_slice_at(offset, count).ok());
        let symbols = symbols.filter(|symbols: &&[Symbol]| {
            // Only the first is zeros in a finished table.
            let mut named = symbols.iter().skip(1);
            !named.any(|symbol| is_blank(pod::bytes_of(symbol)))
        });
        symbols
            .zip(strings)
            .ok_or(Refusal::Unwritten("dynamic symbol table"))
    }

    /// The loader never counts the symbols; the number is in the older hash table, and at the end of the last
    /// chain of the newer one.
    fn symbol_count<D: ReadRef<'a>>(&self, data: D) -> Option<u64> {
        let Some(table) = self.offset(elf::DT_GNU_HASH) else {
            let table = self.offset(elf::DT_HASH)?;
            let header = data.read_at::<HashHeader<E>>(table).ok()?;
            return Some(header.chain_count.get(E).into());
        };
        let header = data.read_at::<GnuHashHeader<E>>(table).ok()?;
        let (base, count) = (header.symbol_base.get(E), header.bucket_count.get(E));
        let bloom = u64::from(header.bloom_count.get(E)) * size_of::<usize>() as u64;
        let buckets_at = table + size_of_val(header) as u64 + bloom;
        let buckets: &[U32<E>] = data.read_slice_at(buckets_at, count as usize).ok()?;
        let last = buckets.iter().map(|bucket| bucket.get(E)).max()?;
        let Some(first_hash) = last.checked_sub(base) else {
            return Some(base.into());
        };
        let chain = buckets_at + 4 * (u64::from(count) + u64::from(first_hash));
        let ends = |step: &u64| {
            let hash = data.read_at::<U32<E>>(chain + 4 * step);
            hash.map_or(true, |hash| hash.get(E) & 1 == 1)
        };
        let steps = (0..LONGEST_CHAIN).find(ends)?;
        Some(u64::from(last) + steps + 1)
    }
}

/// Vets a Mach-O or PE library, of which less is known: that its segments and sections are inside the file.
fn vet_image<'a, D: ReadRef<'a>>(data: D, exports: &[CString]) -> Result<Vetted, Refusal> {
    let file = object::File::parse(data).or(Err(Refusal::Unwritten(HEADER)))?;
    check_machine(file.architecture())?;
    match &file {
        // A bundle is loaded just like a library; `object` has no kind for it.
        object::File::MachO64(it)
            if it.macho_header().filetype(it.endian()) == macho::MH_BUNDLE => {}
        _ => check_kind(file.kind())?,
    }
    let segments = file.segments().map(|it| it.file_range());
    let sections = file.sections().filter_map(|it| it.file_range());
    for (offset, size) in segments.chain(sections) {
        check_inside(data, offset, size)?;
    }
    let names: Result<Vec<_>, _> = file.exports().and_then(|found| {
        let names = found.map(|it| it.map(|it| it.into_name()));
        names.collect()
    });
    let names = names.or(Err(Refusal::Unwritten("export table")))?;
    // Every C name has an underscore put before it on macOS.
    let prefix: &[u8] = if file.format() == BinaryFormat::MachO {
        b"_"
    } else {
        b""
    };
    all_exported(exports, |name| {
        let mut names = names
            .iter()
            .filter_map(|it| it.name()?.strip_prefix(prefix));
        names.any(|it| it == name.to_bytes())
    })?;
    Ok(Vetted { static_tls: false })
}

fn check_machine(found: Architecture) -> Result<(), Refusal> {
    match HOST {
        Some(host) if host != found => Err(Refusal::Foreign(found)),
        _ => Ok(()),
    }
}

fn check_kind(found: ObjectKind) -> Result<(), Refusal> {
    Err(Refusal::Kind(match found {
        ObjectKind::Dynamic => return Ok(()),
        ObjectKind::Executable => "an executable",
        ObjectKind::Relocatable => "an object file",
        ObjectKind::Core => "a core dump",
        _ => "something else",
    }))
}

fn check_inside<'a, D: ReadRef<'a>>(data: D, offset: u64, size: u64) -> Result<(), Refusal> {
    let (at, of) = (length(data)?, offset.saturating_add(size));
    if of > at {
        Err(Refusal::Cut { at, of })
    } else {
        Ok(())
    }
}

fn all_exported(exports: &[CString], has: impl Fn(&CStr) -> bool) -> Result<(), Refusal> {
    let missing: Vec<_> = exports.iter().filter(|name| !has(name)).cloned().collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(Refusal::Exports(missing))
    }
}

fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == 0)
}

fn length<'a, D: ReadRef<'a>>(data: D) -> Result<u64, Refusal> {
    // A length that cannot be told is a failed seek, which the witness has seen and `vet` puts in place of this.
    data.len().map_err(|()| Refusal::Unwritten(HEADER))
}

fn quote(names: &[CString]) -> String {
    let names = names
        .iter()
        .map(|name| format!("`{}`", name.to_string_lossy()));
    names.collect::<Vec<_>>().join(", ")
}

/// Remembers the first failed read, which `object` reports like any damage in the file.
struct Witness<R> {
    staged: R,
    failure: Option<io::Error>,
}

impl<R> Witness<R> {
    fn note<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        result.map_err(|cause| {
            let kind = cause.kind();
            // An interrupted read is tried again by whoever asked for it.
            if kind != io::ErrorKind::Interrupted {
                self.failure.get_or_insert(cause);
            }
            kind.into()
        })
    }
}

impl<R: Read> Read for Witness<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let result = self.staged.read(buf);
        self.note(result)
    }
}

impl<R: Seek> Seek for Witness<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let result = self.staged.seek(to);
        self.note(result)
    }
}
