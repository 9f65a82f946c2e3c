//! A plugin that imports a symbol and does not use it. Tests write other names in the place of its name, which is as
//! long as names get.

#![allow(unsafe_code)]

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use std::arch::asm;

fixtures::fixture!(|number| {
    let import: u64;
    // Weak, so that the loader does not mind if there is no such symbol.
    // SAFETY: an address is read, and nothing is done with it.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        asm!(
            ".weak replug_placeholder_for_the_name_of_an_import",
            "mov {}, qword ptr [rip + replug_placeholder_for_the_name_of_an_import@GOTPCREL]",
            out(reg) import,
            options(nomem, nostack),
        );
    };
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        asm!(
            ".weak replug_placeholder_for_the_name_of_an_import",
            "adrp {0}, :got:replug_placeholder_for_the_name_of_an_import",
            "ldr {0}, [{0}, :got_lo12:replug_placeholder_for_the_name_of_an_import]",
            out(reg) import,
            options(nomem, nostack),
        );
    };
    // Elsewhere no image is unmapped, whatever it imports.
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    {
        import = 0;
    }
    number + u64::from(import == u64::MAX)
});
