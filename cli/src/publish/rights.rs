//! The rights of a published library: those that the place asks for.

#[cfg(unix)]
pub(super) use self::system::USUAL;
pub(super) use self::system::{are_one, largest_file, take_over};

#[cfg(unix)]
mod system {
    use std::fs::{File, Metadata, Permissions};
    use std::io;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};

    /// The rights of a new library, before the umask.
    pub(crate) const USUAL: u32 = 0o644;

    /// Whether two looks were at one file.
    pub(crate) fn are_one(one: &Metadata, other: &Metadata) -> bool {
        (one.dev(), one.ino()) == (other.dev(), other.ino())
    }

    /// The size, in bytes, of the largest file that this process may write, if there is a limit.
    pub(crate) fn largest_file() -> Option<u64> {
        rustix::process::getrlimit(rustix::process::Resource::Fsize).current
    }

    /// Gives a new file the rights of the one before, and its owner and group where this user may. Returns whether it has
    /// that owner and group.
    pub(crate) fn take_over(file: &File, before: Option<&Metadata>) -> io::Result<bool> {
        let Some(before) = before else {
            return Ok(true);
        };
        let own = file.metadata()?;
        let has_owner = own.uid() == before.uid() || fchown(file, Some(before.uid()), None).is_ok();
        let has_group = own.gid() == before.gid() || fchown(file, None, Some(before.gid())).is_ok();
        let mode = mode(before.mode(), has_group);
        file.set_permissions(Permissions::from_mode(mode))?;
        Ok(has_owner && has_group)
    }

    /// The rights of a new file, by those of the one before. Another group gets no right that was not everybody's.
    pub(super) fn mode(before: u32, has_group: bool) -> u32 {
        let mode = before & 0o777;
        match has_group {
            true => mode,
            false => (mode & !0o070) | (((mode & 0o007) << 3) & mode),
        }
    }
}

#[cfg(not(unix))]
mod system {
    use std::fs::{File, Metadata};
    use std::io;

    /// Whether two looks were at one file: nobody knows.
    pub(crate) fn are_one(_one: &Metadata, _other: &Metadata) -> bool {
        false
    }

    /// The size, in bytes, of the largest file that this process may write: there is no such limit.
    pub(crate) fn largest_file() -> Option<u64> {
        None
    }

    /// Gives a new file the rights of the one before: the directory's say what they are.
    pub(crate) fn take_over(_file: &File, _before: Option<&Metadata>) -> io::Result<bool> {
        Ok(true)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::system;

    #[test]
    fn another_group_gets_no_right_that_was_not_everybodys() {
        for (before, has_group, after) in [
            (0o640, true, 0o640),
            (0o640, false, 0o600),
            (0o664, false, 0o644),
            (0o777, false, 0o777),
            (0o755, false, 0o755),
            (0o4750, true, 0o750),
        ] {
            assert_eq!(system::mode(before, has_group), after, "{before:o}");
        }
    }
}
