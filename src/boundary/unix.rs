//! Unix: dlopen with the flags we need, POSIX thread-local keys, mmap.

use std::fs::File;
use std::io;
use std::path::Path;

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use super::image::ImageId;

pub(super) fn open(path: &Path) -> Result<(libloading::Library, ImageId), libloading::Error> {
    // SAFETY: loading runs the library's initialisers; whoever may write the artifact is trusted with
    // running code in this process, which is what a plugin is. The copy was vetted and nobody writes to it.
    let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) }?;
    let handle = library.into_raw();
    // SAFETY: the handle was just taken out of a library that is open.
    let library = unsafe { Library::from_raw(handle) };
    Ok((library.into(), ImageId(handle as usize)))
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

pub(super) fn can_map_code(file: &File) -> io::Result<()> {
    /// One page of the smallest kind; nothing ever touches it.
    const LENGTH: usize = 4096;
    let (protection, flags) = (ProtFlags::READ | ProtFlags::EXEC, MapFlags::PRIVATE);
    // SAFETY: a new private mapping at a place the system chooses disturbs no other.
    let mapping = unsafe { mmap(std::ptr::null_mut(), LENGTH, protection, flags, file, 0) }?;
    // SAFETY: the mapping was made above and nothing points into it.
    unsafe { munmap(mapping, LENGTH) }?;
    Ok(())
}
