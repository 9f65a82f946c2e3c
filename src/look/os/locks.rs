//! Who holds a lock file, on Linux: the system's table of locks names the process, and procfs the process's command.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{fstat, major, minor};

use crate::look::holder::Holder;

/// The table of the locks that processes hold, as far as they are visible from here (`man 5 proc_locks`).
const LOCKS: &str = "/proc/locks";

/// The process that alone holds `lock` exclusively. `None` if that cannot be told: without a procfs, in another process
/// namespace than the holder's, and where the table has other numbers for a file than a look at it (btrfs, some
/// overlays).
pub(crate) fn holder(lock: &File) -> Option<Holder> {
    let found = fstat(lock).ok()?;
    let table = fs::read(LOCKS).ok()?;
    let device = (major(found.st_dev), minor(found.st_dev));
    // The type of the field differs between architectures.
    #[allow(clippy::useless_conversion)]
    let pid = pid_of(&table, device, found.st_ino.into())?;
    let of_process = |name: &str| PathBuf::from(format!("/proc/{pid}/{name}"));
    let command = fs::read(of_process("cmdline")).unwrap_or_default();
    // Only the process's own user can read this link.
    let program = fs::read_link(of_process("exe")).ok();
    Some(Holder::new(pid, subcommand(program.as_deref(), &command)))
}

/// The process that holds a file exclusively, by the table of locks. `None` unless the table names exactly one.
fn pid_of(table: &[u8], device: (u32, u32), inode: u64) -> Option<u32> {
    let lines = table.split(|byte| *byte == b'\n');
    let mut pids = lines
        .filter_map(|line| std::str::from_utf8(line).ok().and_then(exclusive))
        .filter(|held| held.device == device && held.inode == inode)
        .map(|held| held.pid);
    let first = pids.next()?;
    let pid = u32::try_from(first).ok().filter(|pid| *pid != 0)?;
    pids.all(|other| other == first).then_some(pid)
}

/// One exclusive lock of the table.
struct Exclusive {
    /// 0 and less: not a process that is visible from here, or several.
    pid: i64,
    device: (u32, u32),
    inode: u64,
}

/// The exclusive lock that a line tells of: `1: FLOCK  ADVISORY  WRITE 3568 fd:00:2531452 0 EOF`. Whoever waits for it has
/// an arrow behind the first number.
fn exclusive(line: &str) -> Option<Exclusive> {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let kind = fields.next()?;
    let is_lock = ["FLOCK", "POSIX", "OFDLCK"].contains(&kind);
    let is_exclusive = fields.nth(1)? == "WRITE";
    let pid = fields.next()?.parse().ok()?;
    let mut file = fields.next()?.split(':');
    let mut number = || u32::from_str_radix(file.next()?, 16).ok();
    let device = (number()?, number()?);
    let inode = file.next()?.parse().ok()?;
    (is_lock && is_exclusive).then_some(Exclusive { pid, device, inode })
}

/// The word after cargo's own options, if a command line (with a zero after each argument) is that of a cargo. The file
/// that a process runs is its `program`, if that is known: cargo can be called by another name.
fn subcommand<'a>(program: Option<&Path>, command: &'a [u8]) -> Option<&'a [u8]> {
    let is_cargo = |path: &Path| path.file_name() == Some(OsStr::new("cargo"));
    // Without the last zero, an argument was cut off.
    let mut arguments = command.strip_suffix(b"\0")?.split(|byte| *byte == 0);
    let name = Path::new(OsStr::from_bytes(arguments.next()?));
    if !is_cargo(name) && !program.is_some_and(is_cargo) {
        return None;
    }
    let mut arguments = arguments.peekable();
    arguments.next_if(|toolchain| toolchain.starts_with(b"+"));
    while let Some(option) = arguments.next_if(|argument| argument.starts_with(b"-")) {
        match values_after(option)? {
            0 => {}
            _ => _ = arguments.next()?,
        }
    }
    arguments.next()
}

/// How many of the next arguments belong to an option of cargo's own. `None` for an option that is not known.
fn values_after(option: &[u8]) -> Option<usize> {
    const FLAGS: [&str; 5] = ["--verbose", "--quiet", "--locked", "--offline", "--frozen"];
    const WITH_VALUE: [&str; 4] = ["--color", "--config", "-C", "-Z"];
    let option = std::str::from_utf8(option).ok()?;
    let is_one_of = |options: &[&str]| options.contains(&option);
    let is_repeated_flag =
        |flags: &str| !flags.is_empty() && flags.chars().all(|it| "vq".contains(it));
    let has_value_in_it = || match option.split_once('=') {
        Some((name, _)) => WITH_VALUE.contains(&name),
        None => false,
    };
    match option {
        _ if is_one_of(&WITH_VALUE) => Some(1),
        _ if is_one_of(&FLAGS) || has_value_in_it() => Some(0),
        _ if option.starts_with("-C") || option.starts_with("-Z") => Some(0),
        _ => option
            .strip_prefix('-')
            .is_some_and(is_repeated_flag)
            .then_some(0),
    }
}

#[cfg(test)]
mod tests {
    use std::process;

    use super::*;

    const TABLE: &str = "\
        1: FLOCK  ADVISORY  WRITE 30465 fe:00:10092793 0 EOF\n\
        1: -> FLOCK  ADVISORY  WRITE 30466 fe:00:10092793 0 EOF\n\
        1:  -> FLOCK  ADVISORY  READ 30467 fe:00:10092793 0 EOF\n\
        2: POSIX  ADVISORY  WRITE 500 08:1f:77 1073741826 1073742335\n\
        3: FLOCK  ADVISORY  READ 501 fe:00:10092794 0 EOF\n\
        4: OFDLCK ADVISORY  WRITE -1 fe:00:10092795 0 EOF\n\
        5: FLOCK  ADVISORY  WRITE 502 fe:00:10092796 0 EOF\n\
        6: POSIX  ADVISORY  WRITE 503 fe:00:10092796 0 EOF\n\
        7: FLOCK  ADVISORY  WRITE 504 fe:00:10092797 0 EOF\n\
        8: POSIX  ADVISORY  WRITE 504 fe:00:10092797 0 EOF\n\
        9: FLOCK  ADVISORY  WRITE 0 fe:00:10092798 0 EOF\n\
        10: LEASE  ACTIVE    WRITE 505 fe:00:10092799 0 EOF\n\
        11: FLOCK  ADVISORY  WRITE 506 fe:00:10092800 0 EOF\n\
        11: -> FLOCK  ADVISORY  WRITE 507 fe:00:10092800 0 EOF\n\
        12: FLOCK  ADVISORY  WRITE 508 <none>:0 0 EOF\n\
        13: POSIX  *NOINODE*\n\
        14:\n\
        \n\
        nonsense\n\
        15: FLOCK  ADVISORY  WRI";

    #[test]
    fn the_table_of_locks_names_the_one_process_that_holds_a_file_exclusively() {
        const DISK: (u32, u32) = (0xfe, 0);
        for (device, inode, holder) in [
            (DISK, 10092793, Some(30465)),
            ((8, 0x1f), 77, Some(500)),
            (DISK, 10092800, Some(506)),
            // One process by two kinds of lock.
            (DISK, 10092797, Some(504)),
            // Two processes.
            (DISK, 10092796, None),
            // Shared; of a description that several processes may have; of a process that cannot be seen from here.
            (DISK, 10092794, None),
            (DISK, 10092795, None),
            (DISK, 10092798, None),
            // No lock, and another file of that number.
            (DISK, 10092799, None),
            ((8, 0), 10092793, None),
            (DISK, 1, None),
            ((0, 0), 0, None),
        ] {
            let found = pid_of(TABLE.as_bytes(), device, inode);
            assert_eq!(found, holder, "{device:?} {inode}");
        }
    }

    #[test]
    fn the_subcommand_is_the_first_word_after_the_options_of_cargo() {
        for (command, word) in [
            ("cargo check", Some("check")),
            (
                "/usr/bin/cargo check --workspace --message-format=json",
                Some("check"),
            ),
            ("cargo +nightly check", Some("check")),
            (
                "cargo --color always -Z unstable-options -v check",
                Some("check"),
            ),
            (
                "cargo --color=always -Zx -C /tmp -C/tmp --config a.b=1 --config=a.b=1 -vvq doc",
                Some("doc"),
            ),
            (
                "cargo --locked --offline --frozen --quiet --verbose build check",
                Some("build"),
            ),
            ("cargo -Z check build", Some("build")),
            ("cargo --color check build", Some("build")),
            ("cargo lint", Some("lint")),
            ("cargo build --package check", Some("build")),
            // An option that this version of cargo has and we do not know may have a value.
            ("cargo --new check build", None),
            ("cargo -x check", None),
            ("cargo - check", None),
            ("cargo -- check", None),
            ("cargo --color", None),
            ("cargo", None),
            // Others, who may build.
            ("cargo-capi check", None),
            ("make check", None),
            ("/bin/sh /home/me/bin/cargo check", None),
            ("cross check", None),
        ] {
            let spelled = command.replace(' ', "\0") + "\0";
            let found = subcommand(None, spelled.as_bytes());
            assert_eq!(found, word.map(str::as_bytes), "{command}");
        }
        assert_eq!(subcommand(None, b""), None, "a process that has ended");
        assert_eq!(
            subcommand(None, b"cargo\0check"),
            None,
            "a line that was cut"
        );
    }

    #[test]
    fn a_cargo_by_another_name_is_known_by_the_file_that_it_runs() {
        let command = b"/usr/bin/cargo-1.80\0check\0";
        let cargo = Path::new("/usr/lib/rust-1.80/bin/cargo");
        assert_eq!(subcommand(Some(cargo), command), Some(&b"check"[..]));
        let other = Path::new("/usr/bin/cargo-1.80");
        assert_eq!(subcommand(Some(other), command), None);
    }

    #[test]
    fn a_lock_of_this_process_is_held_by_this_process_which_is_no_cargo() {
        let scratch = tempfile::tempdir().unwrap();
        let lock = File::create(scratch.path().join(".cargo-lock")).unwrap();
        assert_eq!(holder(&lock), None);
        lock.lock().unwrap();
        assert_eq!(holder(&lock), Some(Holder::new(process::id(), None)));
        lock.unlock().unwrap();
        lock.lock_shared().unwrap();
        assert_eq!(holder(&lock), None, "a shared lock holds nothing back");
    }
}
