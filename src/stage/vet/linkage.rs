//! Linkage: what a library has to do with the other libraries of a process, as facts.

use std::ffi::{CStr, CString};

use crate::look::digest::Digest;

/// What a library has to do with the other libraries of a process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Linkage {
    /// The libraries that the loader is to load with it, by name or path.
    pub(crate) needed: Vec<String>,
    /// The name by which other libraries need it.
    pub(crate) soname: Option<CString>,
    /// The directories in which the loader looks for what it needs (`DT_RUNPATH`, or else `DT_RPATH`), in one text,
    /// with a colon between them.
    pub(crate) search: String,
    /// Whether these directories are those of the libraries that come with it, too (`DT_RPATH`).
    pub(crate) hands_search_on: bool,
    /// The symbols of the library that a process has only once.
    pub(crate) unique: Vec<Unique>,
    /// The sanitizer that the library was built with.
    pub(crate) sanitizer: Option<Sanitizer>,
    /// Whether the library asks for stacks from which code can be run.
    pub(crate) wants_executable_stack: bool,
    /// Whether the loader has to write to the library's code (`DF_TEXTREL`).
    pub(crate) has_text_relocations: bool,
}

/// A symbol that a process has only once, however many libraries define it (`STB_GNU_UNIQUE`): C++ compilers make
/// them of statics in inline functions and templates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unique {
    pub(crate) name: CString,
    /// The digest of its content, if nobody can write to it: it makes no difference which of two equal constants a
    /// library gets.
    pub(crate) constant: Option<Digest>,
}

/// A sanitizer, whose runtime has to be in a process from the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Sanitizer {
    /// Finds accesses to memory that is not there.
    Address,
    /// The same, in hardware that helps.
    HardwareAddress,
    /// Finds memory that nobody frees.
    Leak,
    /// Finds reads of memory that nobody wrote.
    Memory,
    /// Finds races of threads.
    Thread,
}

impl Sanitizer {
    pub(super) const ALL: [Sanitizer; 5] = [
        Sanitizer::Address,
        Sanitizer::HardwareAddress,
        Sanitizer::Leak,
        Sanitizer::Memory,
        Sanitizer::Thread,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Sanitizer::Address => "AddressSanitizer",
            Sanitizer::HardwareAddress => "HWAddressSanitizer",
            Sanitizer::Leak => "LeakSanitizer",
            Sanitizer::Memory => "MemorySanitizer",
            Sanitizer::Thread => "ThreadSanitizer",
        }
    }

    pub(super) fn flag(self) -> &'static str {
        match self {
            Sanitizer::Address => "address",
            Sanitizer::HardwareAddress => "hwaddress",
            Sanitizer::Leak => "leak",
            Sanitizer::Memory => "memory",
            Sanitizer::Thread => "thread",
        }
    }

    /// A symbol that every process has which has the runtime.
    pub(super) fn symbol(self) -> &'static CStr {
        match self {
            Sanitizer::Address => c"__asan_init",
            Sanitizer::HardwareAddress => c"__hwasan_init",
            // The runtime of AddressSanitizer finds leaks, too.
            Sanitizer::Leak => c"__lsan_do_leak_check",
            Sanitizer::Memory => c"__msan_init",
            Sanitizer::Thread => c"__tsan_init",
        }
    }

    /// The beginnings of the names of its runtime: GCC's, and Clang's.
    pub(super) fn runtimes(self) -> [&'static str; 2] {
        match self {
            Sanitizer::Address => ["libasan.so", "libclang_rt.asan"],
            Sanitizer::HardwareAddress => ["libhwasan.so", "libclang_rt.hwasan"],
            Sanitizer::Leak => ["liblsan.so", "libclang_rt.lsan"],
            Sanitizer::Memory => ["libmsan.so", "libclang_rt.msan"],
            Sanitizer::Thread => ["libtsan.so", "libclang_rt.tsan"],
        }
    }
}

impl Linkage {
    /// The library of C that the library needs, if that is another one than this host's. The other hosts' loaders know
    /// what to do with the names of glibc.
    pub(super) fn other_libc(&self) -> Option<&str> {
        let is_other = |name: &&String| {
            ["libc.musl-", "ld-musl-"].iter().any(|it| name.starts_with(it))
                // Of Android, and of musl where Rust links it.
                || *name == "libc.so"
        };
        let other = self.needed.iter().find(is_other)?;
        cfg!(target_env = "gnu").then_some(other)
    }
}
