//! This process, as its loader knows it: the symbols that it has for every library, and the libraries that are in it.

use std::ffi::CStr;
use std::mem;
use std::path::Path;

use super::image::LoadFailure;
use super::system;

/// Whether the loader takes a library that is in the process for one that is needed by that library's soname, wherever
/// the one in the process was loaded from: glibc does.
pub(crate) const KNOWS_BY_SONAME: bool = cfg!(all(target_os = "linux", target_env = "gnu"));

/// Whether the loader has a symbol once for the whole process if the symbol asks for that (`STB_GNU_UNIQUE`): glibc
/// does.
pub(crate) const JOINS_UNIQUE: bool = cfg!(all(target_os = "linux", target_env = "gnu"));

/// Whether the process has a symbol of this name for every library that needs one.
pub(crate) fn process_has(symbol: &CStr) -> bool {
    system::process_has(symbol)
}

/// The handle of the library that the loader would take for one that is needed by this name, if such a library is in
/// the process.
pub(crate) fn loaded_as(soname: &CStr) -> Option<usize> {
    KNOWS_BY_SONAME.then(|| system::loaded_as(soname))?
}

/// Maps a library for good, and returns its handle.
pub(crate) fn keep(staged: &Path) -> Result<usize, LoadFailure> {
    let (library, handle) = system::open(staged).map_err(LoadFailure::loader)?;
    mem::forget(library);
    Ok(handle)
}
