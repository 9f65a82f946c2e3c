//! Words for which systems differ.

use std::collections::HashSet;
use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::fs::File;
use std::io;
use std::path::Path;
use std::process::ExitStatus;
use std::time::SystemTime;

use replug::Outcome;

#[cfg(windows)]
use crate::wait_until;

/// What the file of a library is called on this system.
/// `x` stands for `libx.so` on Linux, and `a/x` for `a/libx.so`.
pub fn library_name(name: impl AsRef<str>) -> String {
    let name = name.as_ref();
    let (directory, name) = name.split_at(name.rfind('/').map_or(0, |at| at + 1));
    format!("{directory}{DLL_PREFIX}{name}{DLL_SUFFIX}")
}

/// Makes a symbolic link at `name` that leads to `original`, whether anything is there or not. Tests that want one ask for
/// [`Rule::MakesLinks`](crate::Rule) first.
#[cfg(unix)]
pub fn make_link(original: impl AsRef<Path>, name: impl AsRef<Path>) -> io::Result<()> {
    std::os::unix::fs::symlink(original, name)
}

/// Makes a symbolic link at `name` that leads to `original`, as a link to what is there now.
#[cfg(windows)]
pub fn make_link(original: impl AsRef<Path>, name: impl AsRef<Path>) -> io::Result<()> {
    use std::os::windows::fs::{symlink_dir, symlink_file};
    match original.as_ref().is_dir() {
        true => symlink_dir(original, name),
        false => symlink_file(original, name),
    }
}

/// Whether an outcome is none of a test's business: somebody waits. Or, on Windows, a place has another name: for an instant, wine
/// does not know on a busy machine which volume a file is on.
pub fn is_by_the_way(outcome: &Outcome) -> bool {
    let is_of_wine = cfg!(windows) && matches!(outcome, Outcome::Placed(_));
    is_of_wine || matches!(outcome, Outcome::Waiting(_))
}

/// A path as a manifest of cargo's can have it: quoted, and with slashes.
pub fn in_manifest(path: &Path) -> String {
    let path = path.to_str().expect("a path of a test is text");
    match cfg!(windows) {
        true => format!("{:?}", path.replace('\\', "/")),
        false => format!("{path:?}"),
    }
}

/// Makes a lock of cargo's, opened as cargo opens it.
pub fn lock_of_cargo(path: impl AsRef<Path>) -> File {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    options.open(path).unwrap()
}

/// Gives back a lock of cargo's.
pub fn unlock(lock: &File) {
    /// What wine says of a lock that std gives back once more, to be sure (`ERROR_LOCK_VIOLATION`).
    const OF_WINE: i32 = 33;
    match lock.unlock() {
        Err(error) if cfg!(windows) && error.raw_os_error() == Some(OF_WINE) => {}
        done => done.unwrap(),
    }
}

/// Sets when a file, or a directory, was last written.
pub fn set_modified(path: &Path, time: SystemTime) {
    let mut options = File::options();
    options.read(true);
    #[cfg(windows)]
    {
        use std::os::windows::fs::OpenOptionsExt as _;
        /// The right to set times, and no other (`FILE_WRITE_ATTRIBUTES`).
        const TIMES: u32 = 0x100;
        /// With which directories are opened (`FILE_FLAG_BACKUP_SEMANTICS`).
        const ANY: u32 = 0x0200_0000;
        options.access_mode(TIMES).custom_flags(ANY);
    }
    options.open(path).unwrap().set_modified(time).unwrap();
}

/// The environment variable that names the directory for temporary files.
pub const TEMP_VARIABLE: &str = if cfg!(windows) { "TMP" } else { "TMPDIR" };

/// Whether a process was ended as a program of Rust ends itself.
pub fn has_aborted(status: ExitStatus) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt as _;
        let aborted = rustix::process::Signal::ABORT.as_raw();
        status.signal() == Some(aborted)
    }
    #[cfg(windows)]
    {
        /// `STATUS_STACK_BUFFER_OVERRUN`: how Windows calls an end at once, by `__fastfail`.
        const AT_ONCE: u32 = 0xc000_0409;
        status.code() == Some(AT_ONCE.cast_signed())
    }
}

/// How many files below a directory are mapped into this process. Tests that count them ask for
/// [`Rule::ListsMappings`](crate::Rule) first.
pub fn mapped_below(directory: &Path) -> usize {
    if cfg!(windows) {
        panic!("nobody tells what of `{}` is mapped", directory.display());
    }
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let directory = directory.to_str().unwrap();
    let paths = maps
        .lines()
        .filter_map(|line| Some(&line[line.find(directory)?..]));
    paths.collect::<HashSet<_>>().len()
}

/// Makes a pipe that has a name in a directory. Tests that want one ask for [`Rule::MakesPipes`](crate::Rule) first.
pub fn make_pipe(path: impl AsRef<Path>) {
    #[cfg(unix)]
    {
        use rustix::fs::{CWD, Mode, mkfifoat};
        mkfifoat(CWD, path.as_ref(), Mode::RWXU).unwrap();
    }
    #[cfg(windows)]
    panic!("`{}` cannot become a pipe here", path.as_ref().display());
}

/// Says who may read and write a file, by the mode that it has on Unix systems. Tests that do so ask for
/// [`Rule::JudgesRights`](crate::Rule) first.
pub fn set_mode(path: &Path, mode: u32) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    #[cfg(windows)]
    panic!("`{}` has no mode {mode:o} here", path.display());
}

/// Renames, links or removes a file that others look at.
#[cfg(unix)]
#[track_caller]
pub fn put_in_place(step: impl Fn() -> io::Result<()>) {
    step().unwrap();
}

/// Renames, links or removes a file that others look at. For an instant they can be in the way, and builders try again.
#[cfg(windows)]
#[track_caller]
pub fn put_in_place(step: impl Fn() -> io::Result<()>) {
    /// Refused: somebody has the file open, or it is just being removed and has its name still.
    const IN_THE_WAY: [i32; 3] = [5, 32, 183];
    wait_until("end of others' looks", || match step() {
        Err(error)
            if error
                .raw_os_error()
                .is_some_and(|it| IN_THE_WAY.contains(&it)) =>
        {
            false
        }
        done => {
            done.unwrap();
            true
        }
    });
}
