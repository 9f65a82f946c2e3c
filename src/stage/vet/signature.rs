//! The code signature of a Mach-O library, as far as it tells whether the library is complete: it has a hash of each page
//! in front of it. macOS ends a process that touches a page of another content, so this is no question of whom to
//! trust: who signed, and whether anybody did, is not asked.

use std::io::{self, Read, Seek, SeekFrom};

use object::Endianness;
use object::macho::{self, MachHeader64};
use object::read::ReadRef;
use object::read::macho::{LoadCommandVariant, MachHeader};

use super::checks::check_inside;
use super::verdict::{Checked, Refusal, missing};
use crate::look::digest::Digester;

/// How many bytes are read at once of what is compared with a signature.
const PIECE: usize = 64 * 1024;

/// The length of the one sort of hash that is compared, SHA-256, in bytes.
const HASH: usize = 32;

/// The hashes of the pages of one library, or of one slice of a universal file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seal {
    /// Where in the file the first page begins.
    start: u64,
    /// The end of the last page, counted from there. It can be shorter than the others.
    limit: u64,
    /// The length of a page.
    page: u64,
    hashes: Vec<u8>,
}

impl Seal {
    /// Reads the signature of a library that begins at `start` of its file and is all of `data`. `None` if the library
    /// has none, as most for x86-64 are, or one by other hashes. On Apple's own processors nothing runs unsigned.
    pub(super) fn read<'a, D: ReadRef<'a>>(data: D, start: u64) -> Checked<Option<Seal>> {
        let header = MachHeader64::<Endianness>::parse(data, 0).or(missing("header"))?;
        let endian = header.endian().or(missing("header"))?;
        let commands = header.load_commands(endian, data, 0);
        let mut commands = commands.or(missing("table of load commands"))?;
        while let Some(command) = commands.next().or(missing("table of load commands"))? {
            if let (macho::LC_CODE_SIGNATURE, Ok(LoadCommandVariant::LinkeditData(place))) =
                (command.cmd(), command.variant())
            {
                let offset = place.dataoff.get(endian).into();
                let size = place.datasize.get(endian).into();
                return Seal::read_at(data, start, offset, size);
            }
        }
        match header.cputype(endian) {
            macho::CPU_TYPE_ARM64 => missing(SIGNATURE),
            _ => Ok(None),
        }
    }

    fn read_at<'a, D: ReadRef<'a>>(
        data: D,
        start: u64,
        offset: u64,
        size: u64,
    ) -> Checked<Option<Seal>> {
        check_inside(data, offset, size)?;
        let signature = data.read_bytes_at(offset, size).or(missing(SIGNATURE))?;
        let directories = directories(signature).ok_or(Refusal::Missing(SIGNATURE))?;
        let mut understood = None;
        for directory in directories {
            let is_understood = is_understood(directory).ok_or(Refusal::Missing(SIGNATURE))?;
            understood = understood.or(is_understood.then_some(directory));
        }
        let Some(directory) = understood else {
            return Ok(None);
        };
        let seal = Seal::of(directory, start).ok_or(Refusal::Missing(SIGNATURE))?;
        check_inside(data, 0, seal.limit)?;
        // What no hash is for counts as changed.
        match seal.limit < offset {
            true => missing(SIGNATURE),
            false => Ok(Some(seal)),
        }
    }

    /// The seal that a directory of hashes describes.
    fn of(directory: &[u8], start: u64) -> Option<Seal> {
        /// The first version in which the limit can have 64 bits.
        const WITH_LONG_LIMIT: u32 = 0x2_0300;
        let long_limit = match number(directory, 8)? {
            WITH_LONG_LIMIT.. => {
                u64::from(number(directory, 56)?) << 32 | u64::from(number(directory, 60)?)
            }
            _ => 0,
        };
        let limit = match long_limit {
            0 => number(directory, 32)?.into(),
            long => long,
        };
        let page = match *directory.get(39)? {
            // All of it is one page.
            0 => limit.max(1),
            exponent => 1_u64.checked_shl(exponent.into())?,
        };
        let (hashes, count) = (number(directory, 16)?, number(directory, 28)?);
        let hashes = directory.get(hashes as usize..)?;
        let hashes = hashes.get(..HASH.checked_mul(count as usize)?)?;
        (limit.div_ceil(page) == u64::from(count)).then(|| Seal {
            start,
            limit,
            page,
            hashes: hashes.to_vec(),
        })
    }

    /// Compares all pages in the file with their hashes.
    pub(super) fn check(&self, file: &mut (impl Read + Seek)) -> Checked {
        file.seek(SeekFrom::Start(self.start))
            .map_err(Refusal::Unreadable)?;
        let mut piece = vec![0; PIECE];
        for (number, hash) in (0..).zip(self.hashes.chunks_exact(HASH)) {
            let begin = self.page * number;
            let mut left = self.page.min(self.limit - begin);
            let mut digester = Digester::new();
            while left > 0 {
                let length = left.min(PIECE as u64);
                let piece = &mut piece[..length as usize];
                match file.read_exact(piece) {
                    Ok(()) => digester.update(piece),
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                        return Err(Refusal::Page(self.start + begin));
                    }
                    Err(error) => return Err(Refusal::Unreadable(error)),
                }
                left -= length;
            }
            if digester.finish().as_bytes() != hash {
                return Err(Refusal::Page(self.start + begin));
            }
        }
        Ok(())
    }
}

/// The word for a signature in a refusal.
const SIGNATURE: &str = "code signature";

/// The directories of hashes in a signature: one, or one for each sort of hash. `None` if there is none.
fn directories(signature: &[u8]) -> Option<Vec<&[u8]>> {
    if number(signature, 0)? != macho::CSMAGIC_EMBEDDED_SIGNATURE {
        return None;
    }
    let count = number(signature, 8)? as usize;
    let entries = signature.get(12..)?.chunks_exact(8).take(count);
    let mut found = Vec::new();
    for entry in entries {
        let (slot, offset) = (number(entry, 0)?, number(entry, 4)?);
        let slot = macho::CsSlot(slot);
        if slot == macho::CSSLOT_CODEDIRECTORY || slot.is_alternate_codedirectory() {
            let directory = signature.get(offset as usize..)?;
            if number(directory, 0)? != macho::CSMAGIC_CODEDIRECTORY {
                return None;
            }
            found.push(directory.get(..number(directory, 4)? as usize)?);
        }
    }
    (!found.is_empty()).then_some(found)
}

/// Whether a directory has hashes of the one sort that is compared, for pages that follow each other in the file. `None`
/// if the directory does not say which it has, and so is not written yet.
fn is_understood(directory: &[u8]) -> Option<bool> {
    /// The first version in which pages can be scattered over the file.
    const WITH_SCATTER: u32 = 0x2_0100;
    let (length, sort) = (*directory.get(36)?, *directory.get(37)?);
    let is_scattered = number(directory, 8)? >= WITH_SCATTER && number(directory, 44)? != 0;
    let is_sha256 = sort == macho::CS_HASHTYPE_SHA256.0 && usize::from(length) == HASH;
    (length != 0 && sort != 0).then_some(is_sha256 && !is_scattered)
}

/// A number of a signature, all of which have their largest byte first, on every processor.
fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}
