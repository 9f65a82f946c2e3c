//! Vet for ELF. Symbols are found as the loader finds them, from the segments and the dynamic section; sections only
//! tell whether the write was finished.

use std::ffi::CStr;

use object::elf;
use object::read::ReadRef;
use object::read::elf::{ElfFile, FileHeader, ProgramHeader, SectionHeader};
use object::{Endianness, NativeEndian as E, pod};

#[cfg(target_pointer_width = "32")]
pub(super) use object::elf::FileHeader32 as Header;
#[cfg(target_pointer_width = "64")]
pub(super) use object::elf::FileHeader64 as Header;

use super::checks::{Wanted, check_exports, check_inside, check_target, is_blank};
use super::dynamic::Dynamic;
use super::linked;
use super::verdict::{Checked, Refusal, Vetted, missing};
use crate::handshake::{HANDSHAKE, Lines, says_ordinary};

/// Vets an ELF file: by its header, by its section table, and by what the loader would do.
pub(super) fn vet<'a, D: ReadRef<'a>>(data: D, wanted: Wanted<'_>) -> Checked<Vetted> {
    check_header(data)?;
    let header = Header::parse(data).or(missing("header"))?;
    check_sections(header, data)?;
    let dynamic = Dynamic::read(header, data)?;
    let flags_1 = dynamic.value(elf::DT_FLAGS_1).unwrap_or(0);
    if flags_1 & elf::DF_1_PIE.0 != 0 {
        return Err(Refusal::Kind("an executable"));
    }
    let symbols = dynamic.symbols(data);
    let symbols = symbols.ok_or(Refusal::Missing("dynamic symbol table"))?;
    let handshake = symbols.find(HANDSHAKE);
    let handshake = handshake.and_then(|it| dynamic.text(it.address, data));
    let find = |name: &CStr| symbols.find(name).map(|it| it.is_function);
    check_exports(wanted.of(handshake), find)?;
    if flags_1 & elf::DF_1_NOOPEN.0 != 0 {
        return Err(Refusal::NoOpen);
    }
    let linkage = linked::read(&dynamic, &symbols, data);
    if let Some(libc) = linkage.other_libc() {
        return Err(Refusal::Libc(libc.to_owned()));
    }
    let static_tls = dynamic.has_static_locals(header, data);
    let is_called = check_exports(wanted, find).is_ok();
    let handshake = handshake.map(<[u8]>::to_vec);
    let mut lines = Lines::default();
    if handshake.as_deref().is_some_and(says_ordinary) {
        for segment in &dynamic.loaded {
            let (start, size) = segment.file_range(E);
            #[allow(clippy::useless_conversion)] // On 32-bit systems it is none.
            let address = segment.p_vaddr(E).into();
            let part = data.read_bytes_at(start, size).or(missing("data"))?;
            lines.scan(part, address);
        }
    }
    let ends = dynamic.loaded.iter().map(|it| it.file_range(E));
    let mapped = ends.map(|(start, size)| start + size).max();
    Ok(Vetted {
        is_called,
        static_tls,
        handshake,
        lines,
        mapped: mapped.unwrap_or(u64::MAX),
        linkage,
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
