//! Doubt about an absence: why a file that is not found may be there all the same. Its filesystem may have been
//! unmounted, or what a client remembers of the directory may be older or newer than what it remembers of the file.

use std::path::Path;

use crate::decide::trouble::Cause;
use crate::error::Error;
use crate::look::files::{Files, Locality, is_absent};
use crate::look::home::Home;
use crate::look::names::KnownNames;
use crate::look::way::directory_of;

/// A reason to doubt an absence.
type Doubt = (Cause, Error);

/// A reason to doubt that `path` is gone, if there is one.
pub(super) fn about_absence(
    files: &impl Files,
    names: &mut KnownNames,
    path: &Path,
    home: Option<&Home>,
    locality: Locality,
) -> Option<Doubt> {
    match home.map_or(Ok(false), |home| home.is_lost(path, files)) {
        Ok(false) => {}
        Ok(true) => {
            let path = path.to_owned();
            return Some((Cause::MountLost, Error::MountLost { path }));
        }
        Err(source) => {
            let (cause, path) = (Cause::from(&source), path.to_owned());
            return Some((cause, Error::Look { path, source }));
        }
    }
    if locality == Locality::Local {
        return None;
    }
    match is_listed_after_all(files, names, path) {
        Ok(false) => None,
        Ok(true) => {
            let path = path.to_owned();
            let error = Error::NotFoundThoughListed { path };
            Some((Cause::NotFoundThoughListed, error))
        }
        Err(doubt) => Some(doubt),
    }
}

/// Whether the directory of `path` names the file although no look finds it.
fn is_listed_after_all(
    files: &impl Files,
    names: &mut KnownNames,
    path: &Path,
) -> Result<bool, Doubt> {
    // First the name alone: for a file that is simply not there, an idle poll asks no more.
    if !is_listed(files, names, path)? {
        return Ok(false);
    }
    // A link that leads nowhere is listed although no file is there: the name at the end of the link counts.
    match files.route(path) {
        Ok(route) if route.end == path => Ok(true),
        Ok(route) => is_listed(files, names, &route.end),
        Err(source) if is_absent(&source) => Ok(false),
        Err(source) => {
            let (cause, path) = (Cause::from(&source), path.to_owned());
            Err((cause, Error::Look { path, source }))
        }
    }
}

/// Whether the directory of `path` names the file. A directory that is gone names nothing.
fn is_listed(files: &impl Files, names: &mut KnownNames, path: &Path) -> Result<bool, Doubt> {
    let (directory, Some(name)) = (directory_of(path), path.file_name()) else {
        return Ok(false);
    };
    match names.has(directory, name, files) {
        Ok(true) => {
            // For the next look: a client may remember that it did not find the name once.
            files.ask_for_name(path);
            Ok(true)
        }
        Ok(false) => Ok(false),
        Err(source) if is_absent(&source) => Ok(false),
        Err(source) => {
            let (cause, path) = (Cause::from(&source), directory.to_owned());
            Err((cause, Error::List { path, source }))
        }
    }
}
