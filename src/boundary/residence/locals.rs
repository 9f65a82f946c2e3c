//! The thread-locals of an image on one thread, made as new; and whether the system keeps those of images apart that are
//! unmapped and mapped.

#[cfg(target_arch = "aarch64")]
use std::ffi::CStr;
use std::ffi::c_void;
use std::slice;

use crate::boundary::system::base_of;

/// An image, and where its thread-locals are.
struct Asked {
    image: usize,
    locals: Option<Locals>,
}

/// The thread-locals of an image: their first values, which the image keeps, and the block of the calling thread.
#[derive(Clone, Copy)]
struct Locals {
    /// The number by which the loader knows the image's thread-locals.
    module: usize,
    /// The block, if the loader has noted one. A null pointer says nothing on aarch64: see [`block_of`].
    noted: *mut u8,
    first: *const u8,
    /// How many bytes have first values, and how many there are; those behind the first ones begin as zeros.
    given: usize,
    all: usize,
}

/// Gives the calling thread the image's thread-locals as a new thread finds them. Their destructors have run, and what
/// they left says so: code of the image that asked for one of them would panic, and that ends the process if the code
/// is a destructor of the library's own. The image is the one that `address` is in, and none of its code is on this
/// thread's stack.
pub(super) fn renew(address: *const c_void) {
    let Some(image) = base_of(address) else {
        return;
    };
    let mut asked = Asked {
        image,
        locals: None,
    };
    // SAFETY: `note_locals` takes the pointer that is passed for it. Meanwhile the loader keeps its list as it is.
    unsafe { libc::dl_iterate_phdr(Some(note_locals), (&raw mut asked).cast()) };
    let Some(locals) = asked.locals else {
        return;
    };
    // Not while the loader shows its list, for it can take another lock to find the block.
    let block = block_of(locals);
    // A thread that never touched a thread-local of the image has no block for them.
    if block.is_null() {
        return;
    }
    // SAFETY: the header says where the image keeps the first values, and the block is this thread's alone. The image
    // is mapped, because this thread has a seat in its house.
    unsafe { block.copy_from_nonoverlapping(locals.first, locals.given) };
    // SAFETY: the block is as long as the header says, and the first values are the smaller part of it.
    let rest = unsafe { block.add(locals.given) };
    // SAFETY: as above.
    unsafe { rest.write_bytes(0, locals.all - locals.given) };
}

unsafe extern "C" fn note_locals(
    listed: *mut libc::dl_phdr_info,
    _size: usize,
    asked: *mut c_void,
) -> libc::c_int {
    // SAFETY: the loader passes an entry of its list.
    let listed = unsafe { &*listed };
    // SAFETY: `renew` passes the pointer, and does not use it again until the list is through.
    let asked = unsafe { &mut *asked.cast::<Asked>() };
    if listed.dlpi_addr as usize != asked.image {
        return 0;
    }
    // SAFETY: the loader passes the image's own headers.
    let headers = unsafe { slice::from_raw_parts(listed.dlpi_phdr, listed.dlpi_phnum.into()) };
    let header = headers.iter().find(|it| it.p_type == libc::PT_TLS);
    asked.locals = header.map(|header| Locals {
        module: listed.dlpi_tls_modid,
        noted: listed.dlpi_tls_data.cast(),
        first: (listed.dlpi_addr + header.p_vaddr) as *const u8,
        given: header.p_filesz as usize,
        all: header.p_memsz as usize,
    });
    1
}

/// The calling thread's block of an image's thread-locals, if it has one.
#[cfg(not(target_arch = "aarch64"))]
fn block_of(locals: Locals) -> *mut u8 {
    let _ = locals.module;
    locals.noted
}

/// The calling thread's block of an image's thread-locals. On aarch64 thread-locals are reached by descriptors, and
/// glibc puts the blocks of the first few libraries beside those of the program: code then finds them without asking the loader, which
/// notes them for no thread. So the loader is asked, as code without descriptors would ask. It makes a block for a thread
/// that has none.
#[cfg(target_arch = "aarch64")]
fn block_of(locals: Locals) -> *mut u8 {
    /// A thread-local, as the loader is asked for it.
    #[repr(C)]
    struct Index {
        module: usize,
        offset: usize,
    }
    unsafe extern "C" {
        /// The address of a thread-local on the calling thread.
        fn __tls_get_addr(index: *const Index) -> *mut c_void;
    }
    if !locals.noted.is_null() {
        return locals.noted;
    }
    let index = Index {
        module: locals.module,
        offset: 0,
    };
    // SAFETY: the number is that of a mapped image with thread-locals, and its block begins with the first of them.
    unsafe { __tls_get_addr(&index) }.cast()
}

/// Why no image can be unmapped in this process, if the system speaks against it.
#[cfg(not(target_arch = "aarch64"))]
pub(in crate::boundary) fn forbidden() -> Option<&'static str> {
    None
}

/// Why no image can be unmapped in this process, if the system speaks against it: where thread-locals are reached by
/// descriptors, an older glibc can give a new image the thread-locals of one that is gone (its bug 29039).
#[cfg(target_arch = "aarch64")]
pub(in crate::boundary) fn forbidden() -> Option<&'static str> {
    // SAFETY: the call has no conditions.
    let version = unsafe { libc::gnu_get_libc_version() };
    // SAFETY: the text is a constant of glibc's, with a NUL at its end.
    let version = unsafe { CStr::from_ptr(version) };
    let is_sound = version.to_str().is_ok_and(keeps_locals_apart);
    (!is_sound).then_some(
        "on aarch64 images are unmapped from glibc 2.39 on: an older one can give a new image the thread-locals of \
         one that is gone",
    )
}

/// Whether the glibc of this version gives no image the thread-locals of another. Some older ones were mended by who hands
/// them out, but do not say so.
#[cfg(any(test, target_arch = "aarch64"))]
fn keeps_locals_apart(version: &str) -> bool {
    /// The first version without the bug.
    const MENDED: (u32, u32) = (2, 39);
    let mut numbers = version.split('.').map(|number| number.parse().ok());
    let version = (numbers.next().flatten(), numbers.next().flatten());
    matches!(version, (Some(major), Some(minor)) if (major, minor) >= MENDED)
}

#[cfg(test)]
mod tests {
    use super::keeps_locals_apart;

    #[test]
    fn a_glibc_is_believed_from_the_version_on_in_which_thread_locals_stay_apart() {
        for (version, is_sound) in [
            ("2.39", true),
            ("2.41", true),
            ("2.100", true),
            ("3.0", true),
            ("2.39.9000", true),
            ("2.38", false),
            ("2.38.9000", false),
            ("2.4", false),
            ("1.99", false),
            ("2", false),
            ("", false),
            ("new", false),
        ] {
            assert_eq!(keeps_locals_apart(version), is_sound, "{version}");
        }
    }
}
