//! The smallest shared libraries that pass vet, each with a number all over it, so that a mixture of two shows.

/// A complete library that carries `number`, in `payload` bytes. Cut short at any byte, or still zeros from any byte on, it
/// is incomplete.
pub fn library(number: u64, payload: usize) -> Vec<u8> {
    match cfg!(windows) {
        true => pe(number, payload),
        false => elf(number, payload),
    }
}

/// A library of Windows with one function, and one section that is the whole file. Its table of exports begins before the
/// header and is filled by the last four bytes: if they are zeros, a name leads outside.
fn pe(number: u64, payload: usize) -> Vec<u8> {
    /// Where the section lies in memory.
    const BASE: u32 = 0x1000;
    /// The DOS header, at whose eighth byte the function is: it must not lie among the exports.
    const EXPORTS: u32 = 64;
    const HEADER: u32 = EXPORTS + 40;
    const OPTIONAL: u32 = 240;
    const PAYLOAD: u32 = HEADER + 24 + OPTIONAL + 40;
    let functions = PAYLOAD + payload as u32;
    let (ordinals, name, names) = (functions + 4, functions + 8, functions + 12);
    let end = names + 4;
    let machine: u16 = if cfg!(target_arch = "aarch64") {
        0xaa64
    } else {
        0x8664
    };

    let mut file = Vec::with_capacity(end as usize);
    let words = |file: &mut Vec<u8>, words: &[u32]| {
        words
            .iter()
            .for_each(|word| file.extend(word.to_le_bytes()));
    };
    file.extend(b"MZ");
    file.resize(60, 0);
    words(&mut file, &[HEADER]);
    // The exports: one function, one name.
    words(&mut file, &[0, 0, 0, BASE + name, 1, 1, 1]);
    words(
        &mut file,
        &[BASE + functions, BASE + names, BASE + ordinals],
    );
    // The header: a library, with one section.
    file.extend(b"PE\0\0");
    words(&mut file, &[1 << 16 | u32::from(machine), 0, 0, 0]);
    words(&mut file, &[0x2022 << 16 | OPTIONAL]);
    // The optional header: 64 bits, and sixteen tables, of which only the exports are there.
    words(&mut file, &[0x20b]);
    file.resize((HEADER + 24 + 108) as usize, 0);
    words(&mut file, &[16, BASE + EXPORTS, end - EXPORTS]);
    file.resize((HEADER + 24 + OPTIONAL) as usize, 0);
    // The section: code.
    file.extend(b".text\0\0\0");
    words(&mut file, &[end, BASE, end, 0, 0, 0, 0, 0x6000_0020]);
    for _ in 0..payload / 8 {
        file.extend((number | 1 << 63).to_le_bytes());
    }
    words(&mut file, &[BASE + 8, 0]);
    file.extend(b"f\0\0\0");
    words(&mut file, &[BASE + name]);
    file
}

/// A library of Linux.
fn elf(number: u64, payload: usize) -> Vec<u8> {
    const HEADER: u64 = 64;
    const SEGMENT: u64 = 56;
    const DYNAMIC: u64 = HEADER + 2 * SEGMENT;
    const SYMBOLS: u64 = DYNAMIC + 5 * 16;
    const HASH: u64 = SYMBOLS + 2 * 24;
    const STRINGS: u64 = HASH + 24;
    const PAYLOAD: u64 = STRINGS + 8;
    const NAMES: &[u8; 16] = b"\0.text\0.names\0\0\0";
    let names = PAYLOAD + payload as u64;
    let sections = names + NAMES.len() as u64;
    let machine: u16 = if cfg!(target_arch = "aarch64") {
        183
    } else {
        62
    };

    let mut file = Vec::with_capacity(sections as usize + 3 * 64);
    let put = |file: &mut Vec<u8>, halves: &[u16]| {
        halves
            .iter()
            .for_each(|half| file.extend(half.to_le_bytes()));
    };
    let words = |file: &mut Vec<u8>, words: &[u64]| {
        words
            .iter()
            .for_each(|word| file.extend(word.to_le_bytes()));
    };
    let halfwords = |file: &mut Vec<u8>, words: &[u32]| {
        words
            .iter()
            .for_each(|word| file.extend(word.to_le_bytes()));
    };
    // The header: 64 bits, little-endian, a shared object.
    file.extend(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    put(&mut file, &[3, machine, 1, 0]);
    words(&mut file, &[0, HEADER, sections]);
    put(&mut file, &[0, 0, 64, 56, 2, 64, 3, 2]);
    // Two segments: the whole file, and the dynamic section.
    halfwords(&mut file, &[1, 5]);
    words(&mut file, &[0, 0, 0, names, names, 4096]);
    halfwords(&mut file, &[2, 6]);
    words(&mut file, &[DYNAMIC, DYNAMIC, DYNAMIC, 80, 80, 8]);
    // The dynamic section: the places of the strings, the symbols and their hash table.
    words(&mut file, &[5, STRINGS, 10, 3, 6, SYMBOLS, 4, HASH, 0, 0]);
    // The first symbol is nothing by definition, the second a function `f`.
    words(&mut file, &[0, 0, 0]);
    halfwords(&mut file, &[1]);
    file.extend([0x12, 0]);
    put(&mut file, &[1]);
    words(&mut file, &[PAYLOAD, 8]);
    halfwords(&mut file, &[1, 2, 1, 0, 0, 0]);
    file.extend(b"\0f\0\0\0\0\0\0");
    for _ in 0..payload / 8 {
        words(&mut file, &[number | 1 << 63]);
    }
    // The names of the sections, and their table, which ends the file.
    file.extend(NAMES);
    words(&mut file, &[0; 8]);
    halfwords(&mut file, &[1, 1]);
    words(&mut file, &[6, PAYLOAD, PAYLOAD, payload as u64]);
    halfwords(&mut file, &[0, 0]);
    words(&mut file, &[8, 0]);
    halfwords(&mut file, &[7, 3]);
    words(&mut file, &[0, 0, names, NAMES.len() as u64]);
    halfwords(&mut file, &[0, 0]);
    words(&mut file, &[1, 0]);
    file
}
