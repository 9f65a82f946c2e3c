//! Windows: libraries are mapped by LoadLibrary.

use std::ffi::{CStr, c_void};
use std::fs::File;
use std::io;
use std::path::Path;
use std::ptr::NonNull;

use libloading::os::windows::Library;

/// Maps a library, and says by which handle the loader knows it: no other that is mapped has the same.
pub(super) fn open(path: &Path) -> Result<(libloading::Library, usize), libloading::Error> {
    // SAFETY: loading runs the library's initialisers; whoever may write the artifact is trusted with
    // running code in this process, which is what a plugin is. The copy was vetted and nobody writes to it.
    let library = unsafe { Library::new(path) }?;
    let handle = library.into_raw();
    // SAFETY: the handle was just taken out of a library that is open.
    let library = unsafe { Library::from_raw(handle) };
    Ok((library.into(), handle as usize))
}

/// Gives the library back, still mapped. Nobody asks for more here: no image tells what its threads need.
pub(super) fn close(library: libloading::Library, _path: &Path) -> Result<(), libloading::Library> {
    Err(library)
}

/// Windows has no symbols for every library.
pub(super) fn process_has(_symbol: &CStr) -> bool {
    false
}

/// Libraries that plugins bring along are left to the loader here.
pub(super) fn loaded_as(_name: &CStr) -> Option<usize> {
    None
}

/// Vet alone tells functions from data here.
pub(super) fn is_code(_address: NonNull<c_void>) -> bool {
    true
}

/// Windows has no signals that code of a plugin could handle.
pub(super) fn signal_handled_by(_address: NonNull<c_void>) -> Option<i32> {
    None
}

/// Keys are not counted here: the ceiling was measured on Linux, and no ceiling is known of Windows.
pub(super) fn free_thread_keys(enough: usize) -> usize {
    enough
}

/// Windows starts no program with more rights than the user has who starts it.
pub(super) fn has_more_rights() -> bool {
    false
}

/// Windows maps code from any file that can be read.
pub(super) fn can_map_code(_file: &File) -> io::Result<()> {
    Ok(())
}
