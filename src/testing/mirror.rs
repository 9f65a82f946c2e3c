//! The mirror of a package: a tree in which its own files are copies, and all that lies beside it, up to the root of the
//! disk, are links to the originals. So each relative path leads where it leads in the original: to the workspace, to
//! packages beside it, and to files that are included.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};

use super::error::Error;
use crate::look::os;

/// The packages that are copied, and what is left out.
#[derive(Debug)]
pub(super) struct Mirror<'a> {
    /// The directories of the packages.
    pub(super) copied: &'a [PathBuf],
    /// The target directory, in which the tree itself is.
    pub(super) target: &'a Path,
}

impl Mirror<'_> {
    /// Makes `tree` the mirror. Only what differs is written, so that cargo builds nothing for a copy that is as it was.
    ///
    /// The `Cargo.lock` of the workspace is copied as well, for cargo may write to it.
    pub(super) fn make(&self, tree: &Path, workspace: &Path) -> Result<(), Error> {
        let root = workspace.ancestors().last().unwrap_or(workspace);
        self.mirror_beside(root, tree)?;
        let lock = workspace.join("Cargo.lock");
        match fs::read(&lock) {
            Ok(content) => replace(&below(tree, &lock), &content),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(failed(&lock)(error)),
        }
    }

    /// A directory outside of all packages: a real one on the way to a package, and else a link.
    fn mirror_directory(&self, original: &Path, mirrored: &Path) -> Result<(), Error> {
        if self.copied.iter().any(|package| package == original) {
            return self.copy_directory(original, mirrored);
        }
        let is_on_the_way = self
            .copied
            .iter()
            .any(|package| package.starts_with(original));
        match is_on_the_way {
            true => self.mirror_beside(original, mirrored),
            // Its files are older than what was built of the copy, and cargo would take that for theirs.
            false if was_copied(mirrored) => self.copy_directory(original, mirrored),
            false => link(original, mirrored),
        }
    }

    /// The entries of a directory on the way to a package.
    fn mirror_beside(&self, original: &Path, mirrored: &Path) -> Result<(), Error> {
        make_directory(mirrored)?;
        let names = match names(original) {
            // One may pass through a directory that one may not list. Only the way itself is known then.
            Err(error) if error.kind() == ErrorKind::PermissionDenied => self.ways(original),
            names => names.map_err(failed(original))?,
        };
        for name in names {
            let entry = original.join(&name);
            if entry != self.target {
                self.mirror_directory(&entry, &mirrored.join(name))?;
            }
        }
        Ok(())
    }

    /// The next steps from a directory to the packages.
    fn ways(&self, from: &Path) -> BTreeSet<OsString> {
        let below = self
            .copied
            .iter()
            .filter_map(|package| package.strip_prefix(from).ok());
        let next = below.filter_map(|way| way.iter().next());
        next.map(OsStr::to_owned).collect()
    }

    /// The files of a package. Packages below it are others.
    fn copy_directory(&self, original: &Path, copy: &Path) -> Result<(), Error> {
        make_directory(copy)?;
        let names = names(original).map_err(failed(original))?;
        for name in &names {
            let (entry, copied) = (original.join(name), copy.join(name));
            let kind = fs::symlink_metadata(&entry).map_err(failed(&entry))?;
            match kind.is_dir() {
                _ if entry == self.target => {}
                true if is_others(&entry, name) => self.mirror_directory(&entry, &copied)?,
                true => self.copy_directory(&entry, &copied)?,
                false if kind.is_file() => {
                    let content = fs::read(&entry).map_err(failed(&entry))?;
                    replace(&copied, &content)?;
                }
                // Links of the package's own, and what no build reads.
                false => link(&entry, &copied)?,
            }
        }
        remove_others(copy, &names)
    }
}

/// Whether the directory is the copy of a package, for another source that had this tree before.
fn was_copied(mirrored: &Path) -> bool {
    let is = |path: &Path, is: fn(&fs::Metadata) -> bool| {
        fs::symlink_metadata(path).is_ok_and(|found| is(&found))
    };
    is(mirrored, fs::Metadata::is_dir) && is(&mirrored.join("Cargo.toml"), fs::Metadata::is_file)
}

/// A real directory under this name.
fn make_directory(path: &Path) -> Result<(), Error> {
    if fs::symlink_metadata(path).is_ok_and(|it| !it.is_dir()) {
        remove(path).map_err(failed(path))?;
    }
    fs::create_dir_all(path).map_err(failed(path))
}

/// The names in a directory.
fn names(directory: &Path) -> io::Result<BTreeSet<OsString>> {
    fs::read_dir(directory)?
        .map(|entry| Ok(entry?.file_name()))
        .collect()
}

/// The place of an original in the tree.
pub(super) fn below(tree: &Path, original: &Path) -> PathBuf {
    let normal = |component| match component {
        Component::Normal(name) => Some(name),
        _ => None,
    };
    let names = original.components().filter_map(normal);
    names.fold(tree.to_owned(), |path, name| path.join(name))
}

/// Makes `name` a link to an original, unless it is one.
fn link(original: &Path, name: &Path) -> Result<(), Error> {
    if fs::read_link(name).is_ok_and(|leads| leads == original) {
        return Ok(());
    }
    remove(name)
        .and_then(|()| os::make_link(original, name))
        .map_err(failed(name))
}

/// Whether a directory in that of a package holds nothing of the package's own.
fn is_others(directory: &Path, name: &OsStr) -> bool {
    name == ".git" || directory.join("Cargo.toml").is_file()
}

/// Removes what is in a copy and is not in its original any more.
fn remove_others(copy: &Path, names: &BTreeSet<OsString>) -> Result<(), Error> {
    for entry in fs::read_dir(copy).map_err(failed(copy))? {
        let entry = entry.map_err(failed(copy))?;
        // A package of its own has a lock of its own, which cargo makes.
        let is_kept = names.contains(&entry.file_name()) || entry.file_name() == "Cargo.lock";
        if !is_kept {
            remove(&entry.path()).map_err(failed(copy))?;
        }
    }
    Ok(())
}

/// Gives a copy this content, unless it has it.
pub(super) fn replace(copy: &Path, content: &[u8]) -> Result<(), Error> {
    let is_file = fs::symlink_metadata(copy).is_ok_and(|it| it.is_file());
    if is_file && fs::read(copy).is_ok_and(|there| there == content) {
        return Ok(());
    }
    // What is a link leads to the original, which stays as it is.
    if !is_file {
        remove(copy).map_err(failed(copy))?;
    }
    fs::write(copy, content).map_err(failed(copy))
}

/// Removes whatever has a name; nothing if nothing has it. A link's target stays.
fn remove(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(it) if it.is_dir() => fs::remove_dir_all(path),
        Ok(_) => os::remove_link(path),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// The error of a file or directory that cannot be copied.
pub(super) fn failed(path: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
    let path = path.to_owned();
    move |source| Error::Copy { path, source }
}
