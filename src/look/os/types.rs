//! The types of filesystems on macOS and FreeBSD: which of them are on this machine, by what `statfs` says of a mount.
//! Pure.

use replug_plugin::shown::spelled_bytes;

use crate::look::files::{Filesystem, Locality, Names};

/// The types that only this system's kernel changes, if the mount is marked as local too. The mark alone does not do: a
/// daemon of FUSE can have it, and so can a share of the machine that this one is a guest of.
const OF_THIS_MACHINE: &[&str] = &[
    "apfs", "hfs", "ufs", "zfs", "tmpfs", "msdos", "msdosfs", "exfat", "ext2fs", "cd9660", "udf",
    // A view of another directory. FreeBSD hands the mark of the filesystem there on.
    "nullfs",
];

/// The types behind which there is a server. Asking it for a lock can hang.
const OF_A_SERVER: &[&str] = &["nfs", "smbfs", "afpfs", "webdav", "p9fs", "cifs"];

/// The filesystem of a mount with this type, marked as local or not.
pub(super) fn filesystem(named: &[u8], is_marked_local: bool) -> Filesystem {
    let of = |types: &[&'static str]| types.iter().copied().find(|it| it.as_bytes() == named);
    match (of(OF_THIS_MACHINE), of(OF_A_SERVER)) {
        (Some(name), _) if is_marked_local => Filesystem {
            name: name.into(),
            locality: Locality::Local,
            locks_can_hang: false,
            looks_can_lag: false,
            names: Names::ByLook,
            tells_writers: false,
        },
        (name, server) => Filesystem {
            name: match name.or(server) {
                Some(name) => name.into(),
                None if named.is_empty() => "unknown".into(),
                None => spelled_bytes(named).into_owned().into(),
            },
            locks_can_hang: server.is_some() || name.is_some(),
            // Nobody has looked into what clients remember here.
            names: Names::ByPath,
            ..Filesystem::unknown()
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_marked_and_known_is_of_this_machine() {
        for (named, is_marked, locality, locks_can_hang) in [
            ("apfs", true, Locality::Local, false),
            ("hfs", true, Locality::Local, false),
            ("ufs", true, Locality::Local, false),
            ("zfs", true, Locality::Local, false),
            ("tmpfs", true, Locality::Local, false),
            // A view of a directory that is somewhere else, or a disk that a server shares under its own type.
            ("nullfs", true, Locality::Local, false),
            ("nullfs", false, Locality::Remote, true),
            ("apfs", false, Locality::Remote, true),
            ("nfs", false, Locality::Remote, true),
            ("nfs", true, Locality::Remote, true),
            ("smbfs", false, Locality::Remote, true),
            ("macfuse", true, Locality::Remote, false),
            ("fusefs", true, Locality::Remote, false),
            ("virtiofs", true, Locality::Remote, false),
            ("unionfs", true, Locality::Remote, false),
            ("apfs2", true, Locality::Remote, false),
        ] {
            let found = filesystem(named.as_bytes(), is_marked);
            assert_eq!(found.name, named);
            assert_eq!(found.locality, locality, "{named} {is_marked}");
            assert_eq!(found.locks_can_hang, locks_can_hang, "{named} {is_marked}");
            let is_local = locality == Locality::Local;
            assert_eq!(found.looks_can_lag, !is_local, "{named} {is_marked}");
            assert!(!found.tells_writers, "{named} {is_marked}");
        }
        assert_eq!(filesystem(b"", true), {
            let names = Names::ByPath;
            Filesystem {
                names,
                ..Filesystem::unknown()
            }
        });
        assert_eq!(filesystem(b"a\xff", false).name, "a\\xff");
    }
}
