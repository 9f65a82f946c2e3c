//! Ways back: the functions and variables by which libc or the kernel could still reach an image that is unmapped. An
//! image that imports one of them stays mapped. Those that plugins ask their host for instead of libc are not among
//! them, and neither are those that are over when they return, such as `qsort`, or that end with the image, such as
//! `atexit`. Pure.

/// What keeps a pointer, in the order of what it is for.
pub(super) const WAYS_BACK: &[&str] = &[
    // A function that is called later, on a thread of libc's or of the kernel's.
    "aio_fsync",
    "aio_fsync64",
    "aio_read",
    "aio_read64",
    "aio_write",
    "aio_write64",
    "__clone",
    "clone",
    "getaddrinfo_a",
    "lio_listio",
    "lio_listio64",
    "mq_notify",
    "timer_create",
    // The stack of a thread, which the thread needs to its very end.
    "pthread_attr_setstack",
    "pthread_attr_setstackaddr",
    // A lock that its thread keeps in a list.
    "pthread_mutexattr_setrobust",
    "pthread_mutexattr_setrobust_np",
    // A handler of a signal, under its less usual names.
    "__sigaction",
    "__sysv_signal",
    "bsd_signal",
    "sigset",
    "sigstack",
    "sigvec",
    "ssignal",
    "sysv_signal",
    // A function that is called when the process ends, without word of the library that it is in.
    "on_exit",
    // A text that becomes part of the environment.
    "putenv",
    // A buffer of a file, or functions in the place of one; libc writes to all files when the process ends.
    "_IO_file_init",
    "_IO_file_setbuf",
    "_IO_init",
    "_IO_link_in",
    "_IO_list_all",
    "_IO_setb",
    "_IO_setbuffer",
    "_IO_setvbuf",
    "_IO_str_init_static",
    "fmemopen",
    "fopencookie",
    "open_memstream",
    "open_wmemstream",
    "setbuf",
    "setbuffer",
    "setvbuf",
    // Functions and texts by which all of the process prints.
    "argp_program_bug_address",
    "argp_program_version",
    "argp_program_version_hook",
    "error_one_per_line",
    "error_print_progname",
    "openlog",
    "program_invocation_name",
    "program_invocation_short_name",
    "__progname",
    "__progname_full",
    "register_printf_function",
    "register_printf_modifier",
    "register_printf_specifier",
    "register_printf_type",
    // What libc goes on with at the next call of anybody.
    "getopt",
    "getopt_long",
    "getopt_long_only",
    "hsearch",
    "initstate",
    "setstate",
    "strtok",
    // Functions in the place of the allocator's.
    "__after_morecore_hook",
    "__free_hook",
    "__malloc_hook",
    "__malloc_initialize_hook",
    "__memalign_hook",
    "__morecore",
    "__realloc_hook",
    "mcheck",
    "mcheck_pedantic",
    "obstack_alloc_failed_handler",
    // Memory that is written to at each tick of a clock.
    "monstartup",
    "profil",
    "sprofil",
    // The tables by which exceptions find their way.
    "__register_frame",
    "__register_frame_info",
    "__register_frame_info_bases",
    "__register_frame_info_table",
    "__register_frame_info_table_bases",
    "__register_frame_table",
    // Keys under another name, and other libraries, which may keep anything.
    "__pthread_key_create",
    "dlmopen",
    "dlopen",
];

/// What a plugin asks its host for instead of libc. Who looks one of them up by its name gets libc's own, and the host
/// does not hear of it any more. The last one is asked of libc, and named when it is used.
const ASKED_OF_HOST: &[&str] = &[
    "__cxa_thread_atexit",
    "__cxa_thread_atexit_impl",
    "pthread_create",
    "pthread_key_create",
    "sigaction",
    "signal",
    "thrd_create",
    "tss_create",
    "sigaltstack",
];

/// The libraries that an image may need and be unmapped all the same: those of libc and of the compiler. [`WAYS_BACK`]
/// is about these. Any other may keep pointers to the image, and start threads for it, and does not tell.
const KNOWN_LIBRARIES: &[&str] = &[
    "ld-linux-x86-64.so.2",
    "libc.so.6",
    "libdl.so.2",
    "libgcc_s.so.1",
    "libm.so.6",
    "libpthread.so.0",
    "librt.so.1",
    "libutil.so.1",
];

/// The entry for a function or a variable that an image imports, if there is a way back by it.
pub(super) fn way_back(symbol: &[u8]) -> Option<&'static str> {
    WAYS_BACK
        .iter()
        .copied()
        .find(|way| way.as_bytes() == symbol)
}

/// The entry for a function or a variable that an image looks up, if there is a way back by it.
#[allow(
    dead_code,
    reason = "where images stay mapped, nobody is told what they look up"
)]
pub(super) fn way_back_when_found(symbol: &[u8]) -> Option<&'static str> {
    let mut asked = ASKED_OF_HOST.iter().copied();
    way_back(symbol).or_else(|| asked.find(|way| way.as_bytes() == symbol))
}

/// Whether nothing but [`WAYS_BACK`] is to be known of a library.
pub(super) fn is_known(library: &[u8]) -> bool {
    let mut known = KNOWN_LIBRARIES.iter();
    known.any(|known| known.as_bytes() == library)
}

#[cfg(test)]
mod tests {
    use super::WAYS_BACK;

    #[test]
    fn the_page_has_each_way_back() {
        let page = include_str!("../../docs/contract.md");
        for way in WAYS_BACK {
            assert!(page.contains(&format!("`{way}`")), "{way}");
        }
    }
}
