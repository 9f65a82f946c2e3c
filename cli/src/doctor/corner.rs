//! A hidden directory beside a path, for files that are made to be looked at: no watcher takes it for a library or
//! searches it, and it goes with all that is in it.
//!
//! Others may be able to rename what lies beside the path, and to put a directory or a link of theirs in its place. So
//! on Linux files are made and removed by way of the directory as it was opened, and the name is only removed while it
//! leads to an empty directory: nothing of anybody else's is ever written to or removed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The directory, until it is dropped.
pub(super) struct Corner {
    /// The way to it by its name.
    named: PathBuf,
    /// The way to it as it was opened.
    held: PathBuf,
    #[cfg(target_os = "linux")]
    _open: fs::File,
}

impl Corner {
    /// Makes the directory in another one.
    pub(super) fn make_in(directory: &Path) -> io::Result<Corner> {
        let made = tempfile::Builder::new()
            .prefix(".replug-doctor-")
            .tempdir_in(directory)?;
        // From here on its removal is ours, which removes nothing that we did not make.
        Corner::hold(made.keep())
    }

    #[cfg(target_os = "linux")]
    fn hold(named: PathBuf) -> io::Result<Corner> {
        let open = open_own(&named).inspect_err(|_| {
            // Whatever stands there now, only an empty directory is removed.
            let _ = fs::remove_dir(&named);
        })?;
        let number = std::os::fd::AsRawFd::as_raw_fd(&open);
        let held = PathBuf::from(format!("/proc/self/fd/{number}"));
        // Before there is a corner, which would remove what is in it.
        if fs::read_dir(&held)?.next().is_some() {
            return Err(replaced());
        }
        Ok(Corner {
            named,
            held,
            _open: open,
        })
    }

    #[cfg(not(target_os = "linux"))]
    fn hold(named: PathBuf) -> io::Result<Corner> {
        let held = named.clone();
        Ok(Corner { named, held })
    }

    /// A file in it, as a watcher finds it.
    pub(super) fn seen(&self, name: &str) -> PathBuf {
        self.named.join(name)
    }

    /// The same file, for whoever writes.
    pub(super) fn own(&self, name: &str) -> PathBuf {
        self.held.join(name)
    }
}

/// Opens a directory that is this user's and nobody else's to write to, or lies where owners mean nothing.
#[cfg(target_os = "linux")]
fn open_own(directory: &Path) -> io::Result<fs::File> {
    use replug::watch::{Files as _, OsFiles, Rights};
    use rustix::fs::{Mode, OFlags};

    /// The bits of a mode that let a group or everybody write.
    const OTHERS_WRITE: u32 = 0o022;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let open = fs::File::from(rustix::fs::open(directory, flags, Mode::empty())?);
    let way = OsFiles.rights(&open, directory)?;
    let user = OsFiles.standing().user;
    let is_own = |it: &Rights| Some(it.owner) == user && it.mode & OTHERS_WRITE == 0;
    match way.last() {
        Some(found) if found.invented_by.is_some() || is_own(found) => Ok(open),
        _ => Err(replaced()),
    }
}

#[cfg(target_os = "linux")]
fn replaced() -> io::Error {
    io::Error::other("what was made there belongs to somebody else, or holds files already")
}

impl Drop for Corner {
    fn drop(&mut self) {
        let entries = fs::read_dir(&self.held).into_iter().flatten().flatten();
        for entry in entries {
            // What cannot be removed keeps the directory, and that is said below.
            let _ = fs::remove_file(self.held.join(entry.file_name()));
        }
        if let Err(error) = fs::remove_dir(&self.named) {
            let named = replug::shown::shown(&self.named);
            tracing::warn!("cannot remove `{named}`, which was made to see changes: {error}");
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn only_name_in(directory: &Path) -> PathBuf {
        let mut entries = fs::read_dir(directory).unwrap();
        let path = entries.next().expect("there is one").unwrap().path();
        assert!(entries.next().is_none());
        path
    }

    #[test]
    fn it_is_hidden_and_goes_with_what_is_in_it() {
        let scratch = tempfile::tempdir().unwrap();
        let corner = Corner::make_in(scratch.path()).unwrap();
        fs::write(corner.own("file"), "content").unwrap();
        assert_eq!(fs::read(corner.seen("file")).unwrap(), b"content");
        let name = only_name_in(scratch.path());
        assert!(name.file_name().unwrap().to_str().unwrap().starts_with('.'));
        drop(corner);
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_stands_in_its_place_from_the_start_is_left_alone() {
        let scratch = tempfile::tempdir().unwrap();
        let full = scratch.path().join("full");
        fs::create_dir(&full).unwrap();
        fs::write(full.join("file"), "theirs").unwrap();
        let link = scratch.path().join("link");
        symlink(&full, &link).unwrap();
        let open = scratch.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
        for other in [&full, &link, &open] {
            assert!(Corner::hold(other.clone()).is_err(), "{other:?}");
        }
        assert_eq!(fs::read(full.join("file")).unwrap(), b"theirs");
    }

    #[test]
    fn what_somebody_puts_in_its_place_is_neither_written_to_nor_removed() {
        let scratch = tempfile::tempdir().unwrap();
        let (beside, others) = (scratch.path().join("beside"), scratch.path().join("others"));
        for directory in [&beside, &others] {
            fs::create_dir(directory).unwrap();
        }
        fs::write(others.join("file"), "theirs").unwrap();
        let corner = Corner::make_in(&beside).unwrap();
        let name = only_name_in(&beside);
        fs::rename(&name, scratch.path().join("elsewhere")).unwrap();
        for is_link in [true, false] {
            match is_link {
                true => symlink(&others, &name).unwrap(),
                false => {
                    fs::remove_file(&name).unwrap();
                    fs::rename(&others, &name).unwrap();
                }
            }
            fs::write(corner.own("file"), "ours").unwrap();
            assert_eq!(fs::read(name.join("file")).unwrap(), b"theirs");
        }
        drop(corner);
        assert_eq!(fs::read(name.join("file")).unwrap(), b"theirs");
        assert_eq!(
            fs::read_dir(scratch.path().join("elsewhere"))
                .unwrap()
                .count(),
            0
        );
    }
}
