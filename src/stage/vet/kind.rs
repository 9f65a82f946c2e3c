//! The kind of a file: its format, by its first bytes.

use object::read::{FileKind, ReadRef};

use super::verdict::{Checked, NATIVE, Refusal, missing};

/// How much of a foreign file's head a refusal quotes, in bytes: enough to know `#!/bin/sh` or `<html>`.
const QUOTED: u64 = 16;

/// The kind of a file that is in this system's format.
pub(super) fn kind_of<'a, D: ReadRef<'a>>(data: D) -> Checked<FileKind> {
    let len = data.len().unwrap_or(0);
    let head = data.read_bytes_at(0, len.min(QUOTED)).unwrap_or_default();
    // A preallocated file is zeros behind the place that its writer has reached, and at first zeros from the start.
    let mut magic = head.iter().zip(NATIVE.1);
    let begun = magic.all(|(&byte, &magic)| byte == magic || byte == 0);
    match FileKind::parse(data) {
        _ if head.is_empty() => Err(Refusal::Empty),
        Ok(FileKind::Archive) => Err(Refusal::Kind("a static library")),
        Ok(kind @ (FileKind::MachOFat32 | FileKind::MachOFat64))
            if cfg!(target_vendor = "apple") =>
        {
            Ok(kind)
        }
        Ok(kind) if format_of(kind) != NATIVE.0 => Err(Refusal::Format(format_of(kind))),
        Ok(kind) => Ok(kind),
        Err(_) if begun => missing("header"),
        Err(_) => Err(Refusal::Unknown(head.to_vec())),
    }
}

/// The name of a format.
pub(super) fn format_of(kind: FileKind) -> &'static str {
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
