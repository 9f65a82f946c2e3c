//! A comparison of `docs/replug.h` with the Rust types that the header is about.

use std::mem::{offset_of, size_of};
use std::path::Path;
use std::process::Command;

use crate::answer::{Answered, Failure};
use crate::export::Entry;
use crate::hooks::HookTable;
use crate::layouts::LAYOUTS;
use crate::sink::RawSink;
use crate::wire::{RawSlice, RawSliceMut};

#[test]
fn the_header_for_c_has_the_lines_about_replugs_own_tables() {
    let header = include_str!("../../docs/replug.h");
    // The first are those for pointers of 64 bits, the second those for x86 with 32.
    let which = if size_of::<usize>() == 8 { 1 } else { 2 };
    let from = header.split("#define REPLUG_LAYOUTS").nth(which).unwrap();
    let lines = from.lines().skip(1);
    let lines = lines.take_while(|line| !line.starts_with('#')).map(|line| {
        let line = line.trim().trim_end_matches('\\').trim_end();
        let line = line
            .strip_prefix('"')
            .and_then(|line| line.strip_suffix("\\n\""));
        format!("{}\n", line.unwrap())
    });
    assert_eq!(lines.collect::<String>(), LAYOUTS);
}

fn size_of_field<T, F>(_: fn(&T) -> &F) -> usize {
    size_of::<F>()
}

/// A struct of the header: its name, its size, and the place and the size of each field.
macro_rules! same {
    ($c:literal, $rust:ty, $($field:ident)*) => {
        (
            concat!("struct ", $c),
            size_of::<$rust>(),
            vec![$((
                stringify!($field),
                offset_of!($rust, $field),
                size_of_field(|it: &$rust| &it.$field),
            )),*],
        )
    };
}

#[test]
fn the_header_for_c_says_what_rust_says() {
    let structs = [
        same!("replug_slice", RawSlice<u8>, data len),
        same!("replug_slice_mut", RawSliceMut<u8>, data len),
        same!("replug_sink", RawSink, buffer write),
        same!("replug_failure", Failure, kind message free),
        same!("replug_done", Answered<()>, failure),
        same!("replug_saved", Answered<u32>, failure value),
        same!("replug_hooks", HookTable, init stop save restore),
        same!("replug_entry", Entry, table hooks attach),
    ];
    let mut source = "#include \"replug.h\"\n".to_owned();
    source += &format!(
        "_Static_assert(REPLUG_PANICKED == {}, \"\");\n",
        Failure::PANICKED
    );
    source += &format!(
        "_Static_assert(REPLUG_REFUSED == {}, \"\");\n",
        Failure::REFUSED
    );
    for (name, size, fields) in structs {
        source += &format!("_Static_assert(sizeof({name}) == {size}, \"{name}\");\n");
        for (field, offset, size) in fields {
            let place = format!("offsetof({name}, {field}) == {offset}");
            let room = format!("sizeof((({name} *)0)->{field}) == {size}");
            source += &format!("_Static_assert({place} && {room}, \"{name}.{field}\");\n");
        }
    }
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("asserts.c");
    std::fs::write(&file, source).unwrap();
    let compiled = Command::new("cc")
        .args(["-std=c11", "-Wall", "-Werror", "-fsyntax-only", "-I"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs"))
        .arg(file)
        .output()
        .expect("cc can be started");
    let said = String::from_utf8_lossy(&compiled.stderr);
    assert!(compiled.status.success(), "{said}");
}
