//! Unix: dlopen with the flags we need, POSIX thread-local keys, mmap.

use std::ffi::{CStr, c_void};
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::ops::RangeInclusive;
use std::path::Path;
use std::ptr::NonNull;

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use replug_plugin::shown::shown;
#[cfg(not(target_vendor = "apple"))]
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// Maps a library, and says by which handle the loader knows it: no other that is mapped has the same.
pub(super) fn open(path: &Path) -> Result<(libloading::Library, usize), libloading::Error> {
    // SAFETY: loading runs the library's initialisers; whoever may write the artifact is trusted with
    // running code in this process, which is what a plugin is. The copy was vetted and nobody writes to it.
    let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) }?;
    let handle = library.into_raw();
    // SAFETY: the handle was just taken out of a library that is open.
    let library = unsafe { Library::from_raw(handle) };
    Ok((library.into(), handle as usize))
}

/// Unmaps a library, and gives it back if the loader has not done so.
pub(super) fn close(library: libloading::Library, path: &Path) -> Result<(), libloading::Library> {
    let handle = Library::from(library).into_raw();
    // SAFETY: the handle was just taken out of a library that is open.
    let library = unsafe { Library::from_raw(handle) };
    if let Err(error) = library.close() {
        tracing::warn!(staged = %shown(path), error = %shown(&error.to_string()), "the loader cannot close a library");
    }
    // SAFETY: the call asks for a library that is mapped already, and runs nothing.
    let Ok(found) = (unsafe { Library::open(Some(path), RTLD_NOW | libc::RTLD_NOLOAD) }) else {
        return Ok(());
    };
    let found_handle = found.into_raw();
    // SAFETY: the handle was just taken out of a library that is open.
    let found = unsafe { Library::from_raw(found_handle) };
    // A path into memory can lead to another image by now.
    match found_handle == handle {
        true => Err(found.into()),
        false => Ok(()),
    }
}

/// Whether a symbol of this name is there for every library of the process.
pub(super) fn process_has(symbol: &CStr) -> bool {
    // SAFETY: the symbol is only asked for its address, which nobody uses.
    !unsafe { libc::dlsym(libc::RTLD_DEFAULT, symbol.as_ptr()) }.is_null()
}

/// The handle of the library that is mapped under this name, if one is.
pub(super) fn loaded_as(name: &CStr) -> Option<usize> {
    // SAFETY: the call asks for a library that is mapped already, and runs nothing.
    let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_NOLOAD) };
    if handle.is_null() {
        return None;
    }
    // SAFETY: the handle came from the call above, which counted one user more.
    unsafe { libc::dlclose(handle) };
    Some(handle as usize)
}

/// The first address of the library that was loaded from this path, and the first behind it.
#[cfg(target_os = "linux")]
pub(super) fn extent(path: &Path) -> Option<(usize, usize)> {
    let mut sought = Sought {
        path: path.as_os_str().as_encoded_bytes(),
        extent: None,
    };
    // SAFETY: `note_extent` takes the pointer that is passed for it. Meanwhile the loader keeps its list as it is.
    unsafe { libc::dl_iterate_phdr(Some(note_extent), (&raw mut sought).cast()) };
    sought.extent
}

/// Elsewhere nobody asks.
#[cfg(not(target_os = "linux"))]
pub(super) fn extent(_path: &Path) -> Option<(usize, usize)> {
    None
}

/// A path, and where the library that was loaded from it is.
#[cfg(target_os = "linux")]
struct Sought<'p> {
    path: &'p [u8],
    extent: Option<(usize, usize)>,
}

#[cfg(target_os = "linux")]
unsafe extern "C" fn note_extent(
    listed: *mut libc::dl_phdr_info,
    _size: usize,
    sought: *mut c_void,
) -> libc::c_int {
    // SAFETY: the loader passes an entry of its list.
    let listed = unsafe { &*listed };
    // SAFETY: `extent` passes the pointer, and does not use it again until the list is through.
    let sought = unsafe { &mut *sought.cast::<Sought<'_>>() };
    if listed.dlpi_name.is_null() {
        return 0;
    }
    // SAFETY: a name that is there is text with a NUL at its end, for as long as the library is mapped.
    let name = unsafe { CStr::from_ptr(listed.dlpi_name) };
    if name.to_bytes() != sought.path {
        return 0;
    }
    // SAFETY: an entry has as many program headers as it says, for as long as the library is mapped.
    let headers = unsafe { std::slice::from_raw_parts(listed.dlpi_phdr, listed.dlpi_phnum.into()) };
    let base = listed.dlpi_addr as usize;
    let loaded = headers.iter().filter(|it| it.p_type == libc::PT_LOAD);
    let ends = loaded.map(|it| {
        let start = base.wrapping_add(it.p_vaddr as usize);
        (start, start.wrapping_add(it.p_memsz as usize))
    });
    sought.extent = ends.reduce(|all, one| (all.0.min(one.0), all.1.max(one.1)));
    1
}

/// Whether an address is where code of a library can run.
#[cfg(target_os = "linux")]
pub(super) fn is_code(address: NonNull<c_void>) -> bool {
    let mut asked = Asked {
        address: address.as_ptr() as usize,
        is_code: false,
    };
    // SAFETY: `note_code` takes the pointer that is passed for it. Meanwhile the loader keeps its list as it is.
    unsafe { libc::dl_iterate_phdr(Some(note_code), (&raw mut asked).cast()) };
    asked.is_code
}

/// Elsewhere vet alone tells functions from data.
#[cfg(not(target_os = "linux"))]
pub(super) fn is_code(_address: NonNull<c_void>) -> bool {
    true
}

/// An address, and whether it is that of code.
#[cfg(target_os = "linux")]
struct Asked {
    address: usize,
    is_code: bool,
}

#[cfg(target_os = "linux")]
unsafe extern "C" fn note_code(
    listed: *mut libc::dl_phdr_info,
    _size: usize,
    asked: *mut c_void,
) -> libc::c_int {
    // SAFETY: the loader passes an entry of its list.
    let listed = unsafe { &*listed };
    // SAFETY: `is_code` passes the pointer, and does not use it again until the list is through.
    let asked = unsafe { &mut *asked.cast::<Asked>() };
    // SAFETY: an entry has as many program headers as it says, for as long as the library is mapped.
    let headers = unsafe { std::slice::from_raw_parts(listed.dlpi_phdr, listed.dlpi_phnum.into()) };
    let skipped = asked.address.wrapping_sub(listed.dlpi_addr as usize);
    asked.is_code |= headers.iter().any(|header| {
        let is_code = header.p_type == libc::PT_LOAD && header.p_flags & libc::PF_X != 0;
        let start = header.p_vaddr as usize;
        is_code && (start..start.saturating_add(header.p_memsz as usize)).contains(&skipped)
    });
    asked.is_code.into()
}

/// A signal that is handled by code of the image that `address` is in.
pub(super) fn signal_handled_by(address: NonNull<c_void>) -> Option<i32> {
    /// The signals of Linux, those of real time included.
    const SIGNALS: RangeInclusive<i32> = 1..=64;
    let image = base_of(address.as_ptr())?;
    SIGNALS.into_iter().find(|&signal| {
        let mut action = MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: the call only asks, and writes the answer.
        let status = unsafe { libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) };
        // SAFETY: zeros are a valid answer, if there is no other.
        let action = unsafe { action.assume_init() };
        status == 0 && base_of(action.sa_sigaction as *const c_void) == Some(image)
    })
}

/// The beginning of the image that an address is in.
pub(super) fn base_of(address: *const c_void) -> Option<usize> {
    let mut found = MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: any address can be asked for, and the answer is written.
    let status = unsafe { libc::dladdr(address, found.as_mut_ptr()) };
    // SAFETY: zeros are a valid answer, if there is no other.
    let found = unsafe { found.assume_init() };
    (status != 0).then_some(found.dli_fbase as usize)
}

/// How many thread-local keys can still be made, counted up to `enough`.
pub(super) fn free_thread_keys(enough: usize) -> usize {
    let keys: Vec<_> = std::iter::from_fn(new_thread_key).take(enough).collect();
    for &key in &keys {
        // SAFETY: the key was made above and nothing was ever stored under it.
        unsafe { libc::pthread_key_delete(key) };
    }
    keys.len()
}

fn new_thread_key() -> Option<libc::pthread_key_t> {
    let mut key = 0;
    // SAFETY: `key` can be written to; no destructor is given.
    let status = unsafe { libc::pthread_key_create(&mut key, None) };
    (status == 0).then_some(key)
}

/// Whether the process was started with more rights than the user has who started it: set-user-ID, set-group-ID, the
/// capabilities of a file, or a security module's word.
#[cfg(target_os = "linux")]
pub(super) fn has_more_rights() -> bool {
    // SAFETY: the call only reads what the kernel told this process when it was started.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn has_more_rights() -> bool {
    use rustix::process::{getegid, geteuid, getgid, getuid};
    geteuid() != getuid() || getegid() != getgid()
}

/// Whether code can be mapped from the filesystem of an open file, by trying it.
#[cfg(not(target_vendor = "apple"))]
pub(super) fn can_map_code(file: &File) -> io::Result<()> {
    /// The length of the mapping that is tried: one page of the smallest kind. Nothing ever touches the page.
    const LENGTH: usize = 4096;
    let (protection, flags) = (ProtFlags::READ | ProtFlags::EXEC, MapFlags::PRIVATE);
    // SAFETY: a new private mapping at a place the system chooses disturbs no other.
    let mapping = unsafe { mmap(std::ptr::null_mut(), LENGTH, protection, flags, file, 0) }?;
    // SAFETY: the mapping was made above and nothing points into it.
    unsafe { munmap(mapping, LENGTH) }?;
    Ok(())
}

/// Whether code can be mapped from the filesystem of an open file, by how that is mounted. macOS can refuse to map a file
/// as code that has no signature, and the file that is asked about here is empty.
#[cfg(target_vendor = "apple")]
pub(super) fn can_map_code(file: &File) -> io::Result<()> {
    let mounted = rustix::fs::fstatfs(file)?;
    refuse_if_marked(mounted.f_flags.into(), libc::MNT_NOEXEC as u64)
}

/// Refuses a mount that has this mark, with the error that trying would end in.
#[cfg(any(test, target_vendor = "apple"))]
fn refuse_if_marked(flags: u64, mark: u64) -> io::Result<()> {
    match flags & mark {
        0 => Ok(()),
        _ => Err(io::Error::from_raw_os_error(libc::EACCES)),
    }
}

#[cfg(test)]
mod tests {
    use super::refuse_if_marked;
    use std::io::ErrorKind;

    #[test]
    fn a_mount_from_which_nothing_may_run_is_refused_like_a_mapping() {
        const NOEXEC: u64 = 4;
        for flags in [0, 0x1000, 0x0010_1008] {
            assert!(refuse_if_marked(flags, NOEXEC).is_ok(), "{flags:#x}");
            let refused = refuse_if_marked(flags | NOEXEC, NOEXEC).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::PermissionDenied, "{flags:#x}");
        }
    }
}
