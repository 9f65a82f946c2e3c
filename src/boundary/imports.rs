//! The imports of a library, read out of its file: whether it takes anything by which it could still be reached when
//! it is unmapped.

use std::fs::File;
use std::path::Path;

use object::elf::{DT_NEEDED, FileHeader64, SHT_DYNSYM};
use object::read::elf::{FileHeader, SectionHeader, Sym};
use object::read::{ReadCache, ReadRef};
use object::{Endianness, Result};
use replug_plugin::shown::spelled_bytes;

use super::ways;

/// A way from somewhere else into an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum WayBack {
    /// By this function or variable of libc's.
    Symbol(&'static str),
    /// By this library, which the image needs.
    Library(String),
    /// Nobody knows: the imports cannot be read.
    Unread,
}

/// The first way back into the library in a file.
pub(super) fn way_back(file: &Path) -> Option<WayBack> {
    let Ok(file) = File::open(file) else {
        return Some(WayBack::Unread);
    };
    find(&ReadCache::new(file)).unwrap_or(Some(WayBack::Unread))
}

fn find<'a, D: ReadRef<'a>>(library: D) -> Result<Option<WayBack>> {
    let header = FileHeader64::<Endianness>::parse(library)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, library)?;
    let symbols = sections.symbols(endian, library, SHT_DYNSYM)?;
    let names = sections.section(symbols.string_section())?;
    // Read as a whole, because a reading for each name would take longer than all the rest.
    let names = names.data(endian, library)?;
    let imports = symbols.iter().filter(|it| it.is_undefined(endian));
    let imports = imports.map(|it| name_at(names, it.st_name(endian)));
    let dynamic = sections.dynamic_table(endian, library)?;
    let needed = dynamic.iter().filter(|it| it.tag == DT_NEEDED);
    let needed: Result<Vec<_>> = needed.map(|it| dynamic.string(it)).collect();
    Ok(way_back_by(imports, &needed?, !symbols.is_empty()))
}

/// The first way back into a library that imports these symbols, needs these libraries, and has any symbols at all.
pub(super) fn way_back_by<'n>(
    mut imports: impl Iterator<Item = &'n [u8]>,
    needed: &[&[u8]],
    has_symbols: bool,
) -> Option<WayBack> {
    if let Some(way) = imports.find_map(ways::way_back) {
        return Some(WayBack::Symbol(way));
    }
    // Every library needs libc. One that seems to need nothing has lost its tables.
    if !has_symbols || needed.is_empty() {
        return Some(WayBack::Unread);
    }
    let unknown = needed.iter().find(|name| !ways::is_known(name))?;
    Some(WayBack::Library(spelled_bytes(unknown).into_owned()))
}

/// The name that begins at this place of a table of names. A place outside of the table has none.
fn name_at(names: &[u8], place: u32) -> &[u8] {
    let rest = names.get(place as usize..).unwrap_or_default();
    rest.split(|&byte| byte == 0).next().unwrap_or_default()
}
