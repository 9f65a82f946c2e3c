//! Vet: is a staged copy a complete shared library for this machine, exporting what the host needs?
//!
//! Decided by parsing headers and tables, because to the dynamic loader a damaged library is no error but a fatal
//! signal. Nothing here runs, maps or waits. The poller asks between the digest and the update, and a refusal is
//! of one of two kinds: *incomplete*, a writer may still be at work, look again; or *wrong*, keep what is running.

use std::env::consts::ARCH;
use std::ffi::{CStr, CString};
use std::io::{self, Read, Seek};

use object::elf::{self, DynamicTag};
use object::read::elf::{Dyn, ElfFile, FileHeader, GnuHashTable, HashTable};
use object::read::elf::{ProgramHeader, SectionHeader, Sym};
use object::read::{Architecture, FileKind, Object, ObjectKind, ObjectSection, ObjectSegment};
use object::read::{ReadCache, ReadRef};
use object::{BinaryFormat, Endianness, NativeEndian as E, pod};

#[cfg(target_pointer_width = "32")]
use object::elf::FileHeader32 as Header;
#[cfg(target_pointer_width = "64")]
use object::elf::FileHeader64 as Header;

/// What this system's loader takes, and how such a file starts.
const NATIVE: (&str, &[u8]) = match (cfg!(windows), cfg!(target_vendor = "apple")) {
    (true, _) if cfg!(target_pointer_width = "32") => ("32-bit PE", b"MZ"),
    (true, _) => ("64-bit PE", b"MZ"),
    (_, true) => ("64-bit Mach-O", b"\xcf\xfa\xed\xfe"),
    _ if cfg!(target_pointer_width = "32") => ("32-bit ELF", &elf::ELFMAG),
    _ => ("64-bit ELF", &elf::ELFMAG),
};

/// How much of a foreign file's head a refusal quotes, in bytes: enough to know `#!/bin/sh` or `<html>`.
const QUOTED: u64 = 16;

/// What vet learnt about a good library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Vetted {
    /// It uses initial-exec thread-locals (`DF_STATIC_TLS`). Their room is fixed when the process starts, so only
    /// a few copies of it can ever be loaded.
    pub(crate) static_tls: bool,
}

/// Why a staged copy is not handed to the loader; completes the sentence "cannot vet `PATH`: ".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Incomplete: nothing has been written.
    #[error("it is empty")]
    Empty,
    /// Incomplete: it has the first number of bytes, and a part of it should end at the second.
    #[error("it ends at byte {0} of {1}")]
    Cut(u64, u64),
    /// Incomplete: a part that every finished library has is absent, damaged or still zeros.
    #[error("its {0} is missing")]
    Missing(&'static str),
    /// Wrong: it starts like no native code of any system.
    #[error("it is not a shared library: it starts with `{}`", .0.escape_ascii())]
    Unknown(Vec<u8>),
    /// Wrong: it is for another kind of system.
    #[error("it is a {0} file, this system loads {native}", native = NATIVE.0)]
    Format(&'static str),
    /// Wrong: it is for another kind of processor.
    #[error("it is for {0}, this host is {ARCH}")]
    Foreign(&'static str),
    /// Wrong: it holds native code, but not in the form of a library.
    #[error("it is {0}, not a shared library")]
    Kind(&'static str),
    /// Wrong: it lacks these symbols, which the host needs.
    #[error("it does not export {}", quote(.0))]
    Exports(Vec<CString>),
    /// The staged copy could not be read, which says nothing about the artifact.
    #[error("its staged copy cannot be read")]
    Unreadable(#[source] io::Error),
}

type Checked<T = ()> = Result<T, Refusal>;

impl Refusal {
    /// Whether a writer may still be at work, so that a later look may find a good library.
    pub fn is_incomplete(&self) -> bool {
        matches!(self, Self::Empty | Self::Cut(..) | Self::Missing(_))
    }
}

/// Vets `staged`, which must hold still and define every symbol of `exports`.
///
/// A library as a linker leaves it, stripped or not, is told from itself cut short or with its tail still zeros at
/// any byte: an ELF file ends with its section table. Three things go unseen, and settling has to catch them: a
/// hole or a mixture of two builds in code or data; zeros at the end of a file whose section table is elsewhere
/// (patchelf) or gone (sstrip); and, in Mach-O and PE files, zeros in general.
///
/// # Errors
///
/// A [`Refusal`]. One that [is incomplete](Refusal::is_incomplete) is worth another look.
pub(crate) fn vet(mut staged: impl Read + Seek, exports: &[CString]) -> Checked<Vetted> {
    let verdict = judge(&ReadCache::new(&mut staged), exports);
    if verdict.as_ref().is_err_and(Refusal::is_incomplete) {
        // To `object` a read that fails is a part that is missing, so see whether all of it can be read.
        staged.rewind().map_err(Refusal::Unreadable)?;
        io::copy(&mut staged, &mut io::sink()).map_err(Refusal::Unreadable)?;
    }
    verdict
}

fn judge<'a, D: ReadRef<'a>>(data: D, exports: &[CString]) -> Checked<Vetted> {
    let len = data.len().unwrap_or(0);
    let head = data.read_bytes_at(0, len.min(QUOTED)).unwrap_or_default();
    // A preallocated file is zeros from where the writer is, at first from the start.
    let mut magic = head.iter().zip(NATIVE.1);
    let begun = magic.all(|(&byte, &magic)| byte == magic || byte == 0);
    match FileKind::parse(data) {
        _ if head.is_empty() => Err(Refusal::Empty),
        Ok(FileKind::Archive) => Err(Refusal::Kind("a static library")),
        Ok(kind) if format_of(kind) != NATIVE.0 => Err(Refusal::Format(format_of(kind))),
        Ok(FileKind::Elf32 | FileKind::Elf64) => vet_elf(data, exports),
        Ok(_) => vet_image(data, exports),
        Err(_) if begun => missing("header"),
        Err(_) => Err(Refusal::Unknown(head.to_vec())),
    }
}

fn vet_elf<'a, D: ReadRef<'a>>(data: D, exports: &[CString]) -> Checked<Vetted> {
    check_header(data)?;
    let header = Header::parse(data).or(missing("header"))?;
    check_sections(header, data)?;
    let dynamic = Dynamic::read(header, data)?;
    if dynamic.value(elf::DT_FLAGS_1).unwrap_or(0) & elf::DF_1_PIE.0 != 0 {
        return Err(Refusal::Kind("an executable"));
    }
    let found = dynamic.exports(data);
    let found = found.ok_or(Refusal::Missing("dynamic symbol table"))?;
    check_exports(exports, |name| {
        let name = name.to_bytes_with_nul();
        found.iter().any(|it| it.starts_with(name))
    })?;
    let flags = dynamic.value(elf::DT_FLAGS).unwrap_or(0);
    let static_tls = flags & elf::DF_STATIC_TLS.0 != 0;
    Ok(Vetted { static_tls })
}

/// Judges machine and kind by the header alone. It is written first, so what can never become a library for this
/// host is said at once instead of being waited for.
fn check_header<'a, D: ReadRef<'a>>(data: D) -> Checked {
    let mut header = *Header::<Endianness>::parse(data).or(missing("header"))?;
    // `object` would follow these two to tables that may not be there yet.
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

/// Checks the table that linkers write last, at the very end: the sentinel of a finished write. A library that
/// was stripped of it goes without.
fn check_sections<'a, H: FileHeader<Endian = E>, D: ReadRef<'a>>(header: &H, data: D) -> Checked {
    let (start, count) = (header.e_shoff(E).into(), u64::from(header.e_shnum(E)));
    if start == 0 && count == 0 {
        return Ok(());
    }
    check_inside(data, start, count * u64::from(header.e_shentsize(E)))?;
    let sections = header.section_headers(E, data).unwrap_or_default();
    let entries = sections.iter().skip(1);
    // The alignment is the last field of the last entry that is not zero in any case.
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

/// What the loader itself goes by: the segments it maps, and the dynamic section.
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
        let entries = segments.iter().find_map(|it| it.dynamic(E, data).ok()?);
        let entries = entries.unwrap_or_default();
        let mut entries = entries.split(|it| it.d_tag(E) == elf::DT_NULL);
        let entries = entries.next().unwrap_or_default();
        Ok(Self { loaded, entries })
    }

    fn value(&self, tag: DynamicTag) -> Option<u64> {
        let entry = self.entries.iter().find(|it| it.d_tag(E) == tag)?;
        Some(entry.val(E))
    }

    /// The table whose address `tag` holds, up to the next table or the end of its segment: few have a length.
    fn table<D: ReadRef<'a>>(&self, tag: DynamicTag, data: D) -> Option<&'a [u8]> {
        let start = self.value(tag)?;
        let addresses = self.entries.iter().filter(|it| it.is_address(E));
        let next = addresses.map(|it| it.val(E)).filter(|&it| it > start);
        let end = next.min().unwrap_or(u64::MAX);
        let (offset, size) = self.loaded.iter().find_map(|it| {
            let (offset, size) = it.file_range(E);
            let skipped = start.checked_sub(it.p_vaddr(E).into())?;
            let size = size.checked_sub(skipped)?.min(end - start);
            (size > 0).then_some((offset.checked_add(skipped)?, size))
        })?;
        data.read_bytes_at(offset, size).ok()
    }

    /// The name of each defined symbol, with all that follows it, unless a symbol or a name is still zeros.
    fn exports<D: ReadRef<'a>>(&self, data: D) -> Option<Vec<&'a [u8]>> {
        let strings = self.table(elf::DT_STRTAB, data)?;
        let strings = strings.get(..self.value(elf::DT_STRSZ)?.try_into().ok()?)?;
        let symbols = self.table(elf::DT_SYMTAB, data)?;
        let count = self.symbol_count(data)? as usize;
        let (symbols, _) = pod::slice_from_bytes::<H::Sym>(symbols, count).ok()?;
        let mut names = Vec::new();
        // The first symbol is zeros by definition.
        for symbol in symbols.get(1..)? {
            let start = symbol.st_name(E) as usize;
            let named = start == 0 || strings.get(start).is_some_and(|&byte| byte != 0);
            if !named || is_blank(pod::bytes_of(symbol)) {
                return None;
            }
            if symbol.st_shndx(E) != elf::SHN_UNDEF && symbol.st_bind() != elf::STB_LOCAL {
                names.push(&strings[start..]);
            }
        }
        Some(names)
    }

    /// How many symbols there are: the loader does not care, and only the hash tables tell.
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

/// Vets a Mach-O or PE file less closely than an ELF file: its parts must be inside it, its exports readable.
fn vet_image<'a, D: ReadRef<'a>>(data: D, exports: &[CString]) -> Checked<Vetted> {
    let file = object::File::parse(data).or(missing("header"))?;
    check_target(&file)?;
    let segments = file.segments().map(|it| it.file_range());
    let sections = file.sections().filter_map(|it| it.file_range());
    for (start, size) in segments.chain(sections) {
        check_inside(data, start, size)?;
    }
    let found: Result<Vec<_>, _> = file.exports().and_then(|all| all.collect());
    let found = found.or(missing("export table"))?;
    // macOS puts an underscore before every name of C.
    let underscore = usize::from(file.format() == BinaryFormat::MachO);
    check_exports(exports, |name| {
        let name = [&b"_"[..underscore], name.to_bytes()].concat();
        found.iter().any(|it| it.name().name() == Some(&name))
    })?;
    Ok(Vetted { static_tls: false })
}

fn check_target<'a>(file: &impl Object<'a>) -> Checked {
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

fn check_inside<'a, D: ReadRef<'a>>(data: D, start: u64, size: u64) -> Checked {
    match (data.len().unwrap_or(0), start.saturating_add(size)) {
        (len, end) if end > len => Err(Refusal::Cut(len, end)),
        _ => Ok(()),
    }
}

fn check_exports(exports: &[CString], defined: impl Fn(&CStr) -> bool) -> Checked {
    let missing = exports.iter().filter(|name| !defined(name));
    match missing.cloned().collect::<Vec<_>>() {
        missing if missing.is_empty() => Ok(()),
        missing => Err(Refusal::Exports(missing)),
    }
}

fn missing<T>(part: &'static str) -> Checked<T> {
    Err(Refusal::Missing(part))
}

fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == 0)
}

fn format_of(kind: FileKind) -> &'static str {
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

/// A processor as Rust names it, of those that have a Rust with dynamic libraries.
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

fn quote(names: &[CString]) -> String {
    let quoted = |name: &CString| format!("`{}`", name.to_string_lossy());
    names.iter().map(quoted).collect::<Vec<_>>().join(", ")
}

// ELF is the system this is proven on, and these build, cut and blank real libraries.
#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::cell::Cell;
    use std::error::Error as _;
    use std::fs;
    use std::io::{Cursor, SeekFrom};
    use std::process::Command;
    use std::sync::LazyLock;

    use super::*;

    const PLUGIN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/plugin01/src/lib.rs");
    const EXPORTS: [&CStr; 2] = [c"plugin_function", c"plugin_free"];
    const C_PLUGIN: &str = "#include <stdlib.h>
        #include <string.h>
        static int calls;
        char *plugin_function(const char *input) { calls++; return strdup(input); }
        void plugin_free(char *answer) { free(answer); }";

    /// A library under test: how it was made, and its bytes.
    struct Library {
        made: String,
        bytes: Vec<u8>,
    }

    /// plugin01 and a C plugin by every linker there is; the first is optimized and stripped, and small.
    static LIBRARIES: LazyLock<Vec<Library>> = LazyLock::new(|| {
        let rust: [&[&str]; 4] = [
            &["-O", "-C", "strip=symbols"],
            &["-O"],
            &["-g", "-C", "strip=symbols"],
            &["-g"],
        ];
        let c: [&[&str]; 7] = [
            &[],
            &["-s"],
            &["-Wl,-z,separate-code"],
            &["-Wl,--hash-style=sysv"],
            &["-fuse-ld=gold"],
            &["-fuse-ld=lld"],
            &["-fuse-ld=mold"],
        ];
        let rust = rust.map(|flags| Some(plugin01(flags)));
        let c = c.map(|flags| c_library(flags, C_PLUGIN));
        rust.into_iter().chain(c).flatten().collect()
    });

    fn plugin01(flags: &[&str]) -> Library {
        let mut arguments = vec!["--crate-type", "cdylib"];
        arguments.extend(flags);
        let source = fs::read_to_string(PLUGIN).unwrap();
        rustc(&arguments, &source)
    }

    fn rustc(arguments: &[&str], source: &str) -> Library {
        let rustc = std::env::var("RUSTC").unwrap_or("rustc".into());
        let mut command = Command::new(rustc);
        command
            .args(["--edition", "2024", "--crate-name", "built"])
            .args(arguments);
        build(command, "source.rs", source).expect("rustc builds it")
    }

    /// Built by `cc`, or none if this `cc` lacks the linker that `flags` ask for.
    fn c_library(flags: &[&str], source: &str) -> Option<Library> {
        let mut command = Command::new("cc");
        command.args(["-shared", "-fPIC"]).args(flags);
        build(command, "source.c", source)
    }

    fn build(mut command: Command, name: &str, source: &str) -> Option<Library> {
        let scratch = tempfile::tempdir().unwrap();
        let (source_path, built) = (scratch.path().join(name), scratch.path().join("built"));
        fs::write(&source_path, source).unwrap();
        command.arg(&source_path).arg("-o").arg(&built);
        let output = command.output().ok()?;
        let bytes = output.status.success().then(|| fs::read(&built).unwrap());
        let made = format!("{command:?}");
        Some(Library {
            made,
            bytes: bytes?,
        })
    }

    impl Library {
        fn percents(&self) -> impl Iterator<Item = usize> {
            let len = self.bytes.len();
            (0..100).map(move |percent| len * percent / 100)
        }

        /// Asserts that none of these beginnings of the file, alone or followed by zeros, passes for a library.
        fn assert_incomplete_from(&self, mut ends: Vec<usize>) {
            ends.sort_unstable_by(|a, b| b.cmp(a));
            let mut zeros_follow = self.bytes.clone();
            for end in ends {
                assert_incomplete(&self.bytes[..end], &format!("{} cut at {end}", self.made));
                zeros_follow[end..].fill(0);
                if zeros_follow != self.bytes {
                    assert_incomplete(&zeros_follow, &format!("{} blank from {end}", self.made));
                }
            }
        }

        /// The bytes of the section called `name`.
        fn section(&self, name: &str) -> std::ops::Range<usize> {
            let file = object::File::parse(&*self.bytes).unwrap();
            let (start, size) = file.section_by_name(name).unwrap().file_range().unwrap();
            start as usize..(start + size) as usize
        }

        /// The same, with `patch` written at `at`.
        fn patched(&self, at: usize, patch: &[u8]) -> Vec<u8> {
            let mut bytes = self.bytes.clone();
            bytes[at..at + patch.len()].copy_from_slice(patch);
            bytes
        }
    }

    fn vetted(bytes: &[u8], exports: &[&CStr]) -> Checked<Vetted> {
        let exports: Vec<CString> = exports.iter().map(|&name| name.into()).collect();
        vet(Cursor::new(bytes), &exports)
    }

    #[track_caller]
    fn assert_incomplete(bytes: &[u8], what: &str) {
        match vetted(bytes, &EXPORTS) {
            Err(refusal) if refusal.is_incomplete() => {}
            other => panic!("{what}: {other:?}"),
        }
    }

    #[track_caller]
    fn assert_wrong(bytes: &[u8], reason: &str) {
        let refusal = vetted(bytes, &EXPORTS).unwrap_err();
        assert_eq!(refusal.to_string(), reason);
        assert!(!refusal.is_incomplete());
    }

    #[test]
    fn a_finished_library_passes_whoever_linked_it() {
        for library in &*LIBRARIES {
            let verdict = vetted(&library.bytes, &EXPORTS);
            assert!(!verdict.expect(&library.made).static_tls);
        }
    }

    #[test]
    fn a_library_cut_or_blank_from_any_percent_on_is_incomplete() {
        for library in &*LIBRARIES {
            library.assert_incomplete_from(library.percents().collect());
        }
    }

    #[test]
    fn a_library_cut_or_blank_from_any_byte_near_its_ends_on_is_incomplete() {
        for library in &*LIBRARIES {
            let len = library.bytes.len();
            let near = 4096.min(len);
            library.assert_incomplete_from((0..near).chain(len - near..len).collect());
        }
    }

    #[test]
    fn a_table_that_is_still_zeros_inside_a_finished_file_is_incomplete() {
        for library in &*LIBRARIES {
            for table in [".dynamic", ".dynsym", ".dynstr", ".shstrtab"] {
                let mut bytes = library.bytes.clone();
                bytes[library.section(table)].fill(0);
                assert_incomplete(&bytes, &format!("{} without {table}", library.made));
            }
        }
    }

    #[test]
    fn an_entry_of_the_section_table_that_is_zeros_or_leads_outside_is_incomplete() {
        for library in &*LIBRARIES {
            let header = Header::<E>::parse(&*library.bytes).unwrap();
            let (start, size) = (header.e_shoff(E) as usize, header.e_shentsize(E).into());
            for filler in [0, 0x7f] {
                let second = library.patched(start + size, &vec![filler; size]);
                assert_incomplete(&second, &format!("{} with {filler}", library.made));
            }
        }
    }

    #[test]
    fn a_file_that_has_only_begun_is_incomplete_and_says_so() {
        for (bytes, reason) in [
            (&b""[..], "it is empty"),
            (b"\x7f", "its header is missing"),
            (b"\x7fEL", "its header is missing"),
            (b"\x7fELF", "its header is missing"),
            (b"\x7fELF\x02\x01\x01", "its header is missing"),
            (b"\x7fE\0\0\0\0\0\0", "its header is missing"),
            (&[0; 1], "its header is missing"),
            (&[0; 100], "its header is missing"),
        ] {
            let refusal = vetted(bytes, &EXPORTS).unwrap_err();
            assert_eq!(refusal.to_string(), reason, "{bytes:?}");
            assert!(refusal.is_incomplete(), "{bytes:?}");
        }
    }

    #[test]
    fn a_cut_library_is_told_with_both_lengths() {
        let library = &LIBRARIES[0];
        let len = library.bytes.len();
        let refusal = vetted(&library.bytes[..len / 2], &EXPORTS).unwrap_err();
        let reason = format!("it ends at byte {} of {len}", len / 2);
        assert_eq!(refusal.to_string(), reason);
    }

    #[test]
    fn what_is_no_native_code_is_wrong_and_quoted() {
        for (bytes, quoted) in [
            (&b"x"[..], "x"),
            (b"#!/bin/sh\nexec cc", r"#!/bin/sh\nexec c"),
            (b"/* GNU ld script\n", "/* GNU ld script"),
            (b"INPUT(libx.so)", "INPUT(libx.so)"),
            (b"\x7fELK", r"\x7fELK"),
        ] {
            let reason = format!("it is not a shared library: it starts with `{quoted}`");
            assert_wrong(bytes, &reason);
        }
    }

    #[test]
    fn a_library_of_another_system_is_wrong_and_named() {
        let mut pe = vec![0; 512];
        pe[..2].copy_from_slice(b"MZ");
        pe[0x3c] = 0x80;
        pe[0x80..0x84].copy_from_slice(b"PE\0\0");
        pe[0x98..0x9a].copy_from_slice(&[0x0b, 0x02]);
        let padded = |magic: &[u8]| [magic, &[0; 60]].concat();
        for (bytes, found) in [
            (pe, "64-bit PE"),
            (padded(b"\xcf\xfa\xed\xfe"), "64-bit Mach-O"),
            (padded(b"\xca\xfe\xba\xbe"), "universal Mach-O"),
            (padded(b"\x64\x86"), "COFF"),
            (padded(b"\x7fELF\x01\x01\x01"), "32-bit ELF"),
        ] {
            let reason = format!("it is a {found} file, this system loads 64-bit ELF");
            assert_wrong(&bytes, &reason);
        }
    }

    #[test]
    fn a_library_for_another_processor_or_byte_order_is_named_even_before_it_is_complete() {
        let library = &LIBRARIES[0];
        let machine = if cfg!(target_arch = "riscv64") {
            elf::EM_AARCH64
        } else {
            elf::EM_RISCV
        };
        let name = if cfg!(target_arch = "riscv64") {
            "aarch64"
        } else {
            "riscv64"
        };
        let foreign = library.patched(18, &machine.0.to_ne_bytes());
        let reason = format!("it is for {name}, this host is {ARCH}");
        assert_wrong(&foreign, &reason);
        assert_wrong(&foreign[..size_of::<Header<E>>()], &reason);

        let mut swapped = library.patched(5, &[3 - library.bytes[5]]);
        swapped[16..18].reverse();
        swapped[18..20].reverse();
        let reason = "it is code of the other byte order, not a shared library";
        assert_wrong(&swapped, reason);
    }

    #[test]
    fn native_code_that_is_no_library_is_wrong_and_named() {
        let program = rustc(&["--crate-type", "bin"], "fn main() {}");
        let object = rustc(&["--crate-type", "lib", "--emit", "obj"], "pub fn f() {}");
        let archive = rustc(&["--crate-type", "rlib"], "pub fn f() {}");
        let set_type = |kind: elf::FileType| LIBRARIES[0].patched(16, &kind.0.to_ne_bytes());
        for (bytes, found) in [
            (program.bytes, "an executable"),
            (set_type(elf::ET_EXEC), "an executable"),
            (object.bytes, "an object file"),
            (archive.bytes, "a static library"),
            (set_type(elf::ET_CORE), "a core dump"),
        ] {
            assert_wrong(&bytes, &format!("it is {found}, not a shared library"));
        }
    }

    #[test]
    fn every_missing_export_is_named_and_an_import_is_none() {
        for library in &*LIBRARIES {
            let wanted = [c"plugin_init", c"plugin_free", c"free", c"plugin_fre"];
            let refusal = vetted(&library.bytes, &wanted).unwrap_err();
            let reason = "it does not export `plugin_init`, `free`, `plugin_fre`";
            assert_eq!(refusal.to_string(), reason, "{}", library.made);
            assert!(!refusal.is_incomplete());
        }
    }

    #[test]
    fn a_library_that_exports_nothing_is_wrong_and_not_waited_for() {
        let reason = "it does not export `plugin_function`, `plugin_free`";
        assert_wrong(&rustc(&["--crate-type", "cdylib"], "").bytes, reason);
        assert_wrong(&c_library(&["-nostdlib"], "").unwrap().bytes, reason);
    }

    #[test]
    fn a_library_stripped_of_its_section_table_passes_if_its_segments_are_whole() {
        let header = size_of::<Header<E>>();
        let (offset, word) = if header == 64 { (40, 8) } else { (32, 4) };
        for library in &*LIBRARIES {
            let mut bytes = library.patched(offset, &[0; 8][..word]);
            // How many sections there are, and which of them names the others.
            bytes[header - 4..header].fill(0);
            vetted(&bytes, &EXPORTS).expect(&library.made);
            assert!(vetted(&bytes, &[c"plugin_init"]).is_err());

            let file = object::File::parse(&*library.bytes).unwrap();
            let ends = file
                .segments()
                .map(|it| it.file_range().0 + it.file_range().1);
            let end = ends.max().unwrap() as usize;
            vetted(&bytes[..end], &EXPORTS).expect(&library.made);
            assert_incomplete(&bytes[..end - 1], &library.made);
        }
    }

    #[test]
    fn initial_exec_thread_locals_are_reported() {
        let source = "static __thread int i; int next(void) { return i++; }";
        let library = c_library(&["-ftls-model=initial-exec"], source).unwrap();
        assert!(vetted(&library.bytes, &[c"next"]).unwrap().static_tls);
    }

    /// Reads from memory, counts what was read, and fails from a given read on.
    struct Reader<'a> {
        bytes: Cursor<&'a [u8]>,
        read: &'a Cell<usize>,
        good_reads: usize,
    }

    impl Read for Reader<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let failure = io::Error::from(io::ErrorKind::HostUnreachable);
            self.good_reads = self.good_reads.checked_sub(1).ok_or(failure)?;
            let read = self.bytes.read(buf)?;
            self.read.set(self.read.get() + read);
            Ok(read)
        }
    }

    impl Seek for Reader<'_> {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.bytes.seek(to)
        }
    }

    #[test]
    fn a_read_that_fails_is_neither_damage_nor_a_writer_at_work() {
        for good_reads in 0..8 {
            let read = Cell::new(0);
            let bytes = Cursor::new(&*LIBRARIES[0].bytes);
            let refusal = vet(
                Reader {
                    bytes,
                    read: &read,
                    good_reads,
                },
                &[],
            )
            .unwrap_err();
            assert_eq!(refusal.to_string(), "its staged copy cannot be read");
            assert!(
                refusal
                    .source()
                    .unwrap()
                    .to_string()
                    .contains("unreachable")
            );
            assert!(!refusal.is_incomplete());
        }
    }

    #[test]
    fn no_damage_makes_it_panic_or_read_without_bound() {
        // More than the tables of any file: each is read once, and a file that seems incomplete once more.
        const PASSES: usize = 8;
        let original = &LIBRARIES[0].bytes;
        let (header, len) = (size_of::<Header<E>>(), original.len());
        // Most of a library is code, which nobody looks at: the header, both ends and the tables matter.
        let dynamic = LIBRARIES[0].section(".dynamic");
        let tables = [0..header, 0..4096, len - 4096..len, dynamic, 0..len];
        let mut random = random_numbers();
        for round in 0..6000 {
            let mut bytes = original.clone();
            for _ in 0..=random(8) {
                let table = tables[random(tables.len())].clone();
                let at = table.start + random(table.len());
                bytes[at] = [0, 0xff, 0x7f, bytes[at] ^ 1, random(256) as u8][random(5)];
            }
            if round % 4 == 0 {
                bytes.truncate(random(len));
            }
            let read = Cell::new(0);
            let reader = Reader {
                bytes: Cursor::new(&bytes),
                read: &read,
                good_reads: usize::MAX,
            };
            let _ = vet(reader, &EXPORTS.map(CString::from));
            let read = read.get();
            assert!(read <= PASSES * len, "round {round}: {read} bytes of {len}");
        }
    }

    /// The same numbers on every run, each below the given bound: Marsaglia's xorshift.
    fn random_numbers() -> impl FnMut(usize) -> usize {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        move |bound| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % bound as u64) as usize
        }
    }

    #[test]
    fn only_tables_are_read_however_large_the_library() {
        let library = LIBRARIES
            .iter()
            .max_by_key(|library| library.bytes.len())
            .unwrap();
        let read = Cell::new(0);
        let bytes = Cursor::new(&*library.bytes);
        let reader = Reader {
            bytes,
            read: &read,
            good_reads: usize::MAX,
        };
        vet(reader, &[]).unwrap();
        let read = read.get();
        assert!(read < library.bytes.len() / 100, "{read} bytes");
    }
}
