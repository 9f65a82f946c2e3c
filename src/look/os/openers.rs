//! Who has a file open for writing, on Linux: procfs has the open files of each process.

use std::cmp::Reverse;
use std::fs;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Statx, StatxFlags, statx};

/// Where procfs has a directory for each process.
const PROCESSES: &str = "/proc";

/// The number of a process that has the file at `path` open for writing. `None` if that cannot be told: without a procfs or
/// before Linux 5.14, beyond so many open files, for a process of another user or in another process namespace, and if the file is only mapped.
pub(crate) fn opener(path: &Path) -> Option<u32> {
    let wanted = look(path)?;
    let processes = fs::read_dir(PROCESSES).ok()?.flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let mut numbers: Vec<u32> = numbers.collect();
    // Who writes now has mostly begun lately.
    numbers.sort_unstable_by_key(|number| Reverse(*number));
    let mut left = MOST;
    for number in numbers {
        if has_open(number, &wanted, &mut left) {
            return Some(number);
        }
        if left == 0 {
            break;
        }
    }
    None
}

/// The most open files that are looked through. Each takes some microseconds, for which the worker does nothing else.
const MOST: usize = 2_000;

/// Looks without asking any server: what else a process has open may be on one that does not answer.
fn look(path: &Path) -> Option<Statx> {
    statx(CWD, path, AtFlags::STATX_DONT_SYNC, StatxFlags::INO).ok()
}

/// Whether this process has the file open for writing. Nobody is told what another user's process has open.
fn has_open(process: u32, wanted: &Statx, left: &mut usize) -> bool {
    let of_process = |name: &str| Path::new(PROCESSES).join(process.to_string()).join(name);
    let Ok(open) = fs::read_dir(of_process("fdinfo")) else {
        return false;
    };
    let place = |seen: &Statx| (seen.stx_dev_major, seen.stx_dev_minor, seen.stx_ino);
    let open = open.flatten().take(*left).inspect(|_| *left -= 1);
    open.into_iter().any(|entry| {
        let information = fs::read_to_string(entry.path());
        let may_be = information.is_ok_and(|text| is_for_writing(&text, wanted.stx_ino));
        let is_there = || look(&of_process("fd").join(entry.file_name()));
        may_be && is_there().is_some_and(|found| place(&found) == place(wanted))
    })
}

/// Whether a file with this inode number was opened for writing, by what procfs says of the open file: a line `flags:` in
/// octal digits, and a line `ino:`.
fn is_for_writing(information: &str, inode: u64) -> bool {
    /// The digit of the access mode: 0 is for reading only, 3 for neither.
    const MODE: u32 = 0o3;
    let field = |name| {
        let mut lines = information.lines();
        lines
            .find_map(|line| line.strip_prefix(name))
            .map(str::trim)
    };
    let flags = field("flags:").and_then(|flags| u32::from_str_radix(flags, 8).ok());
    let number = field("ino:").and_then(|number| number.parse().ok());
    number == Some(inode) && flags.is_some_and(|flags| [1, 2].contains(&(flags & MODE)))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::process;

    use vocabulary::wait_until;

    use super::*;

    #[test]
    fn a_process_that_has_a_file_open_for_writing_is_found_and_one_that_reads_is_not() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("libx.so");
        let writer = File::create(&path).unwrap();
        assert_eq!(opener(&path), Some(process::id()));
        drop(writer);
        let _reader = File::open(&path).unwrap();
        // A process that another test is starting has the file open for a moment.
        wait_until("the end of the writer", || opener(&path).is_none());
        assert_eq!(opener(&scratch.path().join("absent")), None);
    }

    #[test]
    fn the_mode_of_an_open_file_is_read_out_of_its_flags() {
        for (information, is_so) in [
            ("pos:\t0\nflags:\t0100002\nmnt_id:\t29\nino:\t7\n", true),
            ("flags:\t0100001\nino:\t7\n", true),
            ("flags:\t0100001\nino:\t8\n", false),
            ("flags:\t0100001\n", false),
            ("flags:\t0100000\nino:\t7\n", false),
            ("flags:\t0100003\nino:\t7\n", false),
            ("flags:\tnonsense\nino:\t7\n", false),
            ("", false),
        ] {
            assert_eq!(is_for_writing(information, 7), is_so, "{information:?}");
        }
    }
}
