//! The facts of a library's file that no judgement needs: for people who ask what a file is. They are read as vet reads,
//! within the same bounds, also of a file that vet refuses, as far as it can be read.

use std::cell::Cell;
use std::io::{Read, Seek};

use object::NativeEndian as E;
use object::elf;
use object::read::elf::{FileHeader, ProgramHeader};
use object::read::{FileKind, Object, ReadCache, ReadRef};
use replug_plugin::shown::spelled_bytes;

use super::bounded::Bounded;
use super::checks::{name_of, until_nul};
use super::dynamic::{Dynamic, Symbols};
use super::elf::Header;
use super::kind::{format_of, kind_of};
use super::linkage::Linkage;
use super::linked;
use super::macho;
use crate::boundary::{self, Mapped};

/// The most symbols that are kept by name. Whole browsers have some hundred thousand; nobody reads more of a list.
const MOST_NAMED: usize = 1 << 16;

/// The longest name that is kept, in bytes. Those of C++ templates have some thousand.
const LONGEST_NAME: usize = 16 << 10;

/// The most bytes of names that are kept. Names can overlap in a file that was made for it.
const MOST_NAMES: usize = 32 << 20;

/// A symbol that a library exports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// The symbol's name, as C has it. A byte that belongs to no character is spelled out, as `\xff`.
    pub name: String,
    /// Whether the symbol is a function that can be called.
    pub is_function: bool,
    /// Whether a process has the symbol only once, however many libraries define it (`STB_GNU_UNIQUE`).
    pub is_unique: bool,
}

/// How a library's thread-locals are reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ThreadLocals {
    /// The library has none.
    Absent,
    /// By a call, on each thread when they are first used: there is room for any number of copies of the library.
    Dynamic,
    /// At a fixed place (initial-exec), for which a process has little room.
    Static,
}

/// What a file is. All of it is what the file says of itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    pub(crate) format: Option<&'static str>,
    pub(crate) machine: Option<&'static str>,
    /// Nothing if the tables that the loader goes by cannot be read.
    pub(crate) tables: Option<Tables>,
}

/// What the tables of a library say that the loader goes by.
#[derive(Debug, Clone)]
pub(crate) struct Tables {
    pub(crate) linkage: Linkage,
    pub(crate) exports: Vec<Exported>,
    /// How many symbols are exported, those included that are not kept by name.
    pub(crate) exported: usize,
    pub(crate) thread_locals: ThreadLocals,
    /// Why an image of the library would stay mapped, if the file speaks for that.
    pub(crate) kept: Option<Mapped>,
}

/// Reads the facts of a file.
pub(crate) fn facts(file: impl Read + Seek) -> Facts {
    let (cache, read) = (ReadCache::new(file), Cell::new(0));
    let data = Bounded::new(&cache, &read);
    let kind = FileKind::parse(data).ok();
    let is_native = kind_of(data).is_ok();
    // Of a universal file, the slice for this machine is described.
    let slice = kind.and_then(|_| macho::slices(data, macho::OWN).ok()?.first().copied());
    let (start, size) = slice.unwrap_or((0, data.len().unwrap_or(0)));
    let slice = Bounded::new(cache.range(start, size), &read);
    Facts {
        format: kind.map(|kind| match kind {
            FileKind::Archive => "archive",
            kind => format_of(kind),
        }),
        machine: kind.and_then(|_| machine(slice)),
        tables: match kind {
            Some(FileKind::Elf32 | FileKind::Elf64) if is_native => of_elf(data),
            Some(_) if is_native => of_image(slice),
            _ => None,
        },
    }
}

/// The processor that a file is for, by its first bytes: the rest may be missing.
fn machine<'a, D: ReadRef<'a>>(data: D) -> Option<&'static str> {
    let len = data.len().ok()?.min(HEADER);
    let head = data.read_bytes_at(0, len).ok()?;
    match FileKind::parse(head).ok()? {
        FileKind::Elf32 => elf_machine::<elf::FileHeader32<object::Endianness>>(head),
        FileKind::Elf64 => elf_machine::<elf::FileHeader64<object::Endianness>>(head),
        FileKind::Archive => None,
        _ => object::File::parse(data)
            .ok()
            .map(|it| name_of(it.architecture())),
    }
}

/// How much of a file has its whole header, in bytes.
const HEADER: u64 = 4096;

fn elf_machine<H: FileHeader<Endian = object::Endianness>>(head: &[u8]) -> Option<&'static str> {
    let header = H::parse(head).ok()?;
    let machine = header.e_machine(header.endian().ok()?);
    let architecture = match machine {
        elf::EM_AARCH64 => object::Architecture::Aarch64,
        elf::EM_ARM => object::Architecture::Arm,
        elf::EM_386 => object::Architecture::I386,
        elf::EM_LOONGARCH => object::Architecture::LoongArch64,
        elf::EM_MIPS => object::Architecture::Mips,
        elf::EM_PPC => object::Architecture::PowerPc,
        elf::EM_PPC64 => object::Architecture::PowerPc64,
        elf::EM_RISCV => object::Architecture::Riscv64,
        elf::EM_S390 => object::Architecture::S390x,
        elf::EM_SPARCV9 => object::Architecture::Sparc64,
        elf::EM_X86_64 => object::Architecture::X86_64,
        _ => object::Architecture::Unknown,
    };
    Some(name_of(architecture))
}

fn of_elf<'a, D: ReadRef<'a>>(data: D) -> Option<Tables> {
    let header = Header::<E>::parse(data).ok()?;
    let dynamic = Dynamic::read(header, data).ok()?;
    let symbols = dynamic.symbols(data)?;
    let linkage = linked::read(&dynamic, &symbols, data);
    let segments = header.program_headers(E, data).ok()?;
    let has_locals = segments.iter().any(|it| it.p_type(E) == elf::PT_TLS);
    let has_static_locals = dynamic.has_static_locals(header, data);
    let flags_1 = dynamic.value(elf::DT_FLAGS_1).unwrap_or(0);
    let mut exports = Exports::default();
    for export in &symbols.exports {
        exports.add(export.name, export.is_function, export.is_unique);
    }
    Some(Tables {
        exported: symbols.exports.len(),
        exports: exports.found,
        thread_locals: match (has_static_locals, has_locals) {
            (true, _) => ThreadLocals::Static,
            (false, true) => ThreadLocals::Dynamic,
            (false, false) => ThreadLocals::Absent,
        },
        kept: kept(flags_1, &symbols, &linkage),
        linkage,
    })
}

/// Why an image stays mapped: the loader is told to keep it, keeps it for its objects of which a process has one, or
/// something that the library uses may lead back into it.
fn kept(flags_1: u64, symbols: &Symbols<'_>, linkage: &Linkage) -> Option<Mapped> {
    if flags_1 & elf::DF_1_NODELETE.0 != 0 {
        return Some(Mapped::Forever("it was linked with `-z nodelete`"));
    }
    if boundary::JOINS_UNIQUE && !linkage.unique.is_empty() {
        let why =
            "it has C++ objects of which a process has one each, for which the loader keeps it";
        return Some(Mapped::Forever(why));
    }
    let imports = symbols.imports.iter();
    let imports = imports.map(|name| until_nul(name).unwrap_or(name));
    let needed: Vec<_> = linkage.needed.iter().map(|it| it.as_bytes()).collect();
    let has_symbols = !symbols.imports.is_empty() || !symbols.exports.is_empty();
    boundary::way_back_by(imports, &needed, has_symbols)
}

/// Of Mach-O and PE files only the exports are known.
fn of_image<'a, D: ReadRef<'a>>(data: D) -> Option<Tables> {
    let file = object::File::parse(data).ok()?;
    let found: Result<Vec<_>, _> = file.exports().and_then(|all| all.collect());
    let found = found.ok()?;
    let mut exports = Exports::default();
    for export in &found {
        let name = export.name();
        let is_function = super::image::may_be_code(&file, export.target());
        exports.add(name.name().unwrap_or_default(), is_function, false);
    }
    Some(Tables {
        linkage: Linkage::default(),
        exported: found.len(),
        exports: exports.found,
        thread_locals: ThreadLocals::Absent,
        kept: Some(Mapped::Kept),
    })
}

/// The exports that are kept by name.
#[derive(Default)]
struct Exports {
    found: Vec<Exported>,
    bytes: usize,
}

impl Exports {
    /// Adds a symbol whose name may have a NUL and more text behind it.
    fn add(&mut self, name: &[u8], is_function: bool, is_unique: bool) {
        let name = &name[..name.len().min(LONGEST_NAME)];
        let name = until_nul(name).unwrap_or(name);
        self.bytes += name.len();
        if self.found.len() < MOST_NAMED && self.bytes <= MOST_NAMES {
            self.found.push(Exported {
                name: spelled_bytes(name).into_owned(),
                is_function,
                is_unique,
            });
        }
    }
}
