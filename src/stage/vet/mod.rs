//! Vet: is a staged copy a complete shared library for this machine, exporting what the host needs?
//!
//! Vet decides by parsing headers and tables, because to the dynamic loader a damaged library is no error but a fatal
//! signal. Nothing here runs, maps or waits. The poller asks vet between the digest and the update. A refusal is of
//! one of two kinds: *incomplete*, a writer may still be at work, look again; or *wrong*, keep the running
//! generation.

mod bounded;
pub(crate) mod linkage;

mod verdict;

mod kind;

mod checks;

mod dynamic;

mod linked;

mod elf;

pub(crate) mod image;

mod signature;

mod macho;

pub(crate) mod facts;

use std::cell::Cell;
use std::io::{self, Read, Seek};

use object::read::{FileKind, ReadCache};

use self::bounded::Bounded;
pub(crate) use self::checks::Wanted;
use self::kind::kind_of;
use self::signature::Seal;
pub use self::verdict::Refusal;
pub(crate) use self::verdict::Vetted;
use self::verdict::{Checked, NATIVE};

/// Vets `staged`, which must hold still and export everything that is `wanted`.
///
/// A library as a linker leaves it, stripped or not, is told from the same library cut short at any byte, or still
/// zeros from any byte on: an ELF file ends with its section table. Of a Mach-O file that is signed, as linkers sign all that
/// is for Apple's processors, each page is compared with its hash. Three things go unseen, and settling has to catch
/// them: a hole or a mixture of two builds in code or data of an ELF file; zeros at the end of one whose section table is
/// elsewhere (patchelf) or gone (sstrip); and zeros in general in PE files, and in Mach-O files that are not signed.
///
/// # Errors
///
/// A [`Refusal`]. A refusal that [is incomplete](Refusal::is_incomplete) is worth another look.
pub(crate) fn vet(mut staged: impl Read + Seek, wanted: Wanted<'_>) -> Checked<Vetted> {
    finish(judge_bounded(&mut staged, wanted), staged)
}

/// Vets a Mach-O file, on any system.
#[cfg(any(test, fuzzing))]
pub(crate) fn vet_macho(mut staged: impl Read + Seek, wanted: Wanted<'_>) -> Checked<Vetted> {
    let verdict = bounded(&mut staged, |cache, read, seals| {
        macho::vet(cache, read, wanted, seals)
    });
    finish(verdict, staged)
}

/// The verdict, unless the copy could not be read.
fn finish(verdict: Checked<Vetted>, mut staged: impl Read + Seek) -> Checked<Vetted> {
    if verdict.as_ref().is_err_and(Refusal::is_incomplete) {
        // The crate `object` takes a read that fails for a missing part, so see whether the whole copy can be read.
        staged.rewind().map_err(Refusal::Unreadable)?;
        io::copy(&mut staged, &mut io::sink()).map_err(Refusal::Unreadable)?;
    }
    verdict
}

/// Judges a file by its first page, or by all of it if it is shorter. What is refused here is refused by [`vet`] for the
/// same reason, whatever follows.
///
/// # Errors
///
/// A [`Refusal`], as of [`vet`].
pub(crate) fn judge_head(head: &[u8]) -> Checked {
    // Where the header of this system's format goes on elsewhere in the file, the head does not tell.
    if !matches!(NATIVE.1, b"\x7fELF") && head.starts_with(NATIVE.1) {
        return Ok(());
    }
    match kind_of(head)? {
        FileKind::Elf32 | FileKind::Elf64 => elf::check_header(head),
        _ => Ok(()),
    }
}

fn judge_bounded(staged: impl Read + Seek, wanted: Wanted<'_>) -> Checked<Vetted> {
    bounded(staged, |cache, read, seals| {
        let data = Bounded::new(cache, read);
        match kind_of(data)? {
            FileKind::Elf32 | FileKind::Elf64 => elf::vet(data, wanted),
            FileKind::Pe32 | FileKind::Pe64 => image::vet_image(data, wanted),
            _ => macho::vet(cache, read, wanted, seals),
        }
    })
}

/// Judges a copy by its tables, of which not too much is read, and then by the seals that were found on it.
fn bounded<R: Read + Seek>(
    mut staged: R,
    judge: impl FnOnce(&ReadCache<&mut R>, &Cell<u64>, &mut Vec<Seal>) -> Checked<Vetted>,
) -> Checked<Vetted> {
    let (mut seals, read) = (Vec::new(), Cell::new(0));
    let cache = ReadCache::new(&mut staged);
    let verdict = judge(&cache, &read, &mut seals);
    let is_exceeded = Bounded::new(&cache, &read).is_exceeded();
    drop(cache);
    let verdict = match verdict {
        _ if !is_exceeded => verdict,
        Err(Refusal::Missing(part)) => Err(Refusal::Oversized(part)),
        _ => Err(Refusal::Oversized("set of tables")),
    };
    let is_waited_for = verdict.as_ref().is_err_and(Refusal::is_incomplete);
    if !is_waited_for {
        seals.iter().try_for_each(|seal| seal.check(&mut staged))?;
    }
    verdict
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
