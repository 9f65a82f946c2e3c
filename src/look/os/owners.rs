//! Who may write to what was found, on Linux and the other Unix systems.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::system::{group_is_private, kind};
use crate::look::rights::Rights;
use crate::look::snapshot::Kind;

/// The bits of a mode that say who can do what; and that of them which lets the group write.
const RIGHTS: u32 = 0o7777;
const GROUP_CAN_WRITE: u32 = 0o020;

/// The rights at something that looks like `found`. `inventor` names the filesystem on a device, if it makes owners up.
pub(crate) fn rights(
    path: &Path,
    found: &Metadata,
    inventor: &dyn Fn(u64) -> Option<String>,
) -> Rights {
    let (kind, mode) = (kind(found), found.mode() & RIGHTS);
    let (owner, group) = (found.uid(), found.gid());
    // Who is in the group is asked only where that matters.
    let group_can_write = kind != Kind::Link && mode & GROUP_CAN_WRITE != 0;
    Rights {
        path: path.to_owned(),
        kind,
        owner,
        group,
        mode,
        group_is_private: group_can_write && group_is_private(path, group, owner),
        invented_by: inventor(found.dev()),
    }
}
