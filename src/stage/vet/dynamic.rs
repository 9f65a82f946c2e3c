//! The parts of an ELF file that the loader goes by: its segments, its dynamic section, and the symbols in it.

use std::ffi::CStr;

use object::elf::{self, DynamicTag};
use object::read::ReadRef;
use object::read::elf::{Dyn, FileHeader, GnuHashTable, HashTable, ProgramHeader, Rela, Sym};
use object::{NativeEndian as E, pod};

use super::checks::{check_inside, is_blank, until_nul};
use super::verdict::{Checked, missing};
use crate::handshake::LONGEST;

/// A symbol that the library defines.
pub(super) struct Export<'a> {
    /// The symbol's name, a NUL, and all text that follows.
    pub(super) name: &'a [u8],
    pub(super) address: u64,
    pub(super) size: u64,
    /// Whether the symbol is a function that can be called.
    pub(super) is_function: bool,
    /// Whether a process has the symbol only once, however many libraries define it.
    pub(super) is_unique: bool,
}

/// The symbols of a library that other libraries have to do with.
pub(super) struct Symbols<'a> {
    pub(super) exports: Vec<Export<'a>>,
    /// The names of those that it needs from other libraries: each with a NUL, and all text that follows.
    pub(super) imports: Vec<&'a [u8]>,
}

impl<'a> Symbols<'a> {
    pub(super) fn find(&self, name: &CStr) -> Option<&Export<'a>> {
        let name = name.to_bytes_with_nul();
        let mut named = self.exports.iter().filter(|it| it.name.starts_with(name));
        let first = named.next()?;
        // A name that has versions can have one that is no function.
        Some(named.find(|it| !it.is_function).unwrap_or(first))
    }
}

/// Whether a symbol for a function is the address of its code, and not that of a descriptor in the data, as in the
/// first ABI of 64-bit PowerPC.
const SYMBOLS_ARE_CODE: bool = cfg!(not(all(target_arch = "powerpc64", target_endian = "big")));

/// The parts of the file that the loader itself goes by: the segments it maps, and the dynamic section.
pub(super) struct Dynamic<'a, H: FileHeader> {
    pub(super) loaded: Vec<&'a H::ProgramHeader>,
    pub(super) entries: &'a [H::Dyn],
    /// Whether the library asks for stacks from which code can be run.
    pub(super) wants_executable_stack: bool,
}

impl<'a, H: FileHeader<Endian = E>> Dynamic<'a, H> {
    pub(super) fn read<D: ReadRef<'a>>(header: &H, data: D) -> Checked<Self> {
        let segments = header.program_headers(E, data);
        let segments = segments.or(missing("program header table"))?;
        let loaded = segments.iter().filter(|it| it.p_type(E) == elf::PT_LOAD);
        let loaded: Vec<_> = loaded.collect();
        for (start, size) in loaded.iter().map(|it| it.file_range(E)) {
            check_inside(data, start, size)?;
        }
        // Only the first dynamic section is read, however many segments claim to be one.
        let dynamic = segments.iter().find(|it| it.p_type(E) == elf::PT_DYNAMIC);
        let entries = dynamic.and_then(|it| it.dynamic(E, data).ok()?);
        let entries = entries.unwrap_or_default();
        let mut entries = entries.split(|it| it.d_tag(E) == elf::DT_NULL);
        let entries = entries.next().unwrap_or_default();
        let stack = segments.iter().find(|it| it.p_type(E) == elf::PT_GNU_STACK);
        let wants_executable_stack = stack.is_some_and(|it| it.p_flags(E).0 & elf::PF_X.0 != 0);
        Ok(Self {
            loaded,
            entries,
            wants_executable_stack,
        })
    }

    pub(super) fn value(&self, tag: DynamicTag) -> Option<u64> {
        let entry = self.entries.iter().find(|it| it.d_tag(E) == tag)?;
        Some(entry.val(E))
    }

    /// The table whose address `tag` holds, up to the next table or the end of its segment: few tables have a length.
    fn table<D: ReadRef<'a>>(&self, tag: DynamicTag, data: D) -> Option<&'a [u8]> {
        let start = self.value(tag)?;
        let addresses = self.entries.iter().filter(|it| it.is_address(E));
        let next = addresses.map(|it| it.val(E)).filter(|&it| it > start);
        let end = next.min().unwrap_or(u64::MAX);
        let (offset, size) = self.place(start, end - start)?;
        data.read_bytes_at(offset, size).ok()
    }

    /// The table of strings, as long as the dynamic section says.
    pub(super) fn strings<D: ReadRef<'a>>(&self, data: D) -> Option<&'a [u8]> {
        let strings = self.table(elf::DT_STRTAB, data)?;
        strings.get(..self.value(elf::DT_STRSZ)?.try_into().ok()?)
    }

    /// Whether thread-locals of the library lie at fixed places (initial-exec): the linker says so, or, as GNU's does not
    /// on aarch64, the loader is to fill in the distance to one.
    pub(super) fn has_static_locals<D: ReadRef<'a>>(&self, header: &H, data: D) -> bool {
        let flags = self.value(elf::DT_FLAGS).unwrap_or(0);
        let is_said = flags & elf::DF_STATIC_TLS.0 != 0;
        let is_unsaid = || {
            let asks = |it: &H::Rela| it.r_type(E, false) == elf::R_AARCH64_TLS_TPREL;
            header.e_machine(E) == elf::EM_AARCH64 && self.relocations(data).iter().any(asks)
        };
        is_said || is_unsaid()
    }

    /// The relocations of data.
    fn relocations<D: ReadRef<'a>>(&self, data: D) -> &'a [H::Rela] {
        let bytes = || {
            let (start, most) = (self.value(elf::DT_RELA)?, self.value(elf::DT_RELASZ)?);
            let (offset, size) = self.place(start, most)?;
            data.read_bytes_at(offset, size).ok()
        };
        let bytes = bytes().unwrap_or_default();
        let count = bytes.len() / size_of::<H::Rela>();
        pod::slice_from_bytes(bytes, count).map_or(&[], |(found, _)| found)
    }

    /// The segment that an address is in.
    pub(super) fn segment(&self, address: u64) -> Option<&'a H::ProgramHeader> {
        let mut loaded = self.loaded.iter();
        let found = loaded.find(|it| {
            let start: u64 = it.p_vaddr(E).into();
            (start..start.saturating_add(it.p_memsz(E).into())).contains(&address)
        });
        found.copied()
    }

    /// Whether a symbol is a function: it says so, or says nothing as assemblers do, and it lies where code can run.
    fn is_function(&self, symbol: &H::Sym) -> bool {
        let says_so = matches!(
            symbol.st_type(),
            elf::STT_FUNC | elf::STT_GNU_IFUNC | elf::STT_NOTYPE
        );
        let segment = self.segment(symbol.st_value(E).into());
        let is_code = segment.is_some_and(|it| it.p_flags(E).0 & elf::PF_X.0 != 0);
        let is_placed = symbol.st_shndx(E) != elf::SHN_ABS;
        says_so && is_placed && (is_code || !SYMBOLS_ARE_CODE)
    }

    /// The place in the file of the bytes that are loaded at an address, and how many they are, up to `most`.
    pub(super) fn place(&self, start: u64, most: u64) -> Option<(u64, u64)> {
        self.loaded.iter().find_map(|it| {
            let (offset, size) = it.file_range(E);
            let skipped = start.checked_sub(it.p_vaddr(E).into())?;
            let size = size.checked_sub(skipped)?.min(most);
            (size > 0).then_some((offset.checked_add(skipped)?, size))
        })
    }

    /// The text at an address, up to its NUL.
    pub(super) fn text<D: ReadRef<'a>>(&self, start: u64, data: D) -> Option<&'a [u8]> {
        // Not by `read_bytes_at_until`, which ends after 4 KiB; and not all that a text can have at once, for most are
        // short, and a host that is not optimised needs milliseconds for so many bytes.
        let sizes = [LONGEST / 64, LONGEST / 8, LONGEST];
        sizes.into_iter().find_map(|most| {
            let (offset, size) = self.place(start, most)?;
            until_nul(data.read_bytes_at(offset, size).ok()?)
        })
    }

    /// All symbols that are not the library's own affair; `None` if a symbol or a name is still zeros.
    pub(super) fn symbols<D: ReadRef<'a>>(&self, data: D) -> Option<Symbols<'a>> {
        let strings = self.strings(data)?;
        let symbols = self.table(elf::DT_SYMTAB, data)?;
        let count = self.symbol_count(data)? as usize;
        let (symbols, _) = pod::slice_from_bytes::<H::Sym>(symbols, count).ok()?;
        let (mut exports, mut imports) = (Vec::new(), Vec::new());
        // The first symbol is zeros by definition.
        for symbol in symbols.get(1..)? {
            let start = symbol.st_name(E) as usize;
            let named = start == 0 || strings.get(start).is_some_and(|&byte| byte != 0);
            if !named || is_blank(pod::bytes_of(symbol)) {
                return None;
            }
            if symbol.st_bind() == elf::STB_LOCAL {
                continue;
            }
            let name = &strings[start..];
            match symbol.st_shndx(E) {
                elf::SHN_UNDEF => imports.push(name),
                _ => exports.push(Export {
                    name,
                    address: symbol.st_value(E).into(),
                    size: symbol.st_size(E).into(),
                    is_function: self.is_function(symbol),
                    is_unique: symbol.st_bind() == elf::STB_GNU_UNIQUE,
                }),
            }
        }
        Some(Symbols { exports, imports })
    }

    /// The number of symbols. The loader does not need the number, and only the hash tables tell it.
    fn symbol_count<D: ReadRef<'a>>(&self, data: D) -> Option<u32> {
        let Some(bytes) = self.table(elf::DT_GNU_HASH, data) else {
            let table = HashTable::<H>::parse(E, self.table(elf::DT_HASH, data)?);
            return Some(table.ok()?.symbol_table_length());
        };
        let table = GnuHashTable::<H>::parse(E, bytes).ok()?;
        // A library that exports nothing has nothing behind the table's header, and every symbol below its base.
        let empty = is_blank(&bytes[size_of::<elf::GnuHashHeader<E>>()..]);
        let base = empty.then_some(table.symbol_base());
        base.or_else(|| table.symbol_table_length(E))
    }
}
