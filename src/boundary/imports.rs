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
    let mut imports = imports.map(|it| name_at(names, it.st_name(endian)));
    if let Some(way) = imports.find_map(ways::way_back) {
        return Ok(Some(WayBack::Symbol(way)));
    }
    let dynamic = sections.dynamic_table(endian, library)?;
    let mut needed = dynamic.iter().filter(|it| it.tag == DT_NEEDED).peekable();
    // Every library needs libc. One that seems to need nothing has lost its tables.
    if symbols.is_empty() || needed.peek().is_none() {
        return Ok(Some(WayBack::Unread));
    }
    for entry in needed {
        let name = dynamic.string(entry)?;
        if !ways::is_known(name) {
            let name = spelled_bytes(name).into_owned();
            return Ok(Some(WayBack::Library(name)));
        }
    }
    Ok(None)
}

/// The name that begins at this place of a table of names. A place outside of the table has none.
fn name_at(names: &[u8], place: u32) -> &[u8] {
    let rest = names.get(place as usize..).unwrap_or_default();
    rest.split(|&byte| byte == 0).next().unwrap_or_default()
}
