//! Libraries that came in with an image: the loader lists them behind it.

use std::ffi::{CStr, CString, c_void};
use std::ptr::NonNull;

use crate::boundary::system::base_of;

/// Keeps the dependencies of an image mapped: the libraries that the loader lists behind the image, because they came
/// in with it. The image is the one that `address` is in.
pub(in crate::boundary) fn keep_dependencies(address: NonNull<c_void>) {
    let Some(image) = base_of(address.as_ptr()) else {
        return;
    };
    let mut behind = Behind {
        image,
        is_past: false,
        names: Vec::new(),
    };
    // SAFETY: `note_behind` takes the pointer that is passed for it. Meanwhile the loader keeps its list as it is.
    unsafe { libc::dl_iterate_phdr(Some(note_behind), (&raw mut behind).cast()) };
    for name in behind.names {
        let flags = libc::RTLD_NOW | libc::RTLD_NOLOAD | libc::RTLD_NODELETE;
        // SAFETY: the call asks for a library that is mapped already, and runs nothing.
        unsafe { libc::dlopen(name.as_ptr(), flags) };
    }
}

/// The libraries that the loader lists behind an image.
struct Behind {
    image: usize,
    is_past: bool,
    names: Vec<CString>,
}

unsafe extern "C" fn note_behind(
    listed: *mut libc::dl_phdr_info,
    _size: usize,
    behind: *mut c_void,
) -> libc::c_int {
    // SAFETY: the loader passes an entry of its list.
    let listed = unsafe { &*listed };
    // SAFETY: `keep_dependencies` passes the pointer, and does not use it again until the list is through.
    let behind = unsafe { &mut *behind.cast::<Behind>() };
    if behind.is_past && !listed.dlpi_name.is_null() {
        // SAFETY: the name is text with a NUL at its end.
        let name = unsafe { CStr::from_ptr(listed.dlpi_name) };
        behind.names.push(name.to_owned());
    }
    behind.is_past |= listed.dlpi_addr as usize == behind.image;
    0
}
