//! The place of a published library: where a person's words lead, and what is there already.

use std::fs::{self, File, Metadata};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use replug::Digest;
use replug::inspect::inspect;
use replug::shown::spelled;

use super::failure::PublishError;
use super::{options, rights};

/// What is in the place already.
pub(super) struct Before {
    pub(super) metadata: Metadata,
    pub(super) digest: Option<Digest>,
}

/// The place that a person named: in a directory, a file of the library's own name; behind a link, the file that it leads to.
pub(super) fn place(library: &Path, dest: &Path) -> Result<PathBuf, PublishError> {
    let unwritten = |source| PublishError::Write {
        path: dest.to_owned(),
        source,
    };
    let place = match fs::metadata(dest) {
        Ok(found) if found.is_dir() => match library.file_name() {
            Some(name) => dest.join(name),
            None => return Err(PublishError::NotAFile(library.to_owned())),
        },
        Ok(_) => dest.to_owned(),
        Err(error) if error.kind() == ErrorKind::NotFound && !names_directory(dest) => {
            dest.to_owned()
        }
        Err(error) => return Err(unwritten(error)),
    };
    match fs::symlink_metadata(&place) {
        Ok(found) if found.is_symlink() => fs::canonicalize(&place).map_err(unwritten),
        _ => Ok(place),
    }
}

/// Whether a path can only be that of a directory.
fn names_directory(path: &Path) -> bool {
    let spelled = spelled(path);
    spelled.ends_with(std::path::is_separator) || path.file_name().is_none()
}

/// What is in the place already; `None` if nothing is.
pub(super) fn before(library: &File, path: &Path) -> Result<Option<Before>, PublishError> {
    let unread = |source| PublishError::Read {
        path: path.to_owned(),
        source,
    };
    let metadata = match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => metadata,
        Ok(_) => return Err(PublishError::NoPlace(path.to_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unread(error)),
    };
    if rights::are_one(&library.metadata().map_err(unread)?, &metadata) {
        return Err(PublishError::Itself(path.to_owned()));
    }
    // What cannot be read, or is none, is as good as any other to be replaced.
    let digest = inspect(&options(path)).ok().and_then(|it| it.digest);
    Ok(Some(Before { metadata, digest }))
}
