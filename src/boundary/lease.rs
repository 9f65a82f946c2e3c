//! Leases: Linux's word on whether anybody could write to an open file.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// The signal that tells the holder of a lease that somebody wants to write to the file. It is ignored unless the process
/// wants it; the usual one, `SIGIO`, would end the process.
const UNHEARD: libc::c_int = libc::SIGURG;

/// Says which signal the holder of a lease gets (`asm-generic/fcntl.h`).
const F_SETSIG: libc::c_int = 10;

/// Takes a lease for reading on an open file, and lets go of the lease at once.
///
/// A lease is granted only while nobody has the file open for writing, and no shared mapping of the file can be written to.
/// Whoever opens the file for writing while somebody holds the lease waits for its end: here, for microseconds.
///
/// # Errors
///
/// `EAGAIN` if somebody could write to the file; `EACCES` if the file is another user's and this process has no
/// `CAP_LEASE`; `EINVAL` where there are no leases.
pub(crate) fn lease(file: &File) -> io::Result<()> {
    control(file, F_SETSIG, UNHEARD)?;
    control(file, libc::F_SETLEASE, libc::F_RDLCK)?;
    // Closing the file would end the lease too, but not before the file is read. If the lease was broken meanwhile, this says
    // `EAGAIN`: somebody wants to write.
    control(file, libc::F_SETLEASE, libc::F_UNLCK)
}

fn control(file: &File, command: libc::c_int, argument: libc::c_int) -> io::Result<()> {
    // SAFETY: the descriptor is open, and these commands take a number and no pointer.
    match unsafe { libc::fcntl(file.as_raw_fd(), command, argument) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::ptr;

    use rustix::fs::fstatfs;
    use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

    use vocabulary::wait_until;

    use super::*;

    /// The magic number of an overlay, which does not see a mapping whose descriptor was closed.
    const OVERLAY: u32 = 0x794c_7630;

    fn is_granted(file: &File) -> bool {
        match lease(file) {
            Ok(()) => true,
            Err(error) if error.kind() == ErrorKind::WouldBlock => false,
            Err(error) => panic!("there are no leases here: {error}"),
        }
    }

    #[test]
    fn a_lease_is_refused_while_somebody_could_write_and_holds_nobody_up() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("libx.so");
        let writer = File::create_new(&path).unwrap();
        writer.set_len(4096).unwrap();
        let reader = File::open(&path).unwrap();
        assert!(!is_granted(&reader), "a writer");
        drop(writer);
        let _other_reader = File::open(&path).unwrap();
        // A process that another test is starting has the file open for a moment.
        wait_until("a lease beside readers", || is_granted(&reader));
        // The lease was let go of: nobody waits, and no signal comes.
        let writer = File::options().read(true).write(true).open(&path).unwrap();
        let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
        // SAFETY: the mapping is a new one, and nobody reads it.
        let mapped = unsafe { mmap(ptr::null_mut(), 4096, protection, flags, &writer, 0) };
        drop(writer);
        let is_overlay = fstatfs(&reader).unwrap().f_type as u32 == OVERLAY;
        match is_overlay {
            true => wait_until("a lease beside a mapping", || is_granted(&reader)),
            false => assert!(!is_granted(&reader), "a mapping"),
        }
        // SAFETY: nobody uses the mapping.
        unsafe { munmap(mapped.unwrap(), 4096) }.unwrap();
        wait_until("a lease", || is_granted(&reader));
    }
}
