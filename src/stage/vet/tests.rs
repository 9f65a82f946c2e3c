//! Tests of vet on ELF, the format that vet is proven on: they build real libraries, cut them and blank them.

use std::cell::Cell;
use std::env::consts::ARCH;
use std::error::Error as _;
use std::ffi::{CStr, CString};
use std::fs;
use std::io::{Cursor, SeekFrom};
use std::process::Command;
use std::sync::LazyLock;

use object::NativeEndian as E;
use object::elf;
use object::read::elf::FileHeader as _;
use object::read::{Object, ObjectSection, ObjectSegment};

use super::elf::Header;
use super::linkage::{Sanitizer, Unique};
use super::*;
use crate::handshake::LONGEST;
use crate::look::digest::Digest;

const PLUGIN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/plugin01/src/lib.rs");
const EXPORTS: [&CStr; 2] = [c"plugin_function", c"plugin_free"];
const C_PLUGIN: &str = "#include <stdlib.h>
    #include <string.h>
    static int calls;
    char *plugin_function(const char *input) { calls++; return strdup(input); }
    void plugin_free(char *answer) { free(answer); }";

/// What this system loads.
const ELF: &str = match usize::BITS {
    64 => "64-bit ELF",
    _ => "32-bit ELF",
};

/// A library under test: how it was made, and its bytes.
struct Library {
    made: String,
    bytes: Vec<u8>,
}

/// The libraries under test: plugin01 by rustc's linker, and a C plugin by the system's. The first is small: it is
/// optimized and stripped.
static LIBRARIES: LazyLock<Vec<Library>> = LazyLock::new(|| {
    let rust: [&[&str]; 4] = [
        &["-O", "-C", "strip=symbols"],
        &["-O"],
        &["-g", "-C", "strip=symbols"],
        &["-g"],
    ];
    let c: [&[&str]; 4] = [
        &[],
        &["-s"],
        &["-Wl,-z,separate-code"],
        &["-Wl,--hash-style=sysv"],
    ];
    let rust = rust.map(plugin01);
    let c = c.map(|flags| c_library(flags, C_PLUGIN));
    rust.into_iter().chain(c).collect()
});

fn plugin01(flags: &[&str]) -> Library {
    let mut arguments = vec!["--crate-type", "cdylib"];
    arguments.extend(flags);
    let source = fs::read_to_string(PLUGIN).unwrap();
    rustc(&arguments, &source)
}

fn rustc(arguments: &[&str], source: &str) -> Library {
    let mut command = vocabulary::rustc();
    command
        .args(["--edition", "2024", "--crate-name", "built"])
        .args(arguments);
    build(command, "source.rs", source)
}

fn c_library(flags: &[&str], source: &str) -> Library {
    let mut command = Command::new("cc");
    command.args(["-shared", "-fPIC"]).args(flags);
    build(command, "source.c", source)
}

fn build(mut command: Command, name: &str, source: &str) -> Library {
    let scratch = tempfile::tempdir().unwrap();
    let (source_path, built) = (scratch.path().join(name), scratch.path().join("built"));
    fs::write(&source_path, source).unwrap();
    command.arg(&source_path).arg("-o").arg(&built);
    let output = command.output().expect("the compiler can be started");
    assert!(output.status.success(), "{command:?}: {output:?}");
    let bytes = fs::read(&built).unwrap();
    Library {
        made: format!("{command:?}"),
        bytes,
    }
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

    /// The library's bytes, with `patch` written at `at`.
    fn patched(&self, at: usize, patch: &[u8]) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        bytes[at..at + patch.len()].copy_from_slice(patch);
        bytes
    }
}

fn vetted(bytes: &[u8], functions: &[&CStr]) -> Checked<Vetted> {
    vetted_with_data(bytes, functions, &[])
}

fn vetted_with_data(bytes: &[u8], functions: &[&CStr], data: &[&CStr]) -> Checked<Vetted> {
    let owned =
        |names: &[&CStr]| -> Vec<CString> { names.iter().map(|&name| name.into()).collect() };
    let (functions, data) = (owned(functions), owned(data));
    let wanted = Wanted {
        functions: &functions,
        data: &data,
        or_declared: false,
    };
    vet(Cursor::new(bytes), wanted)
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
    let (other_class, other) = match usize::BITS {
        64 => (1, "32-bit ELF"),
        _ => (2, "64-bit ELF"),
    };
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
        (padded(&[0x7f, b'E', b'L', b'F', other_class, 1, 1]), other),
    ] {
        let reason = format!("it is a {found} file, this system loads {ELF}");
        assert_wrong(&bytes, &reason);
    }
}

/// A processor with registers as wide as this one's, and its name: the format says how wide they are before it says whose.
fn another_processor() -> (elf::Machine, &'static str) {
    match ARCH {
        "arm" => (elf::EM_386, "x86"),
        _ if usize::BITS == 32 => (elf::EM_ARM, "arm"),
        "s390x" => (elf::EM_AARCH64, "aarch64"),
        _ => (elf::EM_S390, "s390x"),
    }
}

#[test]
fn a_library_for_another_processor_or_byte_order_is_named_even_before_it_is_complete() {
    let library = &LIBRARIES[0];
    let (machine, name) = another_processor();
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
    assert_wrong(&c_library(&["-nostdlib"], "").bytes, reason);
}

#[test]
fn a_library_stripped_of_its_section_table_passes_if_its_segments_are_whole() {
    let header = size_of::<Header<E>>();
    let (offset, word) = if header == 64 { (40, 8) } else { (32, 4) };
    for library in &*LIBRARIES {
        let mut bytes = library.patched(offset, &[0; 8][..word]);
        // The number of sections, and the number of the section that names the others.
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
    let library = c_library(&["-ftls-model=initial-exec"], source);
    assert!(vetted(&library.bytes, &[c"next"]).unwrap().static_tls);
}

/// The linker of GNU says nothing of them on aarch64, so there only the loader's work tells. The same work by another
/// number, on the processor of these tests, makes a file as that linker leaves it.
#[test]
#[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
fn thread_locals_at_fixed_places_are_seen_on_aarch64_where_no_linker_has_said_so() {
    let source = "__thread int mine; int *next(void) { return &mine; }";
    for (model, is_static) in [("initial-exec", true), ("global-dynamic", false)] {
        let library = c_library(&[&format!("-ftls-model={model}")], source);
        let mut bytes = library.patched(18, &elf::EM_AARCH64.0.to_ne_bytes());
        // An entry of the dynamic section is a tag and a value, one of the relocations a place, a type, a symbol and a
        // distance.
        for entry in bytes[library.section(".dynamic")].chunks_exact_mut(16) {
            if entry[..8] == elf::DT_FLAGS.0.to_ne_bytes() {
                entry[8] &= !(elf::DF_STATIC_TLS.0 as u8);
            }
        }
        for entry in bytes[library.section(".rela.dyn")].chunks_exact_mut(24) {
            if entry[8..12] == elf::R_X86_64_TPOFF64.0.to_ne_bytes() {
                entry[8..12].copy_from_slice(&elf::R_AARCH64_TLS_TPREL.0.to_ne_bytes());
            }
        }
        let found = facts::facts(Cursor::new(&bytes)).tables.unwrap();
        let wanted = match is_static {
            true => facts::ThreadLocals::Static,
            false => facts::ThreadLocals::Dynamic,
        };
        assert_eq!(found.thread_locals, wanted, "{}", library.made);
        if ARCH == "aarch64" {
            let vetted = vetted(&bytes, &[c"next"]).unwrap();
            assert_eq!(vetted.static_tls, is_static, "{}", library.made);
        }
    }
}

#[test]
fn a_function_is_one_by_its_type_and_by_where_it_lies() {
    let object = "int wanted = 5;";
    let constant = "const int wanted = 5;";
    let thread_local = "__thread int wanted = 5;";
    // A function that says so, among the data.
    let misplaced =
        "__asm__(\".data\\n.globl wanted\\n.type wanted, %function\\nwanted: .quad 5\\n.text\");";
    // No place in the library at all.
    let absolute = "__asm__(\".globl wanted\\n.type wanted, %function\\nwanted = 4096\");";
    let untyped = "__asm__(\".data\\n.globl wanted\\nwanted: .quad 5\\n.text\");";
    for source in [object, constant, thread_local, misplaced, absolute, untyped] {
        let library = c_library(&[], source);
        let refusal = vetted(&library.bytes, &[c"wanted"]).expect_err(source);
        let reason = "it exports `wanted` as data, where the host needs a function";
        assert_eq!(refusal.to_string(), reason, "{source}");
        assert!(!refusal.is_incomplete());
        vetted_with_data(&library.bytes, &[], &[c"wanted"]).expect(source);
    }
    let plain = "void wanted(void) {}";
    let assembled = "__asm__(\".text\\n.globl wanted\\nwanted: .long 0\");";
    let chosen = "static void one(void) {} static void *choose(void) { return one; }
        void wanted(void) __attribute__((ifunc(\"choose\")));";
    for source in [plain, assembled, chosen] {
        vetted(&c_library(&[], source).bytes, &[c"wanted"]).expect(source);
    }
}

#[test]
fn data_that_is_missing_is_named_with_the_functions_that_are() {
    let library = c_library(&[], "int here = 1;");
    let refusal = vetted_with_data(&library.bytes, &[c"f"], &[c"here", c"d"]).unwrap_err();
    assert_eq!(refusal.to_string(), "it does not export `f`, `d`");
}

#[test]
fn a_library_that_forbids_loading_is_refused() {
    let library = c_library(&["-Wl,-z,nodlopen"], C_PLUGIN);
    let reason =
        "it was linked with `-z nodlopen`, which forbids loading it into a running process";
    assert_wrong(&library.bytes, reason);
}

/// A library that needs another one, which has this soname.
fn library_that_needs(soname: &str, flags: &[&str]) -> Library {
    let scratch = tempfile::tempdir().unwrap();
    let needed = scratch.path().join("needed.so");
    let named = format!("-Wl,-soname,{soname}");
    fs::write(&needed, c_library(&[&named], "").bytes).unwrap();
    let mut all = vec!["-Wl,--no-as-needed", needed.to_str().unwrap()];
    all.extend(flags);
    c_library(&all, C_PLUGIN)
}

#[test]
fn another_library_of_c_is_refused_by_name() {
    for libc in ["libc.musl-x86_64.so.1", "ld-musl-aarch64.so.1", "libc.so"] {
        let library = library_that_needs(libc, &[]);
        if cfg!(target_env = "gnu") {
            let reason = format!(
                "it needs `{libc}`, another C library than this host's; build it for the host's target"
            );
            assert_wrong(&library.bytes, &reason);
        }
    }
}

#[test]
fn what_a_library_needs_and_where_it_is_looked_for_is_read() {
    let flags = ["-Wl,-soname,libme.so.3", "-Wl,-rpath,$ORIGIN:/opt"];
    for (tags, hands_on) in [
        ("-Wl,--enable-new-dtags", false),
        ("-Wl,--disable-new-dtags", true),
    ] {
        let library = library_that_needs("libneeded.so.2", &[&flags[..], &[tags]].concat());
        let linkage = vetted(&library.bytes, &EXPORTS).unwrap().linkage;
        assert_eq!(linkage.needed[0], "libneeded.so.2");
        assert_eq!(linkage.soname.as_deref(), Some(c"libme.so.3"));
        assert_eq!(linkage.search, "$ORIGIN:/opt");
        assert_eq!(linkage.hands_search_on, hands_on, "{tags}");
    }
}

#[test]
fn a_sanitizer_is_known_by_its_runtime_and_by_its_symbol_and_passes_where_the_process_has_it() {
    let by_name = [
        ("libasan.so.8", Sanitizer::Address),
        ("libclang_rt.asan-x86_64.so", Sanitizer::Address),
        ("libhwasan.so.0", Sanitizer::HardwareAddress),
        ("liblsan.so.0", Sanitizer::Leak),
        ("libclang_rt.msan-x86_64.so", Sanitizer::Memory),
        ("libtsan.so.2", Sanitizer::Thread),
    ];
    let by_name = by_name.map(|(name, expected)| (library_that_needs(name, &[]), expected));
    let by_symbol = [
        ("__asan_init", Sanitizer::Address),
        ("__hwasan_init", Sanitizer::HardwareAddress),
        ("__lsan_do_leak_check", Sanitizer::Leak),
        ("__msan_init", Sanitizer::Memory),
        ("__tsan_init", Sanitizer::Thread),
    ];
    let needs = |symbol| format!("void {symbol}(void); void f(void) {{ {symbol}(); }}");
    let by_symbol = by_symbol.map(|(symbol, expected)| (c_library(&[], &needs(symbol)), expected));
    for (library, expected) in by_name.into_iter().chain(by_symbol) {
        let good = vetted(&library.bytes, &[]).unwrap();
        assert_eq!(good.linkage.sanitizer, Some(expected), "{}", library.made);
        assert!(
            good.check_process(|asked| asked == expected.symbol())
                .is_ok()
        );
        let refusal = good.check_process(|_| false).unwrap_err().to_string();
        assert!(refusal.contains(expected.name()), "{refusal}");
    }
    // The runtime of this one comes when it is needed.
    let undefined = library_that_needs("libubsan.so.1", &[]);
    let good = vetted(&undefined.bytes, &EXPORTS).unwrap();
    assert!(good.check_process(|_| false).is_ok());
}

#[test]
fn objects_that_a_process_has_once_are_told_with_the_digest_of_those_that_are_constant() {
    let object = |name: &str, section: &str| {
        format!(
            "__asm__(\".section {section}\\n.globl {name}\\n.type {name}, %gnu_unique_object\\n\"
             \".size {name}, 4\\n{name}: .ascii \\\"four\\\"\\n.previous\");"
        )
    };
    let source = object("constant", ".rodata") + &object("level", ".data") + "int usual = 3;";
    let library = c_library(&["-Wl,-z,separate-code"], &source);
    let mut found = vetted(&library.bytes, &[]).unwrap().linkage.unique;
    found.sort_by(|one, other| one.name.cmp(&other.name));
    let unique = |name: &CStr, constant| Unique {
        name: name.to_owned(),
        constant,
    };
    let constant = Some(Digest::of(b"four"));
    assert_eq!(
        found,
        [unique(c"constant", constant), unique(c"level", None)]
    );
}

#[test]
fn stacks_and_code_that_a_loader_must_open_up_are_reported() {
    let of = |flags: &[&str], source: &str| {
        let linkage = vetted(&c_library(flags, source).bytes, &[])
            .unwrap()
            .linkage;
        (linkage.wants_executable_stack, linkage.has_text_relocations)
    };
    // An address, as wide as addresses are, among the code.
    let word = if usize::BITS == 64 { ".quad" } else { ".long" };
    let relocated = &format!("void f(void) {{}} __asm__(\".text\\n{word} f\");");
    assert_eq!(of(&[], C_PLUGIN), (false, false));
    assert_eq!(of(&["-Wl,-z,execstack"], C_PLUGIN), (true, false));
    assert_eq!(of(&["-Wl,-z,notext"], relocated), (false, true));
}

#[test]
fn a_handshake_is_read_to_its_end_up_to_the_longest() {
    for (len, read) in [
        (1, true),
        (LONGEST / 64, true),
        (LONGEST / 8, true),
        (LONGEST - 1, true),
        (LONGEST, false),
    ] {
        let text = "x".repeat(len as usize);
        let source = format!("const char replug_handshake[] = \"{text}\";");
        let library = c_library(&[], &source);
        let found = vetted(&library.bytes, &[]).unwrap().handshake;
        let expected = read.then(|| text.into_bytes());
        assert!(found == expected, "{len}: {:?}", found.map(|it| it.len()));
    }
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
            Wanted::default(),
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
    // More passes than the tables of any file take: each table is read once, and a file that seems incomplete once
    // more.
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
        let functions = EXPORTS.map(CString::from);
        let wanted = Wanted {
            functions: &functions,
            data: &[],
            or_declared: false,
        };
        let _ = vet(reader, wanted);
        let read = read.get();
        assert!(read <= PASSES * len, "round {round}: {read} bytes of {len}");
    }
}

#[test]
#[cfg(target_pointer_width = "64")]
fn segments_that_overlap_are_not_read_one_by_one() {
    const SEGMENTS: u16 = 500;
    let (header, segment) = (size_of::<Header<E>>(), 56);
    let len = header + usize::from(SEGMENTS) * segment;
    let mut bytes = LIBRARIES[0].bytes[..header].to_vec();
    // No sections, and so many segments.
    bytes[40..48].fill(0);
    bytes[56..58].copy_from_slice(&SEGMENTS.to_ne_bytes());
    bytes[60..64].fill(0);
    bytes.resize(len, 0);
    for (number, segment) in bytes[header..].chunks_exact_mut(segment).enumerate() {
        segment[..4].copy_from_slice(&elf::PT_DYNAMIC.0.to_ne_bytes());
        // The size of a segment: almost to the end of the file, and no whole number of entries.
        segment[32..40].copy_from_slice(&(len - 1 - 16 * number).to_ne_bytes());
    }
    let read = Cell::new(0);
    let reader = Reader {
        bytes: Cursor::new(&bytes),
        read: &read,
        good_reads: usize::MAX,
    };
    assert!(vet(reader, Wanted::default()).unwrap_err().is_incomplete());
    assert!(read.get() <= 8 * len, "{} bytes of {len}", read.get());
}

/// Headers name tables of any size in a file that takes no room.
#[test]
#[cfg(target_pointer_width = "64")]
fn a_table_larger_than_any_librarys_is_wrong_and_named_and_not_read() {
    const HUGE: u64 = 1 << 30;
    let original = &LIBRARIES[0].bytes;
    let field = |at: usize| u64::from_ne_bytes(original[at..at + 8].try_into().unwrap());
    let sections = field(40) as usize;
    let names = usize::from(u16::from_ne_bytes(original[62..64].try_into().unwrap()));
    let size_of_names = sections + names * 64 + 32;
    // A count of zero says that the size of the first section is the count.
    let count = (60, 0, 2);
    for (changes, part) in [
        (vec![(size_of_names, HUGE, 8)], "table of section names"),
        (vec![count, (sections + 32, HUGE / 64, 8)], "section table"),
    ] {
        let mut file = tempfile::tempfile().unwrap();
        let mut bytes = original.clone();
        for (at, value, width) in changes {
            bytes[at..at + width].copy_from_slice(&value.to_ne_bytes()[..width]);
        }
        io::Write::write_all(&mut file, &bytes).unwrap();
        file.set_len(3 * HUGE).unwrap();
        let refusal = vet(&mut file, Wanted::default()).unwrap_err();
        assert!(!refusal.is_incomplete(), "{refusal}");
        assert!(
            refusal
                .to_string()
                .starts_with(&format!("its {part} is too large")),
            "{refusal}"
        );
        // The same table in a file that ends before it does is one that is still being written.
        file.set_len(bytes.len() as u64).unwrap();
        assert!(
            vet(&mut file, Wanted::default())
                .unwrap_err()
                .is_incomplete()
        );
    }
}

#[test]
fn the_head_of_a_file_is_judged_as_the_whole_is() {
    for library in LIBRARIES.iter() {
        judge_head(&library.bytes[..4096]).expect(&library.made);
    }
    let whole = &LIBRARIES[0].bytes;
    let mut foreign = whole[..4096].to_vec();
    let (machine, name) = another_processor();
    foreign[18..20].copy_from_slice(&machine.0.to_ne_bytes());
    let mut object = whole[..4096].to_vec();
    object[16..18].copy_from_slice(&elf::ET_REL.0.to_ne_bytes());
    for (head, refusal) in [
        (vec![0; 4096], "its header is missing"),
        (whole[..2].to_vec(), "its header is missing"),
        (
            b"#!/bin/sh\n".to_vec(),
            "it is not a shared library: it starts with `#!/bin/sh\\n`",
        ),
        (
            b"!<arch>\n/               ".to_vec(),
            "it is a static library, not a shared library",
        ),
        (foreign, &*format!("it is for {name}, this host is")),
        (object, "it is an object file, not a shared library"),
    ] {
        let said = judge_head(&head).unwrap_err();
        assert!(said.to_string().starts_with(refusal), "{said}");
        let late = vet(Cursor::new(&head), Wanted::default()).unwrap_err();
        assert_eq!(said.to_string(), late.to_string());
    }
}

/// Random numbers that are the same on every run, each below the given bound: Marsaglia's xorshift.
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
    vet(reader, Wanted::default()).unwrap();
    let read = read.get();
    assert!(read < library.bytes.len() / 100, "{read} bytes");
}

#[test]
fn of_what_follows_a_short_handshake_not_as_much_is_read_as_a_handshake_can_be_long() {
    let library = declared("const char more[1 << 20] = {1};");
    let read = Cell::new(0);
    let reader = Reader {
        bytes: Cursor::new(&*library.bytes),
        read: &read,
        good_reads: usize::MAX,
    };
    assert!(vet(reader, Wanted::default()).unwrap().handshake.is_some());
    let read = read.get();
    assert!(read < LONGEST as usize / 8, "{read} bytes");
}

/// A library with a declaration in it, and this text in the place of a function.
fn declared(surface: &str) -> Library {
    c_library(
        &[],
        &format!("const char replug_handshake[] = \"replug\\n\"; {surface}"),
    )
}

#[test]
fn a_library_with_a_declaration_need_not_have_the_functions_if_that_is_asked() {
    let functions = EXPORTS.map(CString::from);
    let wanted = |or_declared| Wanted {
        functions: &functions,
        data: &[],
        or_declared,
    };
    let both = "void plugin_function(void) {} void plugin_free(void) {}";
    for (library, passes, is_called) in [
        (declared(""), true, false),
        (declared("void plugin_function(void) {}"), true, false),
        (declared("int plugin_function = 1;"), true, false),
        (declared(both), true, true),
        (
            c_library(&[], "void plugin_function(void) {}"),
            false,
            false,
        ),
        (c_library(&[], both), true, true),
    ] {
        let asked = vet(Cursor::new(&library.bytes), wanted(true));
        assert_eq!(asked.is_ok(), passes, "{}", library.made);
        let called = asked.is_ok_and(|vetted| vetted.is_called);
        assert_eq!(called, is_called, "{}", library.made);
        let unasked = vet(Cursor::new(&library.bytes), wanted(false));
        assert_eq!(unasked.is_ok(), is_called, "{}", library.made);
    }
}

#[test]
fn data_in_the_place_of_a_function_is_named_before_what_is_missing() {
    let library = c_library(&[], "int plugin_function = 1;");
    let refused = vetted(&library.bytes, &EXPORTS);
    assert!(
        matches!(&refused, Err(Refusal::Data(names)) if *names == [c"plugin_function".to_owned()]),
        "{refused:?}"
    );
}

#[test]
fn the_facts_of_a_library_are_read_whether_vet_passes_it_or_not() {
    let source = "__thread int mine; int *f(void) { return &mine; } int data = 1;";
    let flags = [
        "-Wl,-soname,libx.so",
        "-Wl,-rpath,/somewhere",
        "-Wl,-z,nodlopen",
    ];
    let library = c_library(&flags, source);
    assert!(vetted(&library.bytes, &[]).is_err());
    let found = facts::facts(Cursor::new(&library.bytes));
    assert_eq!((found.format, found.machine), (Some(ELF), Some(ARCH)));
    let tables = found.tables.unwrap();
    assert_eq!(tables.linkage.soname.as_deref(), Some(c"libx.so"));
    assert_eq!(tables.linkage.search, "/somewhere");
    assert_eq!(tables.thread_locals, facts::ThreadLocals::Dynamic);
    let export = |name: &str| tables.exports.iter().find(|it| it.name == name).unwrap();
    assert!(export("f").is_function && !export("data").is_function);
    assert_eq!(tables.exported, tables.exports.len());
}

#[test]
fn the_facts_of_any_bytes_end_well_and_read_no_more_than_vet_may() {
    const PASSES: usize = 8;
    let library = &LIBRARIES[0].bytes;
    let len = library.len();
    for at in (0..1024).chain((1024..library.len()).step_by(97)) {
        let mut bytes = library.clone();
        bytes[at] = !bytes[at];
        let read = Cell::new(0);
        let reader = Reader {
            bytes: Cursor::new(&bytes),
            read: &read,
            good_reads: usize::MAX,
        };
        let found = facts::facts(reader);
        let names = found.tables.map_or(0, |it| it.exports.len());
        assert!(
            read.get() <= PASSES * len && names <= len,
            "{at}: {} bytes",
            read.get()
        );
    }
    for len in 0..1024 {
        facts::facts(Cursor::new(&library[..len]));
    }
}
