//! The imports of a library, read out of its file: whether it takes anything by which it could still be reached when
//! it is unmapped.

use std::fs::File;
use std::path::Path;

use object::elf::{DT_NEEDED, FileHeader64};
use object::read::elf::ElfFile;
use object::read::{Object, ObjectSymbol, ReadCache, ReadRef};
use object::{Endianness, Result};

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

fn find<'a>(library: impl ReadRef<'a>) -> Result<Option<WayBack>> {
    let library = ElfFile::<FileHeader64<Endianness>, _>::parse(library)?;
    let mut imports = 0;
    for symbol in library.dynamic_symbols().filter(|it| it.is_undefined()) {
        imports += 1;
        if let Some(way) = ways::way_back(symbol.name_bytes()?) {
            return Ok(Some(WayBack::Symbol(way)));
        }
    }
    // There is no library that needs nothing of libc. One like that has lost the table that this looks for.
    if imports == 0 {
        return Ok(Some(WayBack::Unread));
    }
    let dynamic = library.elf_dynamic_table()?;
    for entry in dynamic.iter().filter(|it| it.tag == DT_NEEDED) {
        let name = dynamic.string(entry)?;
        if !ways::is_known(name) {
            return Ok(Some(WayBack::Library(
                String::from_utf8_lossy(name).into_owned(),
            )));
        }
    }
    Ok(None)
}
