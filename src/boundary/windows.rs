//! Windows: libraries are mapped by LoadLibrary.

use std::collections::HashSet;
use std::env;
use std::ffi::{CStr, c_void};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;

use libloading::os::windows::Library;
use object::read::pe::PeFile64;
use replug_plugin::shown::{shown, spelled_bytes};
use windows_sys::Win32::System::LibraryLoader::{
    AddDllDirectory, LOAD_LIBRARY_SEARCH_DEFAULT_DIRS, RemoveDllDirectory,
};

use super::files::wide;

/// Maps a library, and says by which handle the loader knows it: no other that is mapped has the same.
///
/// What the library needs is looked for beside the program, in the system's directory, and where [`Beside`] said. The
/// current directory is whatever a shell was in, and anybody may have written there; neither that nor `PATH` is searched.
pub(super) fn open(path: &Path) -> Result<(libloading::Library, usize), libloading::Error> {
    // SAFETY: loading runs the library's initialisers; whoever may write the artifact is trusted with
    // running code in this process, which is what a plugin is. The copy was vetted and nobody writes to it.
    let library = unsafe { Library::load_with_flags(path, LOAD_LIBRARY_SEARCH_DEFAULT_DIRS) }?;
    let handle = library.into_raw();
    // SAFETY: the handle was just taken out of a library that is open.
    let library = unsafe { Library::from_raw(handle) };
    Ok((library.into(), handle as usize))
}

/// The directory of an artifact as a place where the loader looks for what a copy of it needs, until this is dropped. The
/// copy lies elsewhere, and its neighbours are not copied.
pub(super) struct Beside {
    directory: PathBuf,
    cookie: *const c_void,
}

impl Beside {
    pub(super) fn of(artifact: &Path) -> Beside {
        let directory = artifact.parent().unwrap_or(artifact).to_owned();
        let cookie = match wide(&directory) {
            // SAFETY: the path ends with a zero.
            Ok(path) => unsafe { AddDllDirectory(path.as_ptr()) },
            Err(_) => std::ptr::null(),
        };
        if cookie.is_null() {
            let error = io::Error::last_os_error();
            tracing::debug!(directory = %shown(&directory), %error, "the loader does not look there");
        }
        Beside { directory, cookie }
    }

    /// The first library that is not where the loader looks, of those that the one in this file needs, or one that is
    /// beside it. The loader has refused the file, and its error says at most that something was not found.
    pub(super) fn lacks(&self, staged: &Path) -> Option<String> {
        let program = env::current_exe().ok();
        let program = program.as_deref().and_then(Path::parent);
        let system = env::var_os("SystemRoot").map(|root| Path::new(&root).join("System32"));
        let others = [program, system.as_deref()];
        let mut met = HashSet::new();
        let mut ahead = vec![staged.to_owned()];
        while let Some(file) = ahead.pop() {
            for name in needed(&file).unwrap_or_default() {
                if !met.insert(name.to_ascii_lowercase()) || is_known(&name) {
                    continue;
                }
                let beside = self.directory.join(&name);
                let mut elsewhere = others.iter().flatten();
                match () {
                    () if beside.is_file() => ahead.push(beside),
                    () if elsewhere.any(|it| it.join(&name).is_file()) => {}
                    () => return Some(name),
                }
            }
        }
        None
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if !self.cookie.is_null() {
            // SAFETY: the cookie is that of a directory which was added, and is removed only here.
            unsafe { RemoveDllDirectory(self.cookie) };
        }
    }
}

/// Whether the system has a library of this name, or a set of functions that is no file, or has loaded the library.
fn is_known(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let is_set = name.starts_with("api-ms-") || name.starts_with("ext-ms-");
    is_set || Library::open_already_loaded(&name).is_ok()
}

/// The names of the libraries that the one in a file needs when it is loaded.
fn needed(file: &Path) -> object::Result<Vec<String>> {
    let data = fs::read(file).unwrap_or_default();
    let image = PeFile64::parse(&*data)?;
    let Some(imports) = image.import_table()? else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    let mut libraries = imports.descriptors()?;
    while let Some(library) = libraries.next()? {
        let name = imports.name(library.name.get(object::LittleEndian))?;
        found.push(spelled_bytes(name).into_owned());
    }
    Ok(found)
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
