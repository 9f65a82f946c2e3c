//! Vet for ELF. Symbols are found as the loader finds them, from the segments and the dynamic section; sections only
//! tell whether the write was finished.

use std::ffi::{CStr, CString};

use object::elf::{self, DynamicTag};
use object::read::ReadRef;
use object::read::elf::{Dyn, ElfFile, FileHeader, GnuHashTable, HashTable};
use object::read::elf::{ProgramHeader, SectionHeader, Sym};
use object::{Endianness, NativeEndian as E, pod};

#[cfg(target_pointer_width = "32")]
pub(super) use object::elf::FileHeader32 as Header;
#[cfg(target_pointer_width = "64")]
pub(super) use object::elf::FileHeader64 as Header;

use super::checks::{check_exports, check_inside, check_target, is_blank, until_nul};
use super::verdict::{Checked, Refusal, Vetted, missing};
use crate::handshake::{HANDSHAKE, LONGEST};

/// Vets an ELF file: by its header, by its section table, and by what the loader would do.
pub(super) fn vet<'a, D: ReadRef<'a>>(data: D, exports: &[CString]) -> Checked<Vetted> {
    check_header(data)?;
    let header = Header::parse(data).or(missing("header"))?;
    check_sections(header, data)?;
    let dynamic = Dynamic::read(header, data)?;
    if dynamic.value(elf::DT_FLAGS_1).unwrap_or(0) & elf::DF_1_PIE.0 != 0 {
        return Err(Refusal::Kind("an executable"));
    }
    let found = dynamic.exports(data);
    let found = found.ok_or(Refusal::Missing("dynamic symbol table"))?;
    let address_of = |name: &CStr| {
        let name = name.to_bytes_with_nul();
        let export = found.iter().find(|it| it.name.starts_with(name));
        export.map(|it| it.address)
    };
    check_exports(exports, |name| address_of(name).is_some())?;
    let flags = dynamic.value(elf::DT_FLAGS).unwrap_or(0);
    let static_tls = flags & elf::DF_STATIC_TLS.0 != 0;
    let handshake = address_of(HANDSHAKE).and_then(|address| dynamic.text(address, data));
    let handshake = handshake.map(<[u8]>::to_vec);
    let ends = dynamic.loaded.iter().map(|it| it.file_range(E));
    let mapped = ends.map(|(start, size)| start + size).max();
    Ok(Vetted {
        static_tls,
        handshake,
        mapped: mapped.unwrap_or(u64::MAX),
    })
}

/// Judges machine and kind by the header alone. The header is written first, so a file that can never become a
/// library for this host is refused at once instead of being waited for.
pub(super) fn check_header<'a, D: ReadRef<'a>>(data: D) -> Checked {
    let mut header = *Header::<Endianness>::parse(data).or(missing("header"))?;
    // `object` would follow these two offsets to tables that may not be there yet.
    header.e_phoff = Default::default();
    header.e_shoff = Default::default();
    let file = ElfFile::<Header<Endianness>>::parse(pod::bytes_of(&header));
    let file = file.or(missing("header"))?;
    let endian = file.endian();
    if header.e_type(endian) == elf::ET_NONE || header.e_machine(endian) == elf::EM_NONE {
        return missing("header");
    }
    check_target(&file)
}

/// Checks the section table, which linkers write last, at the very end of the file: the sentinel of a finished write.
/// A library whose section table was stripped off goes without this check.
fn check_sections<'a, H: FileHeader<Endian = E>, D: ReadRef<'a>>(header: &H, data: D) -> Checked {
    let (start, count) = (header.e_shoff(E).into(), u64::from(header.e_shnum(E)));
    if start == 0 && count == 0 {
        return Ok(());
    }
    check_inside(data, start, count * u64::from(header.e_shentsize(E)))?;
    let sections = header.section_headers(E, data).unwrap_or_default();
    let entries = sections.iter().skip(1);
    // In the last entry, the alignment is the last field that is never zero in a finished table.
    let last = sections.last();
    let ended = last.is_some_and(|last| last.sh_addralign(E).into() != 0);
    if !ended || entries.clone().any(|it| is_blank(pod::bytes_of(it))) {
        return missing("section table");
    }
    for (start, size) in entries.filter_map(|it| it.file_range(E)) {
        check_inside(data, start, size)?;
    }
    let names = header.section_strings_index(E, data).ok();
    match names.and_then(|index| sections.get(index.0)?.data(E, data).ok()) {
        Some(names) if !is_blank(names) => Ok(()),
        _ => missing("table of section names"),
    }
}

/// A symbol that the library defines.
struct Export<'a> {
    /// The symbol's name, a NUL, and all text that follows.
    name: &'a [u8],
    address: u64,
}

/// The parts of the file that the loader itself goes by: the segments it maps, and the dynamic section.
struct Dynamic<'a, H: FileHeader> {
    loaded: Vec<&'a H::ProgramHeader>,
    entries: &'a [H::Dyn],
}

impl<'a, H: FileHeader<Endian = E>> Dynamic<'a, H> {
    fn read<D: ReadRef<'a>>(header: &H, data: D) -> Checked<Self> {
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
        Ok(Self { loaded, entries })
    }

    fn value(&self, tag: DynamicTag) -> Option<u64> {
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

    /// The place in the file of the bytes that are loaded at an address, and how many they are, up to `most`.
    fn place(&self, start: u64, most: u64) -> Option<(u64, u64)> {
        self.loaded.iter().find_map(|it| {
            let (offset, size) = it.file_range(E);
            let skipped = start.checked_sub(it.p_vaddr(E).into())?;
            let size = size.checked_sub(skipped)?.min(most);
            (size > 0).then_some((offset.checked_add(skipped)?, size))
        })
    }

    /// The text at an address, up to its NUL.
    fn text<D: ReadRef<'a>>(&self, start: u64, data: D) -> Option<&'a [u8]> {
        let (offset, size) = self.place(start, LONGEST)?;
        // Not by `read_bytes_at_until`, which ends after 4 KiB.
        until_nul(data.read_bytes_at(offset, size).ok()?)
    }

    /// All defined symbols; `None` if a symbol or a name is still zeros.
    fn exports<D: ReadRef<'a>>(&self, data: D) -> Option<Vec<Export<'a>>> {
        let strings = self.table(elf::DT_STRTAB, data)?;
        let strings = strings.get(..self.value(elf::DT_STRSZ)?.try_into().ok()?)?;
        let symbols = self.table(elf::DT_SYMTAB, data)?;
        let count = self.symbol_count(data)? as usize;
        let (symbols, _) = pod::slice_from_bytes::<H::Sym>(symbols, count).ok()?;
        let mut exports = Vec::new();
        // The first symbol is zeros by definition.
        for symbol in symbols.get(1..)? {
            let start = symbol.st_name(E) as usize;
            let named = start == 0 || strings.get(start).is_some_and(|&byte| byte != 0);
            if !named || is_blank(pod::bytes_of(symbol)) {
                return None;
            }
            if symbol.st_shndx(E) != elf::SHN_UNDEF && symbol.st_bind() != elf::STB_LOCAL {
                let (name, address) = (&strings[start..], symbol.st_value(E).into());
                exports.push(Export { name, address });
            }
        }
        Some(exports)
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
