//! The checks that are the same for each format of a library.

use std::env::consts::ARCH;
use std::ffi::{CStr, CString};

use object::read::{Architecture, Object, ObjectKind, ReadRef};

use super::verdict::{Checked, Refusal};

pub(super) fn until_nul(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.iter().position(|&byte| byte == 0)?;
    Some(&bytes[..end])
}

pub(super) fn check_target<'a>(file: &impl Object<'a>) -> Checked {
    let machine = name_of(file.architecture());
    if machine != ARCH {
        return Err(Refusal::Foreign(machine));
    }
    if file.is_little_endian() != cfg!(target_endian = "little") {
        return Err(Refusal::Kind("code of the other byte order"));
    }
    Err(Refusal::Kind(match file.kind() {
        ObjectKind::Dynamic => return Ok(()),
        ObjectKind::Executable => "an executable",
        ObjectKind::Relocatable => "an object file",
        ObjectKind::Core => "a core dump",
        _ => "something else",
    }))
}

pub(super) fn check_inside<'a, D: ReadRef<'a>>(data: D, start: u64, size: u64) -> Checked {
    match (data.len().unwrap_or(0), start.saturating_add(size)) {
        (len, end) if end > len => Err(Refusal::Cut(len, end)),
        _ => Ok(()),
    }
}

pub(super) fn check_exports(exports: &[CString], defined: impl Fn(&CStr) -> bool) -> Checked {
    let missing = exports.iter().filter(|name| !defined(name));
    match missing.cloned().collect::<Vec<_>>() {
        missing if missing.is_empty() => Ok(()),
        missing => Err(Refusal::Exports(missing)),
    }
}

pub(super) fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == 0)
}

/// The name that Rust has for a processor, of those processors whose Rust has dynamic libraries.
fn name_of(found: Architecture) -> &'static str {
    match found {
        Architecture::Aarch64 => "aarch64",
        Architecture::Arm => "arm",
        Architecture::I386 => "x86",
        Architecture::LoongArch64 => "loongarch64",
        Architecture::Mips => "mips",
        Architecture::Mips64 => "mips64",
        Architecture::PowerPc => "powerpc",
        Architecture::PowerPc64 => "powerpc64",
        Architecture::Riscv64 => "riscv64",
        Architecture::S390x => "s390x",
        Architecture::Sparc64 => "sparc64",
        Architecture::X86_64 | Architecture::X86_64_X32 => "x86_64",
        _ => "another processor",
    }
}
