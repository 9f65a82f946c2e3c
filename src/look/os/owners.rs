//! Who may write to what was found, and who can change the names on the way to it, on Linux and the other Unix systems.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

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

/// A directory on the way to another, and who can change the names in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ancestor {
    pub(crate) path: PathBuf,
    pub(crate) owner: u32,
    /// The rights, as `chmod` takes them.
    pub(crate) mode: u32,
    /// Whether the group's rights, if they let it write, give nothing to anybody but the owner.
    pub(crate) group_is_private: bool,
}

/// The real path of a directory, and each directory on that path, from the root down.
pub(crate) fn ancestors(directory: &Path) -> io::Result<(PathBuf, Vec<Ancestor>)> {
    let real = directory.canonicalize()?;
    let mut ways: Vec<_> = real.ancestors().map(ancestor).collect::<io::Result<_>>()?;
    ways.reverse();
    Ok((real, ways))
}

fn ancestor(path: &Path) -> io::Result<Ancestor> {
    let metadata = fs::symlink_metadata(path)?;
    let rights = rights(path, &metadata, &|_| None);
    Ok(Ancestor {
        path: rights.path,
        owner: rights.owner,
        mode: rights.mode,
        group_is_private: rights.group_is_private,
    })
}
