//! A lab of what `replug publish` may do with owners: root may give a file to anybody, others may not. And of a filesystem
//! that has no room.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use vocabulary::{Ended, Program, Scratch, library, program};

/// A user and a group that nobody is.
const SOMEBODY: (u32, u32) = (61_234, 61_235);

/// A build, and an older one of [`SOMEBODY`]'s that it is to replace.
fn ground(scratch: &Scratch) -> (PathBuf, PathBuf) {
    let (file, directory) = (scratch.join("libx.so"), scratch.join("plugins"));
    fs::write(&file, library(2)).unwrap();
    fs::create_dir(&directory).unwrap();
    for open in [scratch.path(), &directory] {
        fs::set_permissions(open, Permissions::from_mode(0o777)).unwrap();
    }
    let dest = directory.join("libx.so");
    fs::write(&dest, library(1)).unwrap();
    fs::set_permissions(&dest, Permissions::from_mode(0o660)).unwrap();
    chown(&dest, Some(SOMEBODY.0), Some(SOMEBODY.1)).expect("this lab needs root");
    (file, dest)
}

fn publish(mut command: Command, options: &[&str], file: &Path, dest: &Path) -> Ended {
    command.args(["publish", "--json"]).args(options);
    command.arg(file).arg(dest);
    Program::start(command).end()
}

/// The rights of a file, its owner and its group.
fn rights(path: &Path) -> (u32, u32, u32) {
    let found = fs::metadata(path).unwrap();
    (found.mode() & 0o7777, found.uid(), found.gid())
}

#[test]
fn root_publishes_with_the_owner_of_the_one_before() {
    let scratch = Scratch::new();
    let (file, dest) = ground(&scratch);
    publish(Command::new(program()), &["--keep"], &file, &dest).assert_quiet_success();
    assert_eq!(rights(&dest), (0o660, SOMEBODY.0, SOMEBODY.1));
    let before = dest.with_file_name("libx.so.before");
    assert_eq!(rights(&before), (0o660, SOMEBODY.0, SOMEBODY.1));
}

#[test]
fn another_user_publishes_as_himself_and_his_group_gets_no_right_of_the_other_ones() {
    const NOBODY: u32 = 65_534;
    let scratch = Scratch::new();
    let (file, dest) = ground(&scratch);
    // The target directory may be one that only root can enter.
    let copy = scratch.join("replug");
    let copied = Command::new("cp").args([&program(), &copy]).status();
    assert!(copied.unwrap().success());
    let mut command = Command::new(copy);
    command.uid(NOBODY).gid(NOBODY);
    // One that he may not read he could not keep, and nothing would be published.
    let ended = publish(command, &[], &file, &dest);
    ended.assert_quiet_success();
    assert_eq!(rights(&dest), (0o600, NOBODY, NOBODY));
    let warnings = ended.said[0].0["warnings"].to_string();
    assert!(
        warnings.contains("the owner and group of the one before"),
        "{warnings}"
    );
}

#[test]
fn a_filesystem_that_is_full_has_the_one_before_and_nothing_else() {
    let scratch = Scratch::new();
    let (file, dest) = ground(&scratch);
    let mount = dest.parent().unwrap();
    let room = library(1).len() * 3 / 2;
    let script = format!(
        "mount -t tmpfs -o size={room} replug-lab '{0}' && cp '{1}' '{2}' && ls -A '{0}' && sha256sum '{2}' && \
         '{3}' publish '{4}' '{2}' --keep; echo \"status $?\"; \
         ls -A '{0}'; sha256sum '{2}'",
        mount.display(),
        file.display(),
        dest.display(),
        program().display(),
        scratch.join("other.so").display(),
    );
    fs::write(scratch.join("other.so"), library(3)).unwrap();
    let ran = Command::new("unshare")
        .args(["--mount", "--propagation", "private", "sh", "-c", &script])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    let words = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(words.contains("No space left on device"), "{said}{words}");
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines.len(), 5, "{said}{words}");
    assert_eq!(lines[0], lines[3], "{said}{words}");
    assert_eq!(lines[1], lines[4], "{said}{words}");
    assert_eq!(lines[2], "status 1", "{said}{words}");
}
