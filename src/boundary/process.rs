//! This process, as its loader knows it: the symbols that it has for every library, and the libraries that are in it.

use std::collections::HashSet;
use std::ffi::{CStr, CString};
use std::mem;
use std::path::Path;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use super::image::LoadFailure;
use super::system;

/// Whether the loader takes a library that is in the process for one that is needed by that library's soname, wherever
/// the one in the process was loaded from: glibc does.
pub(crate) const KNOWS_BY_SONAME: bool = cfg!(all(target_os = "linux", target_env = "gnu"));

/// Whether the loader has a symbol once for the whole process if the symbol asks for that (`STB_GNU_UNIQUE`): glibc
/// does.
pub(crate) const JOINS_UNIQUE: bool = cfg!(all(target_os = "linux", target_env = "gnu"));

/// The names of the libraries that plugins have brought into the process, or are about to. Grows with the number of
/// names, not with that of builds.
static BROUGHT: LazyLock<Mutex<HashSet<CString>>> = LazyLock::new(Mutex::default);

fn brought() -> MutexGuard<'static, HashSet<CString>> {
    BROUGHT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the process has a symbol of this name for every library that needs one.
pub(crate) fn process_has(symbol: &CStr) -> bool {
    system::process_has(symbol)
}

/// The handle of the library that the loader would take for one that is needed by this name, if such a library is in
/// the process.
pub(crate) fn loaded_as(soname: &CStr) -> Option<usize> {
    KNOWS_BY_SONAME.then(|| system::loaded_as(soname))?
}

/// Takes down that a library of this name comes from a plugin. Said before the library is mapped, so that nobody takes
/// it for the process's own.
pub(crate) fn note_brought(soname: &CStr) {
    if !brought().contains(soname) {
        brought().insert(soname.to_owned());
    }
}

/// Whether the process had a library of this name before any plugin brought one: the loader takes that, whatever lies
/// beside a plugin.
pub(crate) fn has_itself(soname: &str) -> bool {
    let Ok(soname) = CString::new(soname) else {
        return false;
    };
    // Asked in this order: what a plugin brings is taken down before it is mapped.
    loaded_as(&soname).is_some() && !brought().contains(&soname)
}

/// Maps a library for good, and returns its handle.
pub(crate) fn keep(staged: &Path) -> Result<usize, LoadFailure> {
    let (library, handle) = system::open(staged).map_err(LoadFailure::loader)?;
    mem::forget(library);
    Ok(handle)
}
