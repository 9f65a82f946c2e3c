//! A plugin that imports a symbol and does not use it. Tests write other names in the place of its name, which is as
//! long as names get.

#![allow(unsafe_code)]

use std::arch::asm;

fixtures::fixture!(|number| {
    let import: u64;
    // Weak, so that the loader does not mind if there is no such symbol.
    // SAFETY: an address is read, and nothing is done with it.
    unsafe {
        asm!(
            ".weak replug_placeholder_for_the_name_of_an_import",
            "mov {}, qword ptr [rip + replug_placeholder_for_the_name_of_an_import@GOTPCREL]",
            out(reg) import,
            options(nomem, nostack),
        );
    };
    number + u64::from(import == u64::MAX)
});
