//! Vet for Mach-O: the slices that a loader can take of a file, each of which is a library of its own.

use std::cell::Cell;
use std::io::{Read, Seek};

use object::Endianness;
use object::macho::{self, CpuSubtypeId, CpuType, MachHeader64};
use object::read::macho::{FatArch, MachHeader, MachOFatFile32, MachOFatFile64};
use object::read::{FileKind, ReadCache, ReadRef};

use super::bounded::Bounded;
use super::checks::{Wanted, check_inside, name_of};
use super::image::vet_image;
use super::signature::Seal;
use super::verdict::{Checked, Refusal, Vetted, missing};

/// Vets what a loader can take of a Mach-O file here, and adds the seals that are on it to `seals`.
pub(super) fn vet<R: Read + Seek>(
    cache: &ReadCache<R>,
    read: &Cell<u64>,
    wanted: Wanted<'_>,
    seals: &mut Vec<Seal>,
) -> Checked<Vetted> {
    let mut first = None;
    for (start, size) in slices(Bounded::new(cache, read), OWN)? {
        let slice = Bounded::new(cache.range(start, size), read);
        check_begun(slice)?;
        let (vetted, seal) = (vet_image(slice, wanted), Seal::read(slice, start));
        match vetted {
            Ok(vetted) => {
                first.get_or_insert(vetted);
                seals.extend(seal?);
            }
            // What is missing may come of a page that is not written yet.
            Err(refusal @ (Refusal::Exports(_) | Refusal::Data(_))) => {
                seals.extend(seal?);
                return Err(refusal);
            }
            Err(refusal) => return Err(refusal),
        }
    }
    first.ok_or(Refusal::Missing(SLICES))
}

/// Refuses a library of which not even the header is written: without a kind, or with nothing for a loader to do.
fn check_begun<'a, D: ReadRef<'a>>(slice: D) -> Checked {
    let header = MachHeader64::<Endianness>::parse(slice, 0).or(missing("header"))?;
    let endian = header.endian().or(missing("header"))?;
    match header.filetype(endian).0 == 0 || header.ncmds(endian) == 0 {
        true => missing("header"),
        false => Ok(()),
    }
}

/// The processor of this machine.
pub(super) const OWN: CpuType = match cfg!(target_arch = "aarch64") {
    true => macho::CPU_TYPE_ARM64,
    false => macho::CPU_TYPE_X86_64,
};

/// The variants of each processor that a program of Rust can be given. Which one of two depends on the processor, so both
/// are vetted.
const VARIANTS: &[(CpuType, [CpuSubtypeId; 2])] = &[
    (
        macho::CPU_TYPE_X86_64,
        [macho::CPU_SUBTYPE_X86_64_ALL, macho::CPU_SUBTYPE_X86_64_H],
    ),
    (
        macho::CPU_TYPE_ARM64,
        [macho::CPU_SUBTYPE_ARM64_ALL, macho::CPU_SUBTYPE_ARM64_V8],
    ),
];

/// The word for the table of a universal file in a refusal.
const SLICES: &str = "table of slices";

/// The places in a file of what a loader can take of the file for a processor, each as its beginning and its length. A file
/// that is not universal is one slice.
pub(super) fn slices<'a, D: ReadRef<'a>>(data: D, machine: CpuType) -> Checked<Vec<(u64, u64)>> {
    match FileKind::parse(data) {
        Ok(FileKind::MachOFat32) => {
            let file = MachOFatFile32::parse(data).or(missing(SLICES))?;
            of_machine(data, file.arches(), machine)
        }
        Ok(FileKind::MachOFat64) => {
            let file = MachOFatFile64::parse(data).or(missing(SLICES))?;
            of_machine(data, file.arches(), machine)
        }
        _ => Ok(vec![(0, data.len().unwrap_or(0))]),
    }
}

fn of_machine<'a, D: ReadRef<'a>, F: FatArch>(
    data: D,
    all: &[F],
    machine: CpuType,
) -> Checked<Vec<(u64, u64)>> {
    let (_, variants) = VARIANTS
        .iter()
        .find(|(processor, _)| *processor == machine)
        .ok_or(Refusal::Kind("a universal library"))?;
    let of_variant = |variant: &CpuSubtypeId| {
        let mut all = all.iter();
        all.find(|it| it.cputype() == machine && it.cpusubtype().id() == *variant)
    };
    let found: Vec<_> = variants.iter().filter_map(of_variant).collect();
    // The slices of other processors too, for a file that lacks a part of one is still being written.
    for slice in all {
        let (start, size) = slice.file_range();
        check_inside(data, start, size)?;
    }
    match (found.is_empty(), all.first()) {
        (false, _) => Ok(found.iter().map(|it| it.file_range()).collect()),
        (true, Some(other)) => Err(Refusal::Foreign(name_of(other.architecture()))),
        (true, None) => missing(SLICES),
    }
}

/// Files that lld has made, with signatures (`fuzz/relink`), on whatever system the tests run.
#[cfg(all(test, any(target_arch = "x86_64", target_arch = "aarch64")))]
mod tests {
    use std::fs;
    use std::io::Cursor;

    use super::super::vet_macho;
    use super::*;
    use crate::handshake::ENTRY;

    fn seed(name: &str) -> Vec<u8> {
        let seeds = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/seeds/vet");
        fs::read(format!("{seeds}/{name}")).unwrap()
    }

    const BOTH: [CpuType; 2] = [macho::CPU_TYPE_X86_64, macho::CPU_TYPE_ARM64];

    /// The slice of a universal file for one processor.
    fn slice(universal: &[u8], machine: CpuType) -> &[u8] {
        let found = slices(universal, machine).unwrap();
        let [(start, size)] = found[..] else {
            panic!("{found:?}");
        };
        &universal[start as usize..][..size as usize]
    }

    fn vetted(bytes: &[u8]) -> Checked<Vetted> {
        let data = [ENTRY.to_owned()];
        let wanted = Wanted {
            data: &data,
            ..Wanted::default()
        };
        vet_macho(Cursor::new(bytes), wanted)
    }

    /// What the signature of a library for any processor says of its bytes.
    fn sealed(bytes: &[u8]) -> Checked<bool> {
        let seal = Seal::read(bytes, 0)?;
        if let Some(seal) = &seal {
            seal.check(&mut Cursor::new(bytes))?;
        }
        Ok(seal.is_some())
    }

    /// What vet says of a library, as far as it says anything of one for another processor.
    fn judged(bytes: &[u8], machine: CpuType) -> Checked {
        match machine == OWN {
            true => vetted(bytes).map(|_| ()),
            false => check_begun(bytes).and_then(|()| sealed(bytes)).map(|_| ()),
        }
    }

    /// Where the signature begins: at the end of what it is about.
    fn signature_of(library: &[u8]) -> usize {
        let magic = macho::CSMAGIC_EMBEDDED_SIGNATURE.to_be_bytes();
        let mut found = library.windows(4).enumerate();
        found.find(|(_, it)| *it == magic).unwrap().0
    }

    #[test]
    fn a_universal_library_passes_by_the_slice_for_this_machine_and_is_never_cut() {
        let universal = seed("universal.dylib");
        let whole = vetted(&universal).unwrap();
        let alone = vetted(slice(&universal, OWN)).unwrap();
        assert!(whole.handshake.is_some());
        assert_eq!(whole, alone);
        // A signature stands at the end of the file, behind all that is mapped.
        assert_eq!(whole.mapped, u64::MAX);
    }

    #[test]
    fn a_signature_passes_what_it_was_made_for_on_each_processor() {
        let universal = seed("universal.dylib");
        for machine in BOTH {
            assert!(sealed(slice(&universal, machine)).unwrap(), "{machine:?}");
        }
        assert!(!sealed(&seed("good.dylib")).unwrap(), "it is not signed");
        assert!(vetted(&seed("good.dylib")).is_ok() == (OWN == macho::CPU_TYPE_X86_64));
    }

    #[test]
    fn any_other_byte_in_front_of_the_signature_is_seen() {
        let universal = seed("universal.dylib");
        for machine in BOTH {
            let library = slice(&universal, machine);
            for at in (0..signature_of(library)).step_by(29) {
                let mut bytes = library.to_vec();
                bytes[at] ^= 0x10;
                assert!(
                    !matches!(sealed(&bytes), Ok(true)),
                    "{machine:?}, byte {at}"
                );
            }
            let at = signature_of(library) - 1;
            let mut bytes = library.to_vec();
            bytes[at] ^= 1;
            let refusal = sealed(&bytes).unwrap_err();
            assert!(refusal.is_incomplete(), "{refusal}");
            let page = at - at % 4096;
            assert!(
                refusal
                    .to_string()
                    .starts_with(&format!("its page at byte {page} ")),
                "{refusal}"
            );
        }
    }

    #[test]
    fn a_signed_library_cut_or_blank_from_any_byte_on_or_with_a_hole_is_incomplete() {
        let universal = seed("universal.dylib");
        for machine in BOTH {
            let library = slice(&universal, machine);
            let signature = signature_of(library);
            // Behind the hashes is room up to a whole number of bytes, which is blank from the start.
            let last = library.iter().rposition(|&byte| byte != 0).unwrap();
            let near = |at: usize| at.saturating_sub(40)..(at + 40).min(last);
            let ends = (0..last).step_by(101).chain(near(0)).chain(near(signature));
            for end in ends.chain(near(last)) {
                let cut = judged(&library[..end], machine).unwrap_err();
                assert!(cut.is_incomplete(), "{machine:?} cut at {end}: {cut}");
                let mut blank = library.to_vec();
                blank[end..].fill(0);
                let blank = judged(&blank, machine);
                let blank = blank.expect_err(&format!("{machine:?} blank from {end}"));
                assert!(
                    blank.is_incomplete(),
                    "{machine:?} blank from {end}: {blank}"
                );
            }
            for page in (0..signature).step_by(4096) {
                let mut bytes = library.to_vec();
                let hole = page..(page + 4096).min(signature);
                if bytes[hole.clone()].iter().any(|&byte| byte != 0) {
                    bytes[hole].fill(0);
                    let hole = judged(&bytes, machine).unwrap_err();
                    assert!(hole.is_incomplete(), "{machine:?} without {page}: {hole}");
                }
            }
        }
        for end in (0..universal.len()).step_by(509) {
            let cut = vetted(&universal[..end]).unwrap_err();
            assert!(cut.is_incomplete(), "cut at {end}: {cut}");
        }
        assert!(vetted(&universal[..universal.len() - 1]).is_err());
    }

    #[test]
    fn on_apples_own_processors_a_library_without_a_signature_is_not_finished() {
        let universal = seed("universal.dylib");
        for (machine, passes) in [(BOTH[0], true), (BOTH[1], false)] {
            let mut bytes = slice(&universal, machine).to_vec();
            let command = macho::LC_CODE_SIGNATURE.0.to_le_bytes();
            let command = [&command[..], &16_u32.to_le_bytes()].concat();
            let at = bytes.windows(8).position(|it| it == command).unwrap();
            bytes[at..at + 4].copy_from_slice(&macho::LC_DATA_IN_CODE.0.to_le_bytes());
            match sealed(&bytes) {
                Ok(is_signed) => assert!(passes && !is_signed),
                Err(refusal) => {
                    assert!(!passes && refusal.is_incomplete());
                    assert_eq!(refusal.to_string(), "its code signature is missing");
                }
            }
        }
    }

    #[test]
    fn a_universal_library_for_other_processors_is_wrong_and_names_one() {
        let mut universal = seed("universal.dylib");
        // The second field of the table is the processor of the first slice; an entry has five.
        universal[8..12].copy_from_slice(&macho::CPU_TYPE_POWERPC64.0.to_be_bytes());
        universal[28..32].copy_from_slice(&macho::CPU_TYPE_ARM.0.to_be_bytes());
        let refusal = vetted(&universal).unwrap_err();
        assert!(
            matches!(refusal, Refusal::Foreign("powerpc64")),
            "{refusal}"
        );
        // Pointers that are signed: what programs of Rust cannot take.
        for at in [8, 28] {
            universal[at..at + 4].copy_from_slice(&macho::CPU_TYPE_ARM64.0.to_be_bytes());
            universal[at + 4..at + 8].copy_from_slice(&0x8000_0002_u32.to_be_bytes());
        }
        let refusal = slices(&universal[..], macho::CPU_TYPE_ARM64).unwrap_err();
        assert!(matches!(refusal, Refusal::Foreign("aarch64")), "{refusal}");
        universal[4..8].fill(0);
        let refusal = vetted(&universal).unwrap_err();
        assert_eq!(refusal.to_string(), "its table of slices is missing");
    }

    #[test]
    fn of_two_slices_between_which_the_loader_chooses_both_are_vetted() {
        let universal = seed("universal.dylib");
        let (own, other) = match OWN {
            macho::CPU_TYPE_X86_64 => (8, 28),
            _ => (28, 8),
        };
        let variants = match OWN {
            macho::CPU_TYPE_X86_64 => macho::CPU_SUBTYPE_X86_64_H.0,
            _ => macho::CPU_SUBTYPE_ARM64_V8.0,
        };
        // A second slice for this machine, of the same bytes.
        let mut bytes = universal.clone();
        bytes.copy_within(own..own + 20, other);
        bytes[other + 4..other + 8].copy_from_slice(&variants.to_be_bytes());
        assert_eq!(slices(&bytes[..], OWN).unwrap().len(), 2);
        assert!(vetted(&bytes).is_ok());
        // A second one that lies elsewhere, and is none.
        bytes[other + 8..other + 12].copy_from_slice(&4096_u32.to_be_bytes());
        assert!(vetted(&bytes).is_err());
    }
}
