//! The thread-locals of an image on one thread, made as new.

use std::ffi::c_void;
use std::slice;

use crate::boundary::system::base_of;

/// Gives the calling thread the image's thread-locals as a new thread finds them. Their destructors have run, and what
/// they left says so: code of the image that asked for one of them would panic, and that ends the process if the code
/// is a destructor of the library's own. The image is the one that `address` is in, and none of its code is on this
/// thread's stack.
pub(super) fn renew(address: *const c_void) {
    let Some(mut image) = base_of(address) else {
        return;
    };
    // SAFETY: `renew_listed` takes the pointer that is passed for it. Meanwhile the loader keeps its list as it is.
    unsafe { libc::dl_iterate_phdr(Some(renew_listed), (&raw mut image).cast()) };
}

unsafe extern "C" fn renew_listed(
    listed: *mut libc::dl_phdr_info,
    _size: usize,
    image: *mut c_void,
) -> libc::c_int {
    // SAFETY: the loader passes an entry of its list.
    let listed = unsafe { &*listed };
    // SAFETY: `renew` passes the pointer.
    if listed.dlpi_addr as usize != unsafe { *image.cast::<usize>() } {
        return 0;
    }
    // SAFETY: the loader passes the image's own headers.
    let headers = unsafe { slice::from_raw_parts(listed.dlpi_phdr, listed.dlpi_phnum.into()) };
    let block = listed.dlpi_tls_data.cast::<u8>();
    let locals = headers.iter().find(|it| it.p_type == libc::PT_TLS);
    // A thread that never touched a thread-local of the image has no block for them.
    if let Some(locals) = locals
        && !block.is_null()
    {
        let first = (listed.dlpi_addr + locals.p_vaddr) as *const u8;
        let (given, all) = (locals.p_filesz as usize, locals.p_memsz as usize);
        // SAFETY: the header says where the image keeps the first values, and the block is this thread's alone.
        unsafe { block.copy_from_nonoverlapping(first, given) };
        // SAFETY: the block is as long as the header says, and the first values are the smaller part of it.
        let rest = unsafe { block.add(given) };
        // SAFETY: as above.
        unsafe { rest.write_bytes(0, all - given) };
    }
    1
}
