//! How the linkage of a library is read off its ELF file, which tells what the loader will do with it.

use std::ffi::CString;

use object::NativeEndian as E;
use object::elf::{self, DynamicTag};
use object::read::ReadRef;
use object::read::elf::{Dyn, FileHeader, ProgramHeader};
use replug_plugin::shown::spelled_bytes;

use super::checks::until_nul;
use super::dynamic::{Dynamic, Export, Symbols};
use super::linkage::{Linkage, Sanitizer, Unique};
use crate::look::digest::Digest;

/// The most libraries that are read off as needed, and the most that are said in one entry, in bytes: a path has no
/// more. What is beyond is not looked at.
const MOST_NEEDED: usize = 1024;
const LONGEST_ENTRY: usize = 4096;

/// The most bytes of names, and of constants, that are read off as unique. A large plugin in C++ has some hundred
/// kilobytes. What is beyond is not compared with other builds.
const MOST_UNIQUE: u64 = 8 << 20;

/// What the library of this dynamic section has to do with other libraries.
pub(super) fn read<'a, H: FileHeader<Endian = E>, D: ReadRef<'a>>(
    dynamic: &Dynamic<'a, H>,
    symbols: &Symbols<'a>,
    data: D,
) -> Linkage {
    let strings = dynamic.strings(data).unwrap_or_default();
    let named = |tag: DynamicTag| {
        let entries = dynamic.entries.iter();
        let entries = entries.filter(move |it| it.d_tag(E) == tag);
        let texts = entries.filter_map(|it| entry_at(strings, it.val(E)));
        texts.take(MOST_NEEDED)
    };
    let text = |bytes: &[u8]| spelled_bytes(bytes).into_owned();
    let needed: Vec<String> = named(elf::DT_NEEDED).map(text).collect();
    let run_path = named(elf::DT_RUNPATH).next();
    let path = run_path.or_else(|| named(elf::DT_RPATH).next());
    let flags = dynamic.value(elf::DT_FLAGS).unwrap_or(0);
    let has_text_relocations = dynamic.value(elf::DT_TEXTREL).is_some();
    Linkage {
        soname: named(elf::DT_SONAME)
            .next()
            .and_then(|it| CString::new(it).ok()),
        search: path.map(text).unwrap_or_default(),
        hands_search_on: run_path.is_none(),
        unique: unique(dynamic, &symbols.exports, data),
        sanitizer: sanitizer(&needed, symbols),
        wants_executable_stack: dynamic.wants_executable_stack,
        has_text_relocations: has_text_relocations || flags & elf::DF_TEXTREL.0 != 0,
        needed,
    }
}

/// The entry of the table of strings at `start`, unless it is longer than any.
fn entry_at(strings: &[u8], start: u64) -> Option<&[u8]> {
    let entry = strings.get(usize::try_from(start).ok()?..)?;
    until_nul(&entry[..entry.len().min(LONGEST_ENTRY)])
}

fn sanitizer(needed: &[String], symbols: &Symbols<'_>) -> Option<Sanitizer> {
    let exports = symbols.exports.iter().map(|it| it.name);
    let names: Vec<_> = exports.chain(symbols.imports.iter().copied()).collect();
    Sanitizer::ALL.into_iter().find(|it| {
        let symbol = it.symbol().to_bytes_with_nul();
        let needs = |name: &String| {
            it.runtimes()
                .iter()
                .any(|runtime| name.starts_with(runtime))
        };
        needed.iter().any(needs) || names.iter().any(|name| name.starts_with(symbol))
    })
}

fn unique<'a, H: FileHeader<Endian = E>, D: ReadRef<'a>>(
    dynamic: &Dynamic<'a, H>,
    exports: &[Export<'a>],
    data: D,
) -> Vec<Unique> {
    let mut left = MOST_UNIQUE;
    let mut found = Vec::new();
    for export in exports.iter().filter(|it| it.is_unique) {
        let Some(Ok(name)) = until_nul(export.name).map(CString::new) else {
            continue;
        };
        let constant = constant(dynamic, export, data, left);
        let weight = name.as_bytes().len() as u64;
        let weight = weight + constant.map_or(0, |_| export.size);
        let Some(rest) = left.checked_sub(weight) else {
            break;
        };
        left = rest;
        found.push(Unique { name, constant });
    }
    found
}

/// The digest of an object that lies where nobody can write, the loader included.
fn constant<'a, H: FileHeader<Endian = E>, D: ReadRef<'a>>(
    dynamic: &Dynamic<'a, H>,
    object: &Export<'a>,
    data: D,
    most: u64,
) -> Option<Digest> {
    let segment = dynamic.segment(object.address)?;
    let is_written = segment.p_flags(E).0 & elf::PF_W.0 != 0;
    if is_written || object.size == 0 || object.size > most {
        return None;
    }
    let (offset, size) = dynamic.place(object.address, object.size)?;
    let content = data.read_bytes_at(offset, size).ok()?;
    (size == object.size).then(|| Digest::of(content))
}
