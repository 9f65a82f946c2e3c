//! The directories in which a stage directory can be made: which are tried, and which are fit. A directory is fit if
//! nobody but this user and root can rename or remove what is on the way to it.

use std::collections::VecDeque;
use std::env;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use replug_plugin::shown::shown;

use crate::look::os::{self, Ancestor, HeldDirectory};

/// The room that a user's runtime directory must have left, in bytes: some copies of a large library with its debug
/// information (85 MB were seen). That directory is memory, usually a tenth of it, and others need it as well.
const RUNTIME_ROOM: u64 = 256 << 20;

/// Why no stage directory is made in a directory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unfit {
    /// A directory on the way belongs to somebody else.
    #[error(
        "`{}` belongs to user {owner}, who could put other files in the place of staged copies; choose a directory below \
         directories of your own or of root",
        shown(directory)
    )]
    Foreign {
        /// The directory.
        directory: PathBuf,
        /// Its owner's number.
        owner: u32,
    },
    /// Others can rename what is in a directory on the way.
    #[error(
        "others can write to `{}` and could put other files in the place of staged copies; take that right from them \
         (`chmod go-w`), or set the sticky bit (`chmod +t`)",
        shown(directory)
    )]
    Writable {
        /// The directory.
        directory: PathBuf,
    },
}

/// The real path of a directory that is fit to hold a stage directory.
pub(crate) fn fit(parent: &Path) -> io::Result<PathBuf> {
    let (real, way) = os::ancestors(parent)?;
    match way
        .iter()
        .find_map(|each| unfit(each, os::own_user(), os::is_unmapped))
    {
        Some(unfit) => Err(io::Error::new(ErrorKind::PermissionDenied, unfit)),
        None => Ok(real),
    }
}

/// What makes a directory unfit for the files of user `own`, if anything does.
fn unfit(ancestor: &Ancestor, own: u32, is_unmapped: fn(u32) -> bool) -> Option<Unfit> {
    const ROOT: u32 = 0;
    const STICKY: u32 = 0o1000;
    const GROUP_WRITES: u32 = 0o020;
    const OTHERS_WRITE: u32 = 0o002;
    let Ancestor {
        ref path,
        owner,
        mode,
        group_is_private,
    } = *ancestor;
    let directory = path.to_owned();
    if owner != own && owner != ROOT && !is_unmapped(owner) {
        return Some(Unfit::Foreign { directory, owner });
    }
    // Systems that give every user a group often let it write (umask 002). Its number says nothing about its members.
    let is_shared = mode & GROUP_WRITES != 0 && !group_is_private;
    let is_writable = is_shared || mode & OTHERS_WRITE != 0;
    // Where the sticky bit is set, only the owner of a file and of the directory can rename it.
    (is_writable && mode & STICKY == 0).then_some(Unfit::Writable { directory })
}

/// The directories that are tried if nobody chose one, the best first, and each once. Of a process that has more rights
/// than the user who started it, that user's environment chooses none.
pub(super) fn usual(has_more_rights: bool) -> VecDeque<PathBuf> {
    let more = os::MORE_TEMP_DIRS.iter().map(PathBuf::from);
    let (runtime, temporary) = match has_more_rights {
        true => (None, PathBuf::from("/tmp")),
        false => (
            env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from),
            env::temp_dir(),
        ),
    };
    let runtime = runtime.filter(|directory| match is_good_runtime(directory) {
        Ok(is_good) => is_good,
        Err(error) => {
            tracing::debug!("cannot use `{}`: {error}", shown(directory));
            false
        }
    });
    let usual = runtime.into_iter().chain([temporary]).chain(more);
    // A plugin may change the working directory before the next place is needed.
    each_once(usual.filter_map(|parent| std::path::absolute(parent).ok()))
}

/// Each of some directories once, whatever links lead to it.
fn each_once(directories: impl Iterator<Item = PathBuf>) -> VecDeque<PathBuf> {
    let mut met = Vec::new();
    let mut is_new = |directory: &PathBuf| {
        let real = directory.canonicalize();
        let real = real.unwrap_or_else(|_| directory.clone());
        let is_new = !met.contains(&real);
        met.push(real);
        is_new
    };
    directories.filter(|directory| is_new(directory)).collect()
}

/// Whether a user's runtime directory is what it should be, and has room.
fn is_good_runtime(directory: &Path) -> io::Result<bool> {
    if !directory.is_absolute() {
        return Ok(false);
    }
    let held = HeldDirectory::open(directory)?;
    Ok(held.is_private()? && held.free_space()? >= RUNTIME_ROOM)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: u32 = 1000;
    const THIRD: u32 = 1001;
    const UNMAPPED: u32 = 65534;

    fn judge(owner: u32, group_is_private: bool, mode: u32) -> Option<&'static str> {
        let ancestor = Ancestor {
            path: "/way".into(),
            owner,
            mode,
            group_is_private,
        };
        match unfit(&ancestor, OWN, |user| user == UNMAPPED)? {
            Unfit::Foreign { .. } => Some("foreign"),
            Unfit::Writable { .. } => Some("writable"),
        }
    }

    #[test]
    fn a_directory_is_unfit_if_others_can_rename_what_is_in_it() {
        for (owner, group_is_private, mode, judged) in [
            (0, false, 0o755, None),
            (0, false, 0o1777, None),
            (OWN, false, 0o700, None),
            (OWN, true, 0o775, None),
            (UNMAPPED, false, 0o755, None),
            (OWN, false, 0o775, Some("writable")),
            (0, false, 0o775, Some("writable")),
            (OWN, false, 0o1775, None),
            (OWN, true, 0o777, Some("writable")),
            (0, true, 0o777, Some("writable")),
            (THIRD, true, 0o700, Some("foreign")),
            (THIRD, true, 0o1777, Some("foreign")),
        ] {
            assert_eq!(
                judge(owner, group_is_private, mode),
                judged,
                "{owner} {group_is_private} {mode:o}"
            );
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_fit_directory_is_known_by_its_real_path() {
        let scratch = tempfile::tempdir().unwrap();
        let link = scratch.path().join("link");
        let real = scratch.path().join("real");
        std::fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        assert_eq!(fit(&link).unwrap(), real.canonicalize().unwrap());
    }

    #[cfg(unix)]
    #[test]
    fn a_directory_is_tried_once_under_whatever_names() {
        let scratch = tempfile::tempdir().unwrap();
        let link = scratch.path().join("link");
        std::os::unix::fs::symlink(scratch.path(), &link).unwrap();
        let missing = scratch.path().join("missing");
        let given = [scratch.path(), &link, &missing, &missing, scratch.path()];
        let tried = each_once(given.into_iter().map(Path::to_owned));
        assert_eq!(tried, [scratch.path(), &missing]);
    }

    #[cfg(unix)]
    #[test]
    fn the_environment_chooses_no_directory_for_a_process_with_more_rights() {
        let usual = usual(true);
        let known = ["/tmp"].iter().chain(os::MORE_TEMP_DIRS);
        assert_eq!(usual, each_once(known.map(PathBuf::from)));
    }

    #[cfg(unix)]
    #[test]
    fn every_directory_above_is_judged() {
        use std::os::unix::fs::PermissionsExt;
        let scratch = tempfile::tempdir().unwrap();
        let open = scratch.path().join("open");
        let below = open.join("below");
        std::fs::create_dir_all(&below).unwrap();
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o777)).unwrap();
        let said = fit(&below).unwrap_err().to_string();
        assert!(said.contains("others can write to"), "{said}");
        assert!(said.contains("open`"), "{said}");
    }
}
