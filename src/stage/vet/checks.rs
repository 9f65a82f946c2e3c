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

/// The symbols that a library must export.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wanted<'a> {
    /// Functions: they will be called.
    pub(crate) functions: &'a [CString],
    /// Data: these only have to be there.
    pub(crate) data: &'a [CString],
    /// Whether a library that carries a declaration need not have the functions.
    pub(crate) or_declared: bool,
}

impl<'a> Wanted<'a> {
    /// The symbols that a library must export which carries this handshake, or none.
    pub(super) fn of(self, handshake: Option<&[u8]>) -> Wanted<'a> {
        match handshake {
            Some(_) if self.or_declared => Wanted {
                functions: &[],
                ..self
            },
            _ => self,
        }
    }
}

/// Checks that everything wanted is exported, and that functions are functions, where `find` says of a symbol that is
/// exported whether it is one.
pub(super) fn check_exports(wanted: Wanted<'_>, find: impl Fn(&CStr) -> Option<bool>) -> Checked {
    // Said first: whoever named data for a function is not helped by hearing of what else is missing.
    let functions = wanted.functions.iter();
    let data = functions.filter(|name| find(name) == Some(false));
    let data: Vec<_> = data.cloned().collect();
    if !data.is_empty() {
        return Err(Refusal::Data(data));
    }
    let all = wanted.functions.iter().chain(wanted.data);
    let missing: Vec<_> = all.filter(|name| find(name).is_none()).cloned().collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(Refusal::Exports(missing)),
    }
}

pub(super) fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == 0)
}

/// The name that Rust has for a processor, of those processors whose Rust has dynamic libraries.
pub(super) fn name_of(found: Architecture) -> &'static str {
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
