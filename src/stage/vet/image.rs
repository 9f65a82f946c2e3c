//! Vet for Mach-O and PE.

use std::ffi::CStr;

use object::BinaryFormat;
use object::SectionKind;
use object::read::{ExportTarget, Object, ObjectSection, ObjectSegment, ReadRef};

use super::checks::{Wanted, check_exports, check_inside, check_target, until_nul};
use super::linkage::Linkage;
use super::verdict::{Checked, Vetted, missing};
use crate::handshake::{HANDSHAKE, LONGEST, Lines, says_ordinary};

/// Vets a Mach-O or PE file less closely than an ELF file: its parts must be inside the file, its exports readable.
pub(crate) fn vet_image<'a, D: ReadRef<'a>>(data: D, wanted: Wanted<'_>) -> Checked<Vetted> {
    let file = object::File::parse(data).or(missing("header"))?;
    check_target(&file)?;
    let segments = file.segments().map(|it| it.file_range());
    let sections = file.sections().filter_map(|it| it.file_range());
    for (start, size) in segments.chain(sections) {
        check_inside(data, start, size)?;
    }
    let found: Result<Vec<_>, _> = file.exports().and_then(|all| all.collect());
    let found = found.or(missing("export table"))?;
    // macOS puts an underscore before every name of C.
    let underscore = usize::from(file.format() == BinaryFormat::MachO);
    let find = |name: &CStr| {
        let name = [&b"_"[..underscore], name.to_bytes()].concat();
        found.iter().find(|it| it.name().name() == Some(&name))
    };
    let handshake = match find(HANDSHAKE).map(|it| it.target()) {
        Some(ExportTarget::Address { address }) => text_at(&file, address),
        _ => None,
    };
    let is_function = |name: &CStr| Some(may_be_code(&file, find(name)?.target()));
    check_exports(wanted.of(handshake.as_deref()), is_function)?;
    let is_called = check_exports(wanted, is_function).is_ok();
    let mut lines = Lines::default();
    if handshake.as_deref().is_some_and(says_ordinary) {
        for section in file.sections() {
            lines.scan(section.data().unwrap_or_default(), section.address());
        }
    }
    Ok(Vetted {
        is_called,
        static_tls: false,
        // Only on Linux is room given back of what stays mapped.
        mapped: u64::MAX,
        handshake,
        lines,
        // What is known of these things was learnt on Linux.
        linkage: Linkage::default(),
    })
}

/// Whether an exported symbol can be a function. One that another library has is taken for a function.
pub(super) fn may_be_code<'a>(file: &impl Object<'a>, target: ExportTarget<'_>) -> bool {
    let ExportTarget::Address { address } = target else {
        return true;
    };
    let mut sections = file.sections();
    let section = sections.find(|it| {
        let end = it.address().saturating_add(it.size());
        (it.address()..end).contains(&address)
    });
    section.is_some_and(|it| it.kind() == SectionKind::Text)
}

/// The text at an address of a Mach-O or PE file, up to its NUL.
fn text_at<'a>(file: &impl Object<'a>, address: u64) -> Option<Vec<u8>> {
    // At the very end of one section the next section may begin.
    let section = file.sections().find(|it| {
        let end = it.address().saturating_add(it.size());
        (it.address()..end).contains(&address)
    })?;
    let skipped = usize::try_from(address - section.address()).ok()?;
    let bytes = section.data().ok()?.get(skipped..)?;
    let most = bytes.len().min(LONGEST as usize);
    until_nul(&bytes[..most]).map(<[u8]>::to_vec)
}
