//! Linux: statx, which can ask a network filesystem for fresh attributes; procfs; memfd.

use std::ffi::{CStr, OsStr};
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{
    Advice, AtFlags, CWD, FallocateFlags, FileType, MemfdFlags, Mode, OFlags, RawDir, SealFlags,
    Stat, Statx, StatxFlags, StatxTimestamp,
};
use rustix::io::Errno;

use super::groups;
pub(crate) use super::held::{HeldDirectory, Identity, identity_at, identity_of, own_user};
pub(crate) use super::posix::{HOST_DOWN, TOO_MANY_FILES, largest_file, open_lock, standing};
use crate::boundary::lease;
use crate::look::files::Writers;
use crate::look::snapshot::{Kind, Snapshot, Stamp};

/// Further directories for staged copies, if code cannot be mapped from the temporary directory.
pub(crate) const MORE_TEMP_DIRS: &[&str] = &["/var/tmp", "/dev/shm"];

/// Whether a file can be made that exists in memory only.
pub(crate) const HAS_MEMORY_FILES: bool = true;

/// Looks at a file, symbolic links followed, asking the filesystem not to answer from a cache.
pub(crate) fn look(path: &Path) -> io::Result<Snapshot> {
    statx(CWD, path, AtFlags::STATX_FORCE_SYNC)
}

/// Looks at a symbolic link itself, in the same way.
pub(crate) fn look_link(path: &Path) -> io::Result<Snapshot> {
    let flags = AtFlags::STATX_FORCE_SYNC | AtFlags::SYMLINK_NOFOLLOW;
    statx(CWD, path, flags)
}

/// A directory to look from, so that the system need not walk to the directory anew for each look.
#[derive(Debug)]
pub struct Directory {
    open: OwnedFd,
    /// The number of bytes of a path that lead to the directory.
    prefix: usize,
}

/// Opens a directory only to look from it, if that is worth its cost for so many looks.
pub(crate) fn open_directory(directory: &Path, looks: usize) -> Option<Directory> {
    /// The fewest looks that are worth an open directory. Opening and closing one takes as many instructions as seven
    /// walks to a directory two names away (`target/debug`), on Linux 6.1.
    const WORTH_IT: usize = 8;
    if looks < WORTH_IT {
        return None;
    }
    let flags = OFlags::PATH | OFlags::CLOEXEC | OFlags::DIRECTORY;
    let open = rustix::fs::open(directory, flags, Mode::empty()).ok()?;
    let spelled = directory.as_os_str().as_bytes();
    let separator = usize::from(!spelled.ends_with(b"/"));
    let prefix = spelled.len() + separator;
    Some(Directory { open, prefix })
}

/// Looks at a path below an open directory, as [`look`] does.
pub(crate) fn look_from(directory: &Directory, path: &Path) -> io::Result<Snapshot> {
    match path.as_os_str().as_bytes().get(directory.prefix..) {
        Some(rest) => statx(&directory.open, rest, AtFlags::STATX_FORCE_SYNC),
        // Such as the path of the directory itself.
        None => look(path),
    }
}

/// Looks at an open file.
pub(crate) fn look_open(file: &File) -> io::Result<Snapshot> {
    statx(file, c"", AtFlags::STATX_FORCE_SYNC | AtFlags::EMPTY_PATH)
}

/// Whether anybody could write to an open file, by a lease, on a filesystem where leases tell the truth. What is not refused for a writer's sake tells nothing: leases
/// can be switched off, and are for the owner of a file.
pub(crate) fn writers(file: &File) -> Writers {
    match lease(file) {
        Ok(()) => Writers::Nobody,
        Err(error) if error.kind() == ErrorKind::WouldBlock => Writers::Somebody,
        Err(error) => {
            tracing::debug!(%error, "no lease");
            Writers::Unknown
        }
    }
}

/// The number of a mount that is never given to another one, since Linux 6.8. An older kernel passes over the flag, and
/// answers the older one: with a number that is given again when its mount is gone.
const MNT_ID_UNIQUE: StatxFlags = StatxFlags::from_bits_retain(0x4000);

/// Whether `statx` was refused, so that looks are made by an older call.
static HAS_PLAIN_LOOKS: AtomicBool = AtomicBool::new(false);

/// Whether looks can be answered from a network filesystem's memory, because the call that forbids this is refused.
pub(crate) fn has_plain_looks() -> bool {
    HAS_PLAIN_LOOKS.load(Ordering::Relaxed)
}

fn statx(
    at: impl AsFd,
    path: impl rustix::path::Arg + Copy,
    flags: AtFlags,
) -> io::Result<Snapshot> {
    let wanted = StatxFlags::BASIC_STATS | StatxFlags::BTIME | StatxFlags::MNT_ID | MNT_ID_UNIQUE;
    match rustix::fs::statx(&at, path, flags, wanted) {
        Ok(statx) => Ok(snapshot(&statx)),
        // A filter that is older than the call (containers) says so in one of two ways; rustix asks it only once.
        Err(refusal @ (Errno::NOSYS | Errno::PERM)) => plain_look(at, path, flags, refusal),
        Err(error) => Err(error.into()),
    }
}

/// Looks by `fstatat`, which knows neither birth times nor mounts, and answers from what the system remembers.
#[cold]
fn plain_look(
    at: impl AsFd,
    path: impl rustix::path::Arg,
    flags: AtFlags,
    refusal: Errno,
) -> io::Result<Snapshot> {
    let plain = flags & (AtFlags::SYMLINK_NOFOLLOW | AtFlags::EMPTY_PATH);
    let seen = rustix::fs::statat(at, path, plain);
    if seen.is_ok() || refusal == Errno::NOSYS {
        HAS_PLAIN_LOOKS.store(true, Ordering::Relaxed);
    }
    Ok(plain_snapshot(&seen?))
}

// The types of the fields differ between architectures.
#[allow(clippy::useless_conversion, clippy::unnecessary_cast)]
fn plain_snapshot(seen: &Stat) -> Snapshot {
    let stamp = |seconds: i64, nanoseconds: u32| Stamp {
        seconds,
        nanoseconds,
    };
    Snapshot {
        kind: kind_of(FileType::from_raw_mode(seen.st_mode)),
        device: seen.st_dev as u64,
        mount: 0,
        inode: seen.st_ino as u64,
        links: seen.st_nlink as u64,
        size: seen.st_size as u64,
        modified: stamp(seen.st_mtime as i64, seen.st_mtime_nsec as u32),
        changed: stamp(seen.st_ctime as i64, seen.st_ctime_nsec as u32),
        born: None,
    }
}

fn snapshot(statx: &Statx) -> Snapshot {
    let has_birth = statx.stx_mask & StatxFlags::BTIME.bits() != 0;
    Snapshot {
        kind: kind_of(FileType::from_raw_mode(statx.stx_mode.into())),
        device: rustix::fs::makedev(statx.stx_dev_major, statx.stx_dev_minor),
        mount: statx.stx_mnt_id,
        inode: statx.stx_ino,
        links: statx.stx_nlink.into(),
        size: statx.stx_size,
        modified: stamp(statx.stx_mtime),
        changed: stamp(statx.stx_ctime),
        born: has_birth.then(|| stamp(statx.stx_btime)),
    }
}

fn stamp(time: StatxTimestamp) -> Stamp {
    Stamp {
        seconds: time.tv_sec,
        nanoseconds: time.tv_nsec,
    }
}

/// The kind of what was found.
pub(super) fn kind(found: &Metadata) -> Kind {
    kind_of(FileType::from_raw_mode(found.mode()))
}

fn kind_of(file_type: FileType) -> Kind {
    match file_type {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Directory,
        FileType::Symlink => Kind::Link,
        FileType::Fifo => Kind::Fifo,
        FileType::CharacterDevice | FileType::BlockDevice => Kind::Device,
        _ => Kind::Other,
    }
}

/// Opens an artifact for reading. Never waits: should a FIFO have taken the file's place since the last look,
/// a plain open would hang until somebody writes to it.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    Ok(rustix::fs::open(path, flags, Mode::empty())?.into())
}

/// Makes the kernel ask the daemon of a FUSE mount for the last name in `path`.
///
/// The kernel believes what it remembers of a name, except before it makes a name that must not exist yet. So it is
/// told to make a link to a file of another filesystem, which it refuses in any case: because there is such a name, or
/// else because the link would lead from one filesystem to another (`do_linkat` in Linux's `fs/namei.c`; in this order).
/// To read the names in a directory does not suffice: `FUSE_READDIRPLUS_AUTO`, which daemons usually ask for, fills in
/// what the kernel remembers for the first few names only.
pub(crate) fn ask_for_name(path: &Path) {
    /// A file that is on no filesystem where anybody watches libraries.
    const ELSEWHERE: &CStr = c"/proc/self/mountinfo";
    // The answer is in the next look.
    let _ = rustix::fs::linkat(CWD, ELSEWHERE, CWD, path, AtFlags::empty());
}

/// Reads the names in a directory to their end, and not those that the system keeps: a network filesystem's client keeps
/// them for as long as the directory's own times are the same, and a server's clock ticks slowly.
pub(crate) fn names(directory: &Path, each: &mut dyn FnMut(&OsStr)) -> io::Result<()> {
    /// Room for some hundred names at a time.
    const BUFFER: usize = 16 * 1024;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::DIRECTORY | OFlags::NONBLOCK;
    let directory = rustix::fs::open(directory, flags, Mode::empty())?;
    // Not every filesystem keeps names in pages.
    let _ = rustix::fs::fadvise(&directory, 0, None, Advice::DontNeed);
    let mut buffer = [MaybeUninit::uninit(); BUFFER];
    let mut entries = RawDir::new(directory, &mut buffer);
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name != "." && name != ".." {
            each(name);
        }
    }
    Ok(())
}

/// Drops the pages of a file from the page cache.
pub(crate) fn forget_content(file: &File) -> io::Result<()> {
    Ok(rustix::fs::fadvise(file, 0, None, Advice::DontNeed)?)
}

/// Whether the group's bits of a mode give nothing to anybody but the owner. Where there is an access control list, they
/// are the most that the list gives to anybody, so they may give something whoever is in the group.
pub(super) fn group_is_private(path: &Path, group: u32, owner: u32) -> bool {
    let size = &mut [0_u8; 0];
    let has_list = match rustix::fs::lgetxattr(path, c"system.posix_acl_access", size) {
        Err(Errno::NODATA | Errno::NOTSUP) => false,
        Ok(_) | Err(_) => true,
    };
    !has_list && groups::is_private(group, owner)
}

/// When this process started, in clock ticks since boot. With the process number, that is the name of one process for
/// ever.
pub(crate) fn own_start() -> u64 {
    start_of("self").unwrap_or(0)
}

/// Whether the process that had this number and started then is still there.
pub(crate) fn is_running(pid: u32, start: u64) -> bool {
    start_of(&pid.to_string()) == Some(start)
}

fn start_of(process: &str) -> Option<u64> {
    /// The number of fields between the state and `starttime`, which is the 22nd field of `stat`. The second field is
    /// a name in parentheses that may hold spaces, so fields are counted from the end of the name.
    const FIELDS_BETWEEN: usize = 18;
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace();
    // A zombie is dead; only its parent has not asked yet.
    let state = fields.next().filter(|state| !matches!(*state, "Z" | "X"));
    state.and_then(|_| fields.nth(FIELDS_BETWEEN)?.parse().ok())
}

/// Makes a file that exists in memory only, and a path by which the loader can open it.
///
/// The loader takes a path that it has seen before for the library that it loaded then, and descriptor numbers are
/// reused. So `serial`, never the same twice, is written into the path as slashes and dots that change nothing about
/// where the path leads.
pub(crate) fn memory_file(name: &CStr, serial: u64) -> io::Result<(File, PathBuf)> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = File::from(rustix::fs::memfd_create(name, flags)?);
    let bits = u64::BITS - serial.leading_zeros();
    let spelled: String = (0..bits)
        .map(|bit| if serial >> bit & 1 == 1 { ".//" } else { "./" })
        .collect();
    let path = format!("/proc/self/fd/{spelled}{}", file.as_raw_fd());
    Ok((file, path.into()))
}

/// Seals a memory file: nobody can write to it or change its size any more, not even this process.
pub(crate) fn seal_memory(file: &File) -> io::Result<()> {
    let seals = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
    Ok(rustix::fs::fcntl_add_seals(file, seals)?)
}

/// Gives the room of a file back, from a place on to its end. The file keeps its size, and reads as zeros there: somebody
/// may have it mapped, and to touch what lies behind the end of a file that was cut is death (SIGBUS).
pub(crate) fn give_back(file: &File, from: u64) -> io::Result<()> {
    let length = file.metadata()?.len().saturating_sub(from);
    if length == 0 {
        return Ok(());
    }
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    Ok(rustix::fs::fallocate(file, flags, from, length)?)
}

/// Whether this is the number that stands for users who have none in this process's container (a user namespace). Root
/// of the machine is one of them, so `/` belongs to that number there.
pub(crate) fn is_unmapped(user: u32) -> bool {
    let overflow = fs::read_to_string("/proc/sys/kernel/overflowuid");
    if !overflow.is_ok_and(|number| number.trim().parse() == Ok(user)) {
        return false;
    }
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    // Outside of containers every number stands for itself, and this number for a user like any other.
    let mut fields = map.split_ascii_whitespace();
    let everybody = ["0", "0", "4294967295"];
    !everybody
        .into_iter()
        .all(|field| fields.next() == Some(field))
}

#[cfg(test)]
mod tests {
    use std::process;

    use super::*;

    #[test]
    fn this_process_is_running_and_one_that_started_at_another_time_is_not() {
        assert!(is_running(process::id(), own_start()));
        assert!(!is_running(process::id(), own_start() + 1));
    }

    #[test]
    fn memory_files_have_paths_that_differ_even_when_the_descriptor_is_reused() {
        let (first, first_path) = memory_file(c"plugin", 1).unwrap();
        let number = first.as_raw_fd();
        drop(first);
        let mut serial = 2;
        let second_path = loop {
            let (second, path) = memory_file(c"plugin", serial).unwrap();
            // Another test may take the number in between; then try again.
            if second.as_raw_fd() == number {
                assert!(path.exists());
                break path;
            }
            serial += 1;
        };
        assert_ne!(first_path.as_os_str(), second_path.as_os_str());
    }

    #[test]
    fn a_memory_file_that_is_sealed_cannot_be_changed() {
        let (file, path) = memory_file(c"plugin", 1).unwrap();
        fs::write(&path, "copy").unwrap();
        seal_memory(&file).unwrap();
        assert!(fs::write(&path, "other").is_err());
        assert!(file.set_len(1).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"copy");
    }

    #[test]
    fn room_is_given_back_without_a_change_of_size() {
        use std::os::unix::fs::MetadataExt;
        const SIZE: usize = 1 << 20;
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("file");
        fs::write(&path, vec![7; SIZE]).unwrap();
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.sync_all().unwrap();
        let before = file.metadata().unwrap().blocks();
        give_back(&file, SIZE as u64 / 2).unwrap();
        let content = fs::read(&path).unwrap();
        let (kept, given) = content.split_at(SIZE / 2);
        assert!(kept.iter().all(|byte| *byte == 7));
        assert_eq!(given.len(), SIZE / 2, "the size stays");
        assert!(given.iter().all(|byte| *byte == 0));
        assert!(file.metadata().unwrap().blocks() < before);
    }

    #[test]
    fn a_fifo_is_opened_without_waiting_for_a_writer() {
        let scratch = tempfile::tempdir().unwrap();
        let fifo = scratch.path().join("fifo");
        rustix::fs::mkfifoat(CWD, &fifo, Mode::RWXU).unwrap();
        assert_eq!(look(&fifo).unwrap().kind, Kind::Fifo);
        assert_eq!(look_open(&open(&fifo).unwrap()).unwrap().kind, Kind::Fifo);
    }

    #[test]
    fn a_name_that_is_asked_for_is_not_made() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("name");
        ask_for_name(&path);
        ask_for_name(&path.join("below"));
        assert!(look_link(&path).is_err());
        fs::write(&path, "content").unwrap();
        let before = look(&path).unwrap();
        ask_for_name(&path);
        assert_eq!(look(&path).unwrap(), before);
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_look_from_a_directory_sees_what_a_look_sees() {
        const MANY: usize = 100;
        let scratch = tempfile::tempdir().unwrap();
        let inner = scratch.path().join("inner");
        fs::create_dir(&inner).unwrap();
        let file = inner.join("file");
        fs::write(&file, "content").unwrap();
        std::os::unix::fs::symlink(&file, scratch.path().join("link")).unwrap();
        let spelled = [scratch.path().to_owned(), scratch.path().join("")];
        for directory in spelled {
            let open = open_directory(&directory, MANY).unwrap();
            for name in ["inner/file", "link", "inner"] {
                let path = directory.join(name);
                assert_eq!(look_from(&open, &path).unwrap(), look(&path).unwrap());
            }
            let missing = look_from(&open, &directory.join("missing")).unwrap_err();
            assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        }
        assert!(open_directory(&file, MANY).is_none());

        let open = open_directory(&inner, MANY).unwrap();
        fs::rename(&inner, scratch.path().join("elsewhere")).unwrap();
        assert!(look(&file).is_err());
        let found = look_from(&open, &file).expect("nothing walks to the directory anew");
        assert_eq!(found.kind, Kind::File);
    }
}
