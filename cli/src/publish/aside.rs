//! Files beside the place of a library: the new one until it is whole, and the one before if it is kept.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempPath};

use super::failure::PublishError;
#[cfg(unix)]
use super::rights;

/// What is behind the name of the library that was there before, which no watcher of a directory takes for a library.
const BEFORE: &str = ".before";

/// A file beside the place, which is removed unless it is renamed. Its name begins with a dot, and does not end as that of a
/// library.
pub(super) fn aside(path: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    let prefix = prefix_for(path);
    builder.prefix(&prefix).suffix(".publish");
    // As a linker makes one, less what the umask takes.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(rights::USUAL));
    builder.tempfile_in(directory_of(path))
}

/// What the name of a file aside begins with: the library's name, unless that leaves no room for the rest.
fn prefix_for(path: &Path) -> OsString {
    /// The longest name, in bytes, behind which there is room: a name has 255 of them at most.
    const LONGEST: usize = 220;
    let prefix = name_with(path, ".", ".");
    match prefix.len() {
        ..=LONGEST => prefix,
        _ => OsString::from("."),
    }
}

/// The name of a file with something in front of it and behind it.
fn name_with(path: &Path, before: &str, behind: &str) -> OsString {
    let mut name = OsString::from(before);
    name.push(path.file_name().unwrap_or(OsStr::new("library")));
    name.push(behind);
    name
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// Gives what is in the place a second name, in place of what had that name.
pub(super) fn keep(path: &Path) -> Result<PathBuf, PublishError> {
    let before = path.with_file_name(name_with(path, "", BEFORE));
    let kept = second_name(path).and_then(|second| rename_over(second, &before));
    match kept {
        Ok(()) => Ok(before),
        Err(source) => Err(PublishError::Keep {
            path: path.to_owned(),
            before,
            source,
        }),
    }
}

/// A second name of a file, aside; or where files have one name each, a copy.
fn second_name(path: &Path) -> io::Result<TempPath> {
    if let Ok(linked) = link_aside(path, path) {
        return Ok(linked);
    }
    let copied = aside(path)?;
    fs::copy(path, copied.path())?;
    copied.as_file().sync_all()?;
    Ok(copied.into_temp_path())
}

/// A second name of a file, aside of a place.
pub(crate) fn link_aside(file: &Path, place: &Path) -> io::Result<TempPath> {
    let mut builder = tempfile::Builder::new();
    let prefix = prefix_for(place);
    builder.prefix(&prefix).suffix(".publish");
    let linked = builder.make_in(directory_of(place), |name| fs::hard_link(file, name))?;
    Ok(linked.into_temp_path())
}

/// Renames a file that is aside over a place.
pub(crate) fn rename_over(aside: TempPath, place: &Path) -> io::Result<()> {
    let name = aside.to_path_buf();
    aside.persist(place).map_err(|failed| failed.error)?;
    // A rename of one name of a file over another name of the same file does nothing, and leaves both.
    match fs::remove_file(name) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Writes the directory to the disk, where that is possible.
pub(super) fn sync_directory(path: &Path) -> Result<(), PublishError> {
    let synced = match cfg!(unix) {
        true => File::open(directory_of(path)).and_then(|directory| directory.sync_all()),
        false => Ok(()),
    };
    match synced {
        // Not a thing that this filesystem does for directories.
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::InvalidInput | ErrorKind::Unsupported
            ) =>
        {
            Ok(())
        }
        synced => synced.map_err(|source| PublishError::Unsynced {
            path: path.to_owned(),
            source,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_aside_is_in_the_directory_and_named_as_no_library_is() {
        let directory = tempfile::tempdir().unwrap();
        let aside = aside(&directory.path().join("libx.so")).unwrap();
        assert_eq!(aside.path().parent(), Some(directory.path()));
        let name = aside.path().file_name().unwrap().to_str().unwrap();
        assert!(
            name.starts_with(".libx.so.") && name.ends_with(".publish"),
            "{name}"
        );
        drop(aside);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_library_with_the_longest_name_has_room_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let library = directory.path().join("x".repeat(252) + ".so");
        fs::write(&library, "").unwrap();
        let aside = aside(&library).unwrap();
        assert!(aside.path().to_string_lossy().ends_with(".publish"));
    }
}
